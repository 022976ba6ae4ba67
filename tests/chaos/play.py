"""Play worlds: the steps, and the end at which nothing may be lost."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from planes.kube.resources import IPBLOCKS
from tests.chaos.actions import ACTIONS
from tests.chaos.daemon import MakeBook, real_book
from tests.chaos.machine import Hook, Loop
from tests.chaos.oracle import BrokenError
from tests.chaos.world import World

SHM: Final = Path("/dev/shm")
STEPS: Final = 2000
_PASSES: Final = 60
_PIECE_SECONDS: Final = 10.0
_LEAK_SECONDS: Final = 1500.0
"""The leader finds a leaked holder in two scans, five minutes apart, then looks at its node."""
_SHOWN: Final = frozenset({"holders", "lent", "asked", "wanted"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a world ended.

    Attributes:
        failure: what promise was broken; "" where none was.
        step: after how many steps.
        allocations: addresses that were handed out.
        trace: what happened, where wanted.
    """

    seed: int
    scene: str
    failure: str
    step: int
    allocations: int
    happened: Counter[str]
    trace: Sequence[str] = ()


def play(
    seed: int,
    hook: Hook,
    *,
    steps: Sequence[int] = range(STEPS),
    make_book: MakeBook = real_book,
    is_traced: bool = False,
) -> Outcome:
    """Play the world of a seed, or some of its steps."""
    folder = Path(tempfile.mkdtemp(prefix="np-chaos-", dir=SHM if SHM.is_dir() else None))
    loop = Loop(hook)
    world = World(seed, folder, hook, make_book=make_book)
    if is_traced:
        world.trace = []
    failure, done = "", 0

    async def run() -> None:
        nonlocal done
        world.begin()
        await loop.settle()
        for done, number in enumerate(steps, 1):  # noqa: B007 - it is read outside
            await _step(world, loop, random.Random(seed * 1_000_003 + number))  # noqa: S311
        await _end(world, loop)

    try:
        loop.run_until_complete(run())
    except Exception as error:
        failure = f"{type(error).__name__}: {error}"
    finally:
        loop.close()
        shutil.rmtree(folder, ignore_errors=True)
    return Outcome(
        seed,
        world.scene.name,
        failure,
        done,
        world.oracle.handed_out,
        world.happened,
        world.trace or (),
    )


async def _step(world: World, loop: Loop, rng: random.Random) -> None:
    world.rng = world.kubelets.rng = rng
    for _ in range(rng.randrange(6)):
        if world.line.waiting:
            world.let_some(rng)
            await loop.settle()
    weights = world.scene.weights
    (what,) = rng.choices([*weights], [*weights.values()])
    node = rng.choice(world.up())
    world.waits = 0.0
    ACTIONS[what](world, node, rng)
    while world.waits > 0:
        await loop.settle()
        world.advance(min(_PIECE_SECONDS, world.waits))
        world.waits -= _PIECE_SECONDS
        for _ in range(rng.randrange(24)):
            await loop.settle()
            if world.line.waiting:
                world.let_some(rng)
    world.advance(rng.random() * 0.2)
    await loop.settle()
    for dead in world.each_dead():
        world.note(f"died {dead.name} amid its work on files")
        world.restart(dead)
    world.check()


async def _end(world: World, loop: Loop) -> None:
    """Release everything, then take all there is."""
    world.is_calm = world.line.is_calm = True
    world.kubelets.calm()
    for node in world.nodes:
        node.process.dies_in = -1
        node.link.flows.set()
    await pump(world, loop, 70.0)  # claims end, strays arrive
    for node in world.nodes:
        for container in (*world.oracle.of(node.name), *node.begun):
            world.detach(node, container)
    await pump(world, loop, 200.0)
    for node in world.nodes:
        if node.begun:
            raise BrokenError(f"{node.name} never ends {[*node.begun]}")
        world.start(node.process, world.collect(node))
    await pump(world, loop, 10.0)
    for node in world.nodes:
        if held := await node.book.held_by_others(()):
            raise BrokenError(f"{node.name} still holds {held}, and all were released")
    until = world.clock.monotonic() + _LEAK_SECONDS
    while (left := _holders(world)) and world.clock.monotonic() < until:
        await pump(world, loop, 30.0)
    if left:
        raise BrokenError(f"holders without pods are never removed: {left}")
    await _take_all(world, loop)


async def _take_all(world: World, loop: Loop) -> None:
    takers = [world.nodes[0]] if world.rng.random() < 0.3 else world.nodes
    idle = 0
    for _ in range(_PASSES):
        before = world.oracle.held
        for text in world.scene.static:
            for node in takers:
                world.ask_for(node, text)
                await pump(world, loop, 0.5)
        for node in takers:
            for _ in range(8):
                world.attach(node, world.rng)
        await pump(world, loop, 10.0)
        if world.oracle.held >= world.scene.usable:
            return
        idle = idle + 1 if world.oracle.held == before else 0
        if idle == 6:
            break
        await pump(world, loop, 31.0 if idle else 0.0)
    missing = sorted(
        (t for t in world.scene.allowed if not world.oracle.is_held(t)),
        key=lambda text: (":" in text, int(ip_address(text))),
    )
    raise BrokenError(
        f"{world.oracle.held} addresses could be taken at the end, of {world.scene.usable}; lost "
        f"is one of {', '.join(missing[:20])}; blocks: {_blocks(world)}"
    )


def _holders(world: World) -> list[str]:
    """Return what is held of static blocks."""
    objects = world.kube.objects(IPBLOCKS)
    return [f"{a}: {text}" for obj in objects for a, text in (obj.get("holders") or {}).items()]


def _blocks(world: World) -> str:
    """Return the blocks as the API server has them, short."""
    lines = []
    for obj in world.kube.objects(IPBLOCKS):
        spec, rest = obj["spec"], {k: v for k, v in obj.items() if k in _SHOWN and v}
        lines.append(f"{spec['use']} {spec['cidr']} {spec.get('node', '')} {rest}")
    return "; ".join(lines)


async def pump(world: World, loop: Loop, seconds: float) -> None:
    """Let time pass without any fault, every request at once."""
    end = world.clock.monotonic() + seconds
    while True:
        await loop.settle()
        world.check()
        if world.line.waiting:
            world.line.let(0)
        elif world.clock.monotonic() >= end:
            return
        else:
            world.advance(0.5)
