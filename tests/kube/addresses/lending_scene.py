"""Daemons of some nodes on one API server in memory, and a clock that runs while they work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from planes.kube.addresses.address_book import KubeAddressBook
from planes.kube.resources import IPBLOCKS
from planes.model.errors import JsonObject
from planes.model.events import Event
from planes.model.spec.plane_spec import Plane
from planes.store.protocol import AddressOwner
from tests.kube.addresses.stepped import Inline
from tests.support.clock import FakeClock
from tests.support.kube.fake_kube import FakeKube
from tests.support.planes import make_plane

PLANE = make_plane(subnets=[{"cidr": "10.9.0.0/25", "gateway": "10.9.0.1"}])
"""Eight blocks of 16 addresses, 125 of the 128 of use."""
TWO = make_plane(subnets=[{"cidr": "10.9.0.0/29"}], ipam={"blockSize": 30})
"""Two blocks of three addresses."""


class Nodes:
    """Daemons of some nodes on one API server, and a clock that runs while they work."""

    def __init__(self, state: Path, plane: Plane = PLANE) -> None:
        self.kube = FakeKube()
        self.clock = FakeClock()
        self.state = state
        self.plane = plane
        self.events: list[Event] = []
        self.books: dict[str, KubeAddressBook] = {}
        self.runs: dict[str, asyncio.Task[None]] = {}
        self.count = 0

    def start(self, node: str) -> KubeAddressBook:
        async def emit(event: Event) -> None:
            self.events.append(event)

        book = KubeAddressBook(
            self.kube,
            node,
            self.state / node,
            self.clock,
            executor=Inline(),  # the clock runs on whether threads have come to it or not
            plane_of=lambda _name: self.plane,
            emit=emit,
        )
        self.books[node] = book
        self.runs[node] = asyncio.create_task(book.run())
        return book

    async def stop(self, *nodes: str) -> None:
        for node in nodes or tuple(self.runs):
            run = self.runs.pop(node)
            run.cancel()
            await asyncio.gather(run, return_exceptions=True)

    async def take(self, node: str, plane: Plane | None = None) -> str:
        """Attach a pod; return its address. Time passes while it waits."""
        self.count += 1
        who = AddressOwner(f"c{self.count}", "net1", "ns", f"p{self.count}", "u", node)
        claim = asyncio.ensure_future(self.books[node].claim(plane or self.plane, who))
        await self.until(claim.done, 0.05)
        return claim.result()[0].address.partition("/")[0]

    async def release(self, node: str, number: int) -> None:
        await self.books[node].release("business", f"c{number}", "net1")

    async def until(self, is_so: Callable[[], bool], step: float = 1.0) -> None:
        """Let time pass until something is so."""
        for _ in range(2000):
            if is_so():
                return
            self.clock.advance(step)
            await asyncio.sleep(0.002)
        raise AssertionError("it never came to be so")

    async def wait(self, seconds: float) -> None:
        end = self.clock.monotonic() + seconds
        await self.until(lambda: self.clock.monotonic() >= end)

    def blocks(self, node: str = "") -> list[JsonObject]:
        found = [obj for obj in self.kube.objects(IPBLOCKS) if obj["spec"]["use"] == "Node"]
        return [obj for obj in found if node in {"", obj["spec"]["node"]}]

    def borrowed(self) -> list[str]:
        return [a for obj in self.kube.objects(IPBLOCKS) for a in obj.get("holders") or {}]


@asynccontextmanager
async def running(state: Path, *names: str, plane: Plane = PLANE) -> AsyncIterator[Nodes]:
    nodes = Nodes(state, plane)
    for name in names:
        nodes.start(name)
    try:
        yield nodes
    finally:
        await nodes.stop()
