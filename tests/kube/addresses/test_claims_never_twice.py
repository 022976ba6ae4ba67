"""A claim has one address, and its pods one after the other, in whatever order requests arrive.

Pods of two nodes name the same few claims, other pods ask for the same few static addresses, claims
are deleted and made anew, the leader scans, daemons are killed and come back on their disks, and
requests break or arrive when nobody waits for them any more.

No address is held twice if the leader releases after one scan, as a claim that is gone never comes
back. That it looks twice is a promise of its own, and checked as such.
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
from planes.kube.resources import IPAM_CLAIMS, IPBLOCKS, Resource
from planes.model.errors import JsonObject, NotFound, PlanesError
from planes.store.protocol import AddressOwner, ClaimReference
from tests.kube.addresses.stepped import Fate, Inline, Line, SteppedKube, settle
from tests.support.clock import FakeClock
from tests.support.kube.fake_kube import FakeKube
from tests.support.planes import make_plane
from webhook.controller.kept_for_claims import KeptForClaims

PLANE = make_plane(
    subnets=[{"cidr": "10.9.0.0/24", "staticRanges": ["10.9.0.200-10.9.0.202"]}],
    ipam={"mode": "Plane", "lifecycle": "Persistent"},
    staticIPs={"allow": "Any"},
)
ADDRESSES = [ip_address(f"10.9.0.{last}") for last in (200, 201, 202)]
SHM = Path("/dev/shm")


class LeadersKube(SteppedKube):
    """The leader's connection; notes what its live reads of claims showed.

    Attributes:
        scan: the number of the scan that runs.
        shown: scan, name and claim of each read; None where there was none.
    """

    def __init__(self, kube: FakeKube, line: Line) -> None:
        super().__init__(kube, line)
        self.scan = 0
        self.shown: list[tuple[int, str, JsonObject | None]] = []

    async def get(self, resource: Resource, name: str, **more: Any) -> JsonObject:
        found: JsonObject | None = None
        try:
            found = await super().get(resource, name, **more)
        except NotFound:
            if resource is IPAM_CLAIMS:
                self.shown.append((self.scan, name, None))
            raise
        if resource is IPAM_CLAIMS:
            self.shown.append((self.scan, name, found))
        return found

    def scans_without(self, address: str, name: str, uid: str) -> int:
        """Count the scans that saw that a claim is gone, or has another address."""
        return len(
            {
                scan
                for scan, read, shown in self.shown
                if read == name and _is_over(address, uid, shown)
            }
        )


def _is_over(address: str, uid: str, shown: JsonObject | None) -> bool:
    if shown is None or shown["metadata"]["uid"] != uid:
        return True
    ips = [text.partition("/")[0] for text in (shown.get("status") or {}).get("ips") or ()]
    return bool(ips) and address not in ips


class Play:
    """Two nodes and a leader over one API server, driven by what hypothesis draws."""

    def __init__(self, data: st.DataObject, folder: Path) -> None:
        self.data = data
        self.folder = folder
        self.kube = FakeKube()
        self.line = Line()
        self.clock = FakeClock()
        self.numbers = count()
        self.tasks: list[asyncio.Task[None]] = []
        self.nodes = {name: self.boot(name) for name in ("n1", "n2")}
        self.leaders = LeadersKube(self.kube, self.line)
        self.leader = KeptForClaims(self.leaders, self.clock)
        self.in_blocks: set[tuple[str, str]] = set()
        self.scan: asyncio.Task[None] | None = None
        self.given: dict[Any, AddressOwner] = {}
        self.kept: dict[str, Any] = {}
        for name in ("a", "b"):
            self.make(name)

    def boot(self, name: str) -> tuple[SteppedKube, KubeAddressBook]:
        api = SteppedKube(self.kube, self.line)
        book = KubeAddressBook(
            api, name, self.folder / name, self.clock, executor=Inline(), randomness=lambda: 0.5
        )
        self.tasks.append(asyncio.create_task(book.run()))
        return api, book

    def draw(self, strategy: st.SearchStrategy[Any]) -> Any:
        return self.data.draw(strategy)

    def make(self, name: str) -> None:
        meta = {"name": name, "namespace": "ns"}
        spec = {"network": PLANE.name, "interface": "net1"}
        self.kube.put_object(IPAM_CLAIMS, {"metadata": meta, "spec": spec})

    def uid(self, name: str) -> str:
        found = self.kube.object(IPAM_CLAIMS, name, "ns")
        return "" if found is None else str(found["metadata"]["uid"])

    async def step(self) -> None:
        self.clock.advance(1.0)
        if self.line.waiting and self.draw(st.integers(0, 3)):
            index = self.draw(st.integers(0, len(self.line.waiting) - 1))
            fate = self.draw(st.sampled_from([Fate.ON] * 8 + [Fate.BREAK, Fate.LATE]))
            self.line.let(index, Fate.ON if self.line.waiting[index][0].is_dead else fate)
        else:
            actions = ["claim"] * 5 + ["plain", "plain", "end", "end", "kill", "anew", "look"]
            name = self.draw(st.sampled_from(sorted(self.nodes)))
            getattr(self, self.draw(st.sampled_from(actions)))(name)
            if self.draw(st.booleans()):
                await self.calm()
        await settle()
        self.see_blocks()

    def see_blocks(self) -> None:
        """Compare what blocks keep with what they kept before."""
        now = {
            (address, text)
            for obj in self.kube.objects(IPBLOCKS)
            for address, text in (obj.get("claims") or {}).items()
        }
        for address, text in self.in_blocks - now:
            _, name, uid = text.split("/")
            scans = self.leaders.scans_without(address, name, uid)
            assert scans > 1, f"{address} was released for {text} after {scans} scans"
        self.in_blocks = now

    async def calm(self) -> None:
        """Let requests go on in their order, until no more come."""
        for _ in range(60):
            await settle()
            if not self.line.waiting:
                return
            self.line.let(0)

    def kill(self, name: str) -> None:
        self.nodes[name][0].is_dead = True
        self.nodes[name] = self.boot(name)

    def anew(self, _node: str) -> None:
        """Delete a claim, and create another one of its name."""
        name = self.draw(st.sampled_from(["a", "b"]))
        self.kept.pop(self.uid(name), None)
        self.kube.remove_object(IPAM_CLAIMS, name, "ns")
        self.make(name)

    def look(self, _node: str) -> None:
        if self.scan is None or self.scan.done():
            self.scan = asyncio.create_task(self._look())
            self.tasks.append(self.scan)

    async def _look(self) -> None:
        self.leaders.scan += 1
        try:
            await self.leader.scan()
        except PlanesError:
            return

    def claim(self, node: str) -> None:
        name = self.draw(st.sampled_from(["a", "b"]))
        self.tasks.append(asyncio.create_task(self._take(node, name)))

    def plain(self, node: str) -> None:
        self.tasks.append(asyncio.create_task(self._take(node, "")))

    async def _take(self, node: str, name: str) -> None:
        api, book = self.nodes[node]
        owner = AddressOwner(f"c{next(self.numbers)}", "net1", "ns", node=node)
        before = self.uid(name)
        reference = ClaimReference(name, (PLANE.name,), 100) if name else None
        try:
            (claimed,) = await book.claim(
                PLANE, owner, candidates=() if name else ADDRESSES, reference=reference
            )
        except PlanesError:
            await self._release(book, owner)  # as the DEL that follows
            return
        if api.is_dead:
            return
        address = ip_address(claimed.address.partition("/")[0])
        assert address not in self.given, f"{address}: {owner} and {self.given[address]}"
        self.given[address] = owner
        if not name:
            assert address not in self.kept.values(), f"{address} is kept"
        elif before == self.uid(name):
            assert self.kept.setdefault(before, address) == address, "another address"

    def end(self, _node: str) -> None:
        if not self.given:
            return
        address = self.draw(st.sampled_from(sorted(self.given)))
        owner = self.given.pop(address)
        _, book = self.nodes[owner.node]
        self.tasks.append(asyncio.create_task(self._release(book, owner)))

    async def _release(self, book: KubeAddressBook, owner: AddressOwner) -> None:
        await book.release(PLANE.name, owner.container_id, owner.interface)

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
        for _ in range(data.draw(st.integers(10, 120))):
            await made.step()
        await made.finish()
    finally:
        await made.stop()


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), print_blob=False)
@given(data=st.data())
def test_a_claim_has_one_address_and_one_pod_at_a_time_has_it(data: st.DataObject) -> None:
    """Nobody without the claim gets it while the claim exists."""
    with tempfile.TemporaryDirectory(dir=SHM if SHM.is_dir() else None) as folder:
        asyncio.run(play(data, Path(folder)))
