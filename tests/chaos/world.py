"""One world: nodes over one faulty API server, played step by step from a seed.

Each step has random numbers of its own, so that steps can be left out and the others stay as they
are. At the end everything is released, and all usable addresses are taken once more.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Coroutine, Iterable, Sequence
from ipaddress import ip_address
from itertools import count
from pathlib import Path
from typing import Any

from planes.kube.resources import PODS
from planes.model.errors import PlanesError
from planes.model.spec.plane_spec import Plane
from planes.store.protocol import AddressOwner
from tests.chaos.daemon import MakeBook, Node, Parts, real_book
from tests.chaos.kubelets import Kubelets
from tests.chaos.leader import Leader, SeenPods, counting
from tests.chaos.machine import Disk, Hook, MachineClock, Process
from tests.chaos.network import Connection, Fate, Line
from tests.chaos.oracle import Attachment, BrokenError, Oracle
from tests.chaos.scenes import IFNAME, PLANE, Scene, drawn
from tests.support.clock import FakeClock
from tests.support.kube.fake_kube import FakeKube

FAULTS = (Fate.LOST, Fate.LATE, Fate.TWICE, Fate.REFUSED)


class World:
    """Nodes, the webhook's leader, an API server, and what happens.

    Args:
        seed: everything follows from it.
        folder: for the disks; on tmpfs.
        hook: kills amid work on files.
        make_book: returns the address book of a daemon.

    Attributes:
        happened: how often what was done.
        trace: what was done, one line each, where wanted.
        kubelets: the machines, whatever their daemons do.
        leader: releases what nodes cannot; `begin` makes the first.
    """

    def __init__(
        self, seed: int, folder: Path, hook: Hook, *, make_book: MakeBook = real_book
    ) -> None:
        self._seed = seed
        self._folder = folder
        self._hook = hook
        self._make_book = make_book
        self.rng = random.Random(seed)  # noqa: S311 - so that a world can be played again
        self.scene: Scene = drawn(self.rng)
        self.kube = FakeKube()
        self.line = Line()
        self.clock = FakeClock()
        self.oracle = Oracle()
        self.happened: Counter[str] = Counter()
        self.trace: list[str] | None = None
        self.fault: BaseException | None = None
        self.is_calm = False
        self.waits = 0.0
        self._numbers = count()
        self._tasks: set[asyncio.Task[None]] = set()
        self.nodes: list[Node] = []
        self.kubelets = Kubelets(self.kube, self.clock, self)
        self.leader: Leader

    def begin(self) -> None:
        """Start all daemons; an event loop runs."""
        for number in range(self.scene.nodes):
            name = f"n{number}"
            self.kubelets.add(name)
            self.nodes.append(self.boot(name, self._folder / name))
        self.elect()

    def boot(self, name: str, state: Path) -> Node:
        """Start a daemon."""
        process, number = Process(), next(self._numbers)
        rng = random.Random(f"{self._seed}/{name}/{number}")  # noqa: S311
        skew = 0.0 if self.rng.random() < 0.7 else self.rng.uniform(-90, 90)
        is_cut = self.kubelets.of(name).is_cut
        link = Connection(self.kube, self.line, process, is_cut=is_cut)
        clock = MachineClock(self.clock, process, skew)
        disk = Disk(process, self._hook)
        book = self._make_book(Parts(link, name, state, clock, disk, rng, self._plane_of))
        node = Node(name, state, process, link, book)
        self.start(node.process, book.run() if hasattr(book, "run") else asyncio.sleep(0))
        return node

    def elect(self) -> None:
        """Begin a term of a leader; of an earlier one requests may still arrive."""
        rng = random.Random(f"{self._seed}/leader/{next(self._numbers)}")  # noqa: S311
        process = Process()
        self.leader = Leader(
            Connection(self.kube, self.line, process),
            MachineClock(self.clock, process, rng.uniform(-90, 90)),
            process,
            SeenPods(self._shown, self.scene.planes[-1], rng),
            released=counting(self.happened),
            rng=rng,
        )
        for work in self.leader.works():
            self.start(process, work)

    def _shown(self) -> Iterable[tuple[Attachment, Sequence[str]]]:
        """Return what pods have that exist in the API server."""
        unwanted = self.kubelets.unwanted()
        return [each for each in self.oracle.all() if each[0].container not in unwanted]

    def advance(self, seconds: float) -> None:
        """Let time pass, and what is due on machines happen."""
        self.clock.advance(seconds)
        self.kubelets.tick()

    def _plane_of(self, _name: str) -> Plane:
        planes = self.scene.planes
        return planes[-1] if self.is_calm else self.rng.choice(planes)

    def start(self, process: Process, work: Coroutine[Any, Any, None]) -> None:
        """Have a process do something beside all else; an error of it ends the world."""

        async def carry_out() -> None:
            try:
                await work
            except Exception as error:
                if not process.is_dead and self.fault is None:
                    self.fault = error

        task = asyncio.create_task(carry_out())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def note(self, what: str) -> None:
        """Count what happens."""
        self.happened[what.split(maxsplit=1)[0]] += 1
        if self.trace is not None:
            self.trace.append(what)

    def attach(self, node: Node, rng: random.Random) -> None:
        """Begin an ADD."""
        container = f"c{next(self._numbers)}"
        asked: list[str] = []
        if not self.is_calm and self.scene.static and rng.random() < 0.5:
            asked = rng.sample(list(self.scene.static), rng.choice((1, 1, 3)))
        plane = self.scene.planes[-1] if self.is_calm else rng.choice(self.scene.planes)
        self.add(node, container, plane, asked)

    def ask_for(self, node: Node, text: str) -> None:
        """Begin an ADD that asks for an address, unless somebody has it."""
        if not self.oracle.is_held(text):
            self.add(node, f"c{next(self._numbers)}", self.scene.planes[-1], [text])

    def add(self, node: Node, container: str, plane: Plane, asked: list[str]) -> None:
        """Begin the ADD of a container; several asked addresses are candidates."""
        if self.rng.random() < self.scene.mirrors:
            self.kubelets.mirrors[container] = f"of-{container}"
        uid = self.kubelets.put_pod(container, node.name)
        owner = AddressOwner(container, IFNAME, "ns", container, uid, node.name)
        self.note(f"attach {node.name} {container} {asked}")
        node.begun[container] = None
        self.start(node.process, self._add(node, owner, plane, asked))

    async def _add(self, node: Node, owner: AddressOwner, plane: Plane, asked: list[str]) -> None:
        container = owner.container_id
        parsed = [ip_address(text) for text in asked]
        wanted, candidates = (parsed, []) if len(parsed) == 1 else ([], parsed)
        try:
            claimed = await node.book.claim(plane, owner, wanted=wanted, candidates=candidates)
        except PlanesError as error:
            self.note(f"refused {node.name} {container}: {error}")
            await self._del(node, container)
            return
        if node.process.is_dead:
            return
        self.note(f"attached {node.name} {container} {[one.address for one in claimed]}")
        allowed = asked or self.scene.dynamic
        families = 1 if asked else len(plane.families)
        self.oracle.hand_out(
            Attachment(node.name, container), claimed, allowed=allowed, families=families
        )
        node.begun.pop(container, None)

    def detach(self, node: Node, container: str) -> None:
        """Begin a DEL: the interface is gone already."""
        self.note(f"detach {node.name} {container}")
        self.oracle.leave(Attachment(node.name, container))
        node.begun[container] = None
        self.start(node.process, self._del(node, container))

    async def _del(self, node: Node, container: str) -> None:
        try:
            await node.book.release(PLANE, container, IFNAME)
        except PlanesError as error:
            self.note(f"unreleased {node.name} {container}: {error}")
            return
        if not node.process.is_dead:
            node.begun.pop(container, None)
            self.kube.remove_object(PODS, container, "ns")

    async def collect(self, node: Node) -> None:
        """Release what the node's records hold for containers that nothing knows."""
        known = [*self.oracle.of(node.name), *node.begun]
        for held in await node.book.held_by_others([(one, IFNAME) for one in known]):
            container = held.owner.container_id
            if container in known:
                raise BrokenError(f"{held} is reported, and it is known")
            # An ADD may have begun since.
            if container not in node.begun and container not in self.oracle.of(node.name):
                await node.book.give_back(held)

    # How nodes end.

    def restart(self, node: Node, *, is_reboot: bool = False) -> Node:
        """Kill a daemon, and start it again on its disk."""
        node.process.is_dead = True
        fresh = self.boot(node.name, node.state)
        self.nodes[self.nodes.index(node)] = fresh
        gone = [*node.begun]
        if is_reboot:
            gone += self.oracle.of(node.name)
        for container in dict.fromkeys(gone):
            self.detach(fresh, container)
        return fresh

    def replace(self, node: Node) -> None:
        """Set a machine up anew under its name: disk and pods are gone."""
        for container in self.power_off(node.name):
            self.kube.remove_object(PODS, container, "ns")
        node.begun.clear()
        self.power_on(node.name, is_anew=True)

    def node(self, name: str) -> Node:
        """Return a machine by its name."""
        return next(node for node in self.nodes if node.name == name)

    def running(self, name: str) -> Sequence[str]:
        """Return the containers on a machine that are attached."""
        return self.oracle.of(name)

    def stop(self, name: str, container: str) -> None:
        """Stop a container whose pod is gone."""
        self.detach(self.node(name), container)

    def power_off(self, name: str) -> Sequence[str]:
        """End all that runs on a machine; return the containers whose pods were there."""
        self.note(f"off {name}")
        node = self.node(name)
        node.process.is_dead = True
        node.begun.update(dict.fromkeys(self.oracle.of(name)))
        for container in node.begun:
            self.oracle.leave(Attachment(name, container))
        return (*node.begun,)

    def power_on(self, name: str, *, is_anew: bool) -> None:
        """Boot a machine, on its disk or set up anew."""
        self.note(f"on {name} {is_anew}")
        node = self.node(name)
        if not is_anew:
            self.restart(node)
            return
        state = self._folder / f"{name}-{next(self._numbers)}"
        self.nodes[self.nodes.index(node)] = self.boot(name, state)

    def wire(self, name: str, *, is_cut: bool) -> None:
        """Cut a machine off, or connect it."""
        self.note(f"{'cut-off' if is_cut else 'healed'} {name}")
        self.node(name).link.cut(is_cut=is_cut)

    def each_dead(self) -> Iterable[Node]:
        """Return the nodes whose daemons died amid their work on files."""
        return [node for node in self.up() if node.process.is_dead]

    def up(self) -> Sequence[Node]:
        """Return the machines that run."""
        return [node for node in self.nodes if not self.kubelets.of(node.name).is_off]

    # Requests.

    def let_some(self, rng: random.Random) -> None:
        """Decide about one request that waits at a stop; about the leader's sooner: it is quick."""
        every = [who is self.leader.process for who, _ in self.line.waiting]
        leaders = [index for index, is_leaders in enumerate(every) if is_leaders]
        index = rng.choice(leaders if leaders and rng.random() < 0.5 else range(len(every)))
        fate = rng.choice(FAULTS) if rng.randrange(1000) < self.scene.faults else Fate.ON
        if fate is not Fate.ON:
            self.note(f"fault {fate.value}")
        self.line.let(index, fate)

    def check(self) -> None:
        """Raise what went wrong."""
        if self.fault is not None:
            raise self.fault
