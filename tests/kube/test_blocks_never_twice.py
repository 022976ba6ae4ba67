"""No address twice in a cluster, whatever nodes see of the plane and whenever they are killed.

Nodes see different generations of one plane: other block sizes, subnets, static ranges. Every
request can be overtaken by any other, break, or arrive after its node was killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import tempfile
from dataclasses import dataclass, field
from ipaddress import IPv4Address, ip_network
from itertools import combinations, count
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from planes.kube.address_book import KubeAddressBook
from planes.kube.resources import IPBLOCKS, PODS
from planes.model.errors import PlanesError
from planes.store.protocol import AddressOwner
from tests.kube.stepped import Inline, Line, SteppedKube, settle
from tests.support.clock import FakeClock
from tests.support.kube import FakeKube
from tests.support.planes import make_plane
from webhook.controller.holders import HolderKeeper

NODES = ("n1", "n2", "n3")
GENERATIONS = (
    make_plane(subnets=[{"cidr": "10.9.0.0/29"}]),
    make_plane(
        subnets=[{"cidr": "10.9.0.0/28", "staticRanges": ["10.9.0.2-10.9.0.5"]}],
        staticIPs={"allow": "Any"},
    ),
    make_plane(
        subnets=[{"cidr": "10.9.0.0/28", "ranges": ["10.9.0.3-10.9.0.9"]}],
        staticIPs={"reservations": [{"ip": "10.9.0.6", "namespace": "ns"}]},
        ipam={"blockSize": 29},
    ),
    make_plane(subnets=[{"cidr": "10.9.0.0/27", "ranges": ["10.9.0.2/31", "10.9.0.4/30"]}]),
)
STATIC = {1: ("10.9.0.2", "10.9.0.3", "10.9.0.5"), 2: ("10.9.0.6",)}
ACTIONS = ["claim"] * 3 + ["release", "kill", "free"]
DYING = ["claim"] * 4 + ["kill", "kill"] + ["free"] * 4
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

    Args:
        is_dying: two static addresses are wanted by all, and machines are lost for good.
    """

    def __init__(self, data: st.DataObject, folder: Path, *, is_dying: bool = False) -> None:
        self.is_dying = is_dying
        self.data = data
        self.folder = folder
        self.kube = FakeKube()
        self.line = Line()
        self.clock = FakeClock()
        self.numbers = count()
        self.tasks: list[asyncio.Task[None]] = []
        self.nodes = [self.boot(name, folder / name) for name in NODES]
        leader = SteppedKube(self.kube, self.line)
        self.leader = HolderKeeper(leader, self.clock, chance=lambda: 0.5, failed=lambda: None)

    def boot(self, name: str, state: Path) -> Node:
        api = SteppedKube(self.kube, self.line)
        rng = random.Random(name)  # noqa: S311 - so that a play can be repeated
        book = KubeAddressBook(api, name, state, self.clock, executor=Inline(), rng=rng)
        self.tasks.append(asyncio.create_task(book.run()))
        return Node(name, state, api, book)

    def draw(self, strategy: st.SearchStrategy[Any]) -> Any:
        return self.data.draw(strategy)

    async def step(self) -> None:
        """Mostly let a waiting request go on; now and then something new happens."""
        self.clock.advance(1.0)
        if self.line.waiting and self.draw(st.integers(0, 3)):
            self.let_one()
        else:
            action = self.draw(st.sampled_from(DYING if self.is_dying else ACTIONS))
            node = self.draw(st.sampled_from(range(len(self.nodes))))
            getattr(self, action)(node)
        await settle()

    def let_one(self) -> None:
        index = self.draw(st.integers(0, len(self.line.waiting) - 1))
        api = self.line.waiting[index][0]
        self.line.let(index, through=api.is_dead or bool(self.draw(st.integers(0, 9))))

    def claim(self, index: int) -> None:
        node, number = self.nodes[index], next(self.numbers)
        generation = 1 if self.is_dying else self.draw(st.sampled_from(range(len(GENERATIONS))))
        pod = self.kube.put_object(
            PODS, {"metadata": {"name": f"p{number}", "namespace": "ns"}, "spec": {}}
        )
        uid = pod["metadata"]["uid"]
        owner = AddressOwner(f"c{number}", "net1", "ns", f"p{number}", uid, node.name)
        wanted = []
        if generation in STATIC and (self.is_dying or self.draw(st.booleans())):
            few = STATIC[generation][:2]
            wanted = [IPv4Address(self.draw(st.sampled_from(few)))]
        node.begun.add(owner.container_id)
        work = self._claim(node, GENERATIONS[generation], owner, wanted)
        self.tasks.append(asyncio.create_task(work))

    async def _claim(
        self, node: Node, plane: Any, owner: AddressOwner, wanted: list[IPv4Address]
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
        blocks = [obj["metadata"]["name"] for obj in objects if obj.get("wanted")]
        if blocks:
            name = self.draw(st.sampled_from(blocks))
            self.tasks.append(asyncio.create_task(self._free(name)))

    async def _free(self, name: str) -> None:
        with contextlib.suppress(PlanesError):
            await self.leader.look(name)

    def kill(self, index: int) -> None:
        """Kill a daemon (-9): its sandboxes live on; or of a machine that is set up anew."""
        old = self.nodes[index]
        old.api.is_dead = True
        if not self.is_dying and self.draw(st.booleans()):
            self.nodes[index] = node = self.boot(old.name, old.state)
            node.attached = old.attached
            for container in sorted(old.begun):  # what the journal says was begun is undone
                self.tasks.append(asyncio.create_task(self._detach(node, container)))
            return
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
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


async def play(data: st.DataObject, folder: Path, *, is_dying: bool = False) -> None:
    cluster = Cluster(data, folder, is_dying=is_dying)
    try:
        await settle()
        for _ in range(data.draw(st.integers(80, 160) if is_dying else st.integers(10, 60))):
            await cluster.step()
        await cluster.finish()
        specs = [obj["spec"] for obj in cluster.kube.objects(IPBLOCKS)]
        networks = [ip_network(spec["cidr"]) for spec in specs if spec["use"] == "Node"]
        assert not [pair for pair in combinations(networks, 2) if pair[0].overlaps(pair[1])]
    finally:
        await cluster.stop()


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck), print_blob=False)
@given(data=st.data())
def test_no_address_is_held_twice(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory(dir=SHM if SHM.is_dir() else None) as folder:
        asyncio.run(play(data, Path(folder)))


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck), print_blob=False)
@given(data=st.data())
def test_no_static_address_of_a_lost_machine_is_passed_on_twice(data: st.DataObject) -> None:
    """The leader takes dead holders out while nodes claim, release and come up anew."""
    with tempfile.TemporaryDirectory(dir=SHM if SHM.is_dir() else None) as folder:
        asyncio.run(play(data, Path(folder), is_dying=True))
