"""An adopted address is handed out by no node, in whatever order requests arrive or break.

A pod of node n1 has an address from another IPAM. While n1 adopts it, both nodes take blocks and
hand out addresses of the same few, and daemons are killed and come back on their disks.
"""

from __future__ import annotations

import asyncio
import tempfile
from ipaddress import ip_address
from itertools import count
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from planes.kube.addresses.address_book import KubeAddressBook
from planes.model.errors import PlanesError
from planes.store.protocol import AddressOwner
from tests.kube.addresses.stepped import Fate, Inline, Line, SteppedKube, settle
from tests.support.clock import FakeClock
from tests.support.kube.fake_kube import FakeKube
from tests.support.planes import make_plane

PLANE = make_plane(
    subnets=[{"cidr": "10.9.0.0/30"}],
    ipam={"mode": "Plane", "blockSize": 31, "cooldownSeconds": 0},
)
ADDRESSES = [ip_address(f"10.9.0.{last}") for last in (1, 2)]
OWNERS = {one: AddressOwner(f"adopted-{one}", "net1", node="n1") for one in ADDRESSES}
SHM = Path("/dev/shm")


class Play:
    """Two nodes over one API server, driven by what hypothesis draws."""

    def __init__(self, data: st.DataObject, folder: Path) -> None:
        self.data = data
        self.folder = folder
        self.kube = FakeKube()
        self.line = Line()
        self.clock = FakeClock()
        self.numbers = count()
        self.tasks: list[asyncio.Task[None]] = []
        self.nodes = {name: self.boot(name) for name in ("n1", "n2")}
        self.adopted: set[Any] = set()
        self.given: dict[Any, str] = {}

    def boot(self, name: str) -> tuple[SteppedKube, KubeAddressBook]:
        api = SteppedKube(self.kube, self.line)
        book = KubeAddressBook(
            api, name, self.folder / name, self.clock, executor=Inline(), randomness=lambda: 0.5
        )
        self.tasks.append(asyncio.create_task(book.run()))
        return api, book

    def draw(self, strategy: st.SearchStrategy[Any]) -> Any:
        return self.data.draw(strategy)

    async def step(self) -> None:
        self.clock.advance(1.0)
        if self.line.waiting and self.draw(st.integers(0, 3)):
            index = self.draw(st.integers(0, len(self.line.waiting) - 1))
            is_lucky = bool(self.draw(st.integers(0, 9)))
            goes_on = self.line.waiting[index][0].is_dead or is_lucky
            self.line.let(index, Fate.ON if goes_on else Fate.BREAK)
        else:
            action = self.draw(st.sampled_from(["adopt", "claim", "claim", "claim", "kill"]))
            name = self.draw(st.sampled_from(sorted(self.nodes)))
            getattr(self, action)(name)
        await settle()

    def kill(self, name: str) -> None:
        self.nodes[name][0].is_dead = True
        self.nodes[name] = self.boot(name)

    def adopt(self, _name: str) -> None:
        address = self.draw(st.sampled_from(ADDRESSES))
        self.tasks.append(asyncio.create_task(self._adopt(*self.nodes["n1"], address)))

    async def _adopt(self, api: SteppedKube, book: KubeAddressBook, address: Any) -> None:
        try:
            refused = await book.adopt(PLANE, OWNERS[address], [address])
        except PlanesError:
            return
        if not refused and not api.is_dead:
            assert address not in self.given, (
                f"{address} is adopted, and {self.given[address]} has it"
            )
            self.adopted.add(address)

    def claim(self, name: str) -> None:
        api, book = self.nodes[name]
        owner = AddressOwner(f"c{next(self.numbers)}", "net1", node=name)
        self.tasks.append(asyncio.create_task(self._claim(api, book, owner)))

    async def _claim(self, api: SteppedKube, book: KubeAddressBook, owner: AddressOwner) -> None:
        try:
            (claimed,) = await book.claim(PLANE, owner)
        except PlanesError:
            return
        if api.is_dead:
            return
        address = ip_address(claimed.address.partition("/")[0])
        assert address not in self.adopted, f"{address} was adopted, and {owner} was given it"
        assert address not in self.given, f"{address} was given twice"
        self.given[address] = owner.container_id

    async def finish(self) -> None:
        for _ in range(400):
            if not self.line.waiting:
                break
            self.clock.advance(1.0)
            self.line.let(0)
            await settle()
        for task in self.tasks:
            if task.done() and not task.cancelled() and (error := task.exception()):
                raise error

    async def stop(self) -> None:
        self.line.is_closed = True
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


async def play(data: st.DataObject, folder: Path) -> None:
    made = Play(data, folder)
    try:
        await settle()
        for _ in range(data.draw(st.integers(10, 80))):
            await made.step()
        await made.finish()
    finally:
        await made.stop()


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck), print_blob=False)
@given(data=st.data())
def test_an_adopted_address_is_handed_out_by_nobody(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory(dir=SHM if SHM.is_dir() else None) as folder:
        asyncio.run(play(data, Path(folder)))
