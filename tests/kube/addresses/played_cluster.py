"""A cluster of nodes over one API server, whose requests and events a test plays in any order.

Every request can be overtaken by any other, break, or arrive after its node gave it up or was
killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, ip_network
from itertools import combinations, count
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import strategies as st

from planes.kube.addresses.address_book import KubeAddressBook
from planes.kube.resources import IPBLOCKS, PODS
from planes.model.errors import PlanesError
from planes.model.spec.plane_spec import Plane
from planes.store.protocol import AddressOwner
from tests.kube.addresses.stepped import Fate, Inline, Line, SteppedKube, settle
from tests.support.clock import FakeClock
from tests.support.kube.fake_kube import FakeKube
from tests.support.kube.nodes import shut_down
from webhook.controller.holders import HolderKeeper

NODES = ("n1", "n2", "n3")
FATES = {0: Fate.BREAK, 1: Fate.LATE}
SHM = Path("/dev/shm")


@dataclass(slots=True)
class Node:
    """A machine: its disk, its daemon, its sandboxes."""

    name: str
    state: Path
    api: SteppedKube
    book: KubeAddressBook
    attached: dict[str, str] = field(default_factory=dict)
    """Address by container ID."""
    begun: set[str] = field(default_factory=set)
    """Container IDs of claims without an answer: the journal has them."""


class Cluster:
    """Nodes over one API server, driven by what hypothesis draws.

    Attributes:
        planes: generations of the plane that nodes may see.
        static: static addresses that are asked for, by generation.
        actions: what happens, as often as each is listed.
        keeps_disks: a killed daemon may come up again on the same machine.
        marks_lost: an administrator marks a lost machine as out of service.
        longest_step: seconds that pass with each step, at most.
        always_asks: every claim asks for a static address.
    """

    planes: ClassVar[tuple[Plane, ...]]
    static: ClassVar[Mapping[int, tuple[str, ...]]] = {}
    actions: ClassVar[list[str]]
    keeps_disks: ClassVar[bool] = True
    marks_lost = True
    longest_step: ClassVar[int] = 1
    always_asks: ClassVar[bool] = False

    def __init__(self, data: st.DataObject, folder: Path) -> None:
        self.data = data
        self.folder = folder
        self.kube = FakeKube()
        self.line = Line()
        self.clock = FakeClock()
        self.numbers = count()
        self.tasks: list[asyncio.Task[None]] = []
        self.freeing: set[str] = set()
        self.nodes = [self.boot(name, folder / name) for name in NODES]
        leader = SteppedKube(self.kube, self.line)
        self.leader = HolderKeeper(leader, self.clock, randomness=lambda: 0.5, failed=lambda: None)

    def boot(self, name: str, state: Path) -> Node:
        api = SteppedKube(self.kube, self.line)
        rng = random.Random(name)  # noqa: S311 - so that a play can be repeated
        book = KubeAddressBook(
            api, name, state, self.clock, executor=Inline(), randomness=rng.random
        )
        self.tasks.append(asyncio.create_task(book.run()))
        return Node(name, state, api, book)

    def draw(self, strategy: st.SearchStrategy[Any]) -> Any:
        return self.data.draw(strategy)

    async def step(self) -> None:
        """Mostly let a waiting request go on; now and then something new happens."""
        longest = self.longest_step
        self.clock.advance(float(self.draw(st.integers(1, longest)) if longest > 1 else 1))
        if self.line.waiting and self.draw(st.integers(0, 3)):
            self.let_one()
        else:
            action = self.draw(st.sampled_from(self.actions))
            node = self.draw(st.sampled_from(range(len(self.nodes))))
            getattr(self, action)(node)
        await settle()

    def let_one(self) -> None:
        index = self.draw(st.integers(0, len(self.line.waiting) - 1))
        api = self.line.waiting[index][0]
        fate = Fate.ON if api.is_dead else FATES.get(self.draw(st.integers(0, 15)), Fate.ON)
        self.line.let(index, fate)

    def claim(self, index: int) -> None:
        node, number = self.nodes[index], next(self.numbers)
        generation = 0
        if len(self.planes) > 1 and not self.always_asks:
            generation = self.draw(st.sampled_from(range(len(self.planes))))
        pod = self.kube.put_object(
            PODS, {"metadata": {"name": f"p{number}", "namespace": "ns"}, "spec": {}}
        )
        uid = pod["metadata"]["uid"]
        owner = AddressOwner(f"c{number}", "net1", "ns", f"p{number}", uid, node.name)
        wanted = []
        if generation in self.static and (self.always_asks or self.draw(st.booleans())):
            few = self.static[generation][:2]
            wanted = [IPv4Address(self.draw(st.sampled_from(few)))]
        node.begun.add(owner.container_id)
        work = self._claim(node, self.planes[generation], owner, wanted)
        self.tasks.append(asyncio.create_task(work))

    async def _claim(
        self, node: Node, plane: Plane, owner: AddressOwner, wanted: list[IPv4Address]
    ) -> None:
        try:
            (claimed,) = await node.book.claim(plane, owner, wanted=wanted)
        except PlanesError:
            await self._detach(node, owner.container_id)
            return
        if node.api.is_dead:
            return
        address = claimed.address.partition("/")[0]
        for other in self.nodes:
            for container, theirs in other.attached.items():
                assert theirs != address, (
                    f"{address} for {owner.container_id} on {node.name}, but {container} on "
                    f"{other.name} has it"
                )
        node.begun.discard(owner.container_id)
        node.attached[owner.container_id] = address

    def release(self, index: int) -> None:
        node = self.nodes[index]
        if node.attached:
            container = self.draw(st.sampled_from(sorted(node.attached)))
            del node.attached[container]
            self.tasks.append(asyncio.create_task(self._detach(node, container)))

    async def _detach(self, node: Node, container: str) -> None:
        node.begun.add(container)
        await node.book.release("business", container, "net1")
        if not node.api.is_dead:
            node.begun.discard(container)
            self.kube.remove_object(PODS, f"p{container[1:]}", "ns")

    def free(self, _index: int) -> None:
        """Have the leader look at a static block in which a holder was found dead."""
        objects = self.kube.objects(IPBLOCKS)
        wanting = {obj["metadata"]["name"] for obj in objects if obj.get("wanted")}
        # The leader's queue does not look at one twice at the same time.
        if blocks := sorted(wanting - self.freeing):
            name = self.draw(st.sampled_from(blocks))
            self.freeing.add(name)
            self.tasks.append(asyncio.create_task(self._free(name)))

    async def _free(self, name: str) -> None:
        try:
            with contextlib.suppress(PlanesError):
                await self.leader.reconcile(name)
        finally:
            self.freeing.discard(name)

    def kill(self, index: int) -> None:
        """Kill a daemon (-9): its sandboxes live on; or of a machine that is set up anew."""
        old = self.nodes[index]
        old.api.is_dead = True
        if self.keeps_disks and self.draw(st.booleans()):
            self.nodes[index] = node = self.boot(old.name, old.state)
            node.attached = old.attached
            for container in sorted(old.begun):  # what the journal says was begun is undone
                self.tasks.append(asyncio.create_task(self._detach(node, container)))
            return
        if self.marks_lost:
            shut_down(self.kube, old.name)
        for container in (*old.attached, *old.begun):
            self.kube.remove_object(PODS, f"p{container[1:]}", "ns")
        state = self.folder / f"{old.name}-{next(self.numbers)}"
        self.nodes[index] = self.boot(old.name, state)

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
        every = [*self.tasks, *self.line.strays]
        for task in every:
            task.cancel()
        await asyncio.gather(*every, return_exceptions=True)


def play(
    kind: Callable[[st.DataObject, Path], Cluster], data: st.DataObject, steps: tuple[int, int]
) -> Cluster:
    """Play a cluster for a drawn number of steps; return it as it is then."""

    async def run(folder: Path) -> Cluster:
        cluster = kind(data, folder)
        try:
            await settle()
            for _ in range(data.draw(st.integers(*steps))):
                await cluster.step()
            await cluster.finish()
            specs = [obj["spec"] for obj in cluster.kube.objects(IPBLOCKS)]
            networks = [ip_network(spec["cidr"]) for spec in specs if spec["use"] == "Node"]
            assert not [pair for pair in combinations(networks, 2) if pair[0].overlaps(pair[1])]
        finally:
            await cluster.stop()
        return cluster

    with tempfile.TemporaryDirectory(dir=SHM if SHM.is_dir() else None) as folder:
        return asyncio.run(run(Path(folder)))
