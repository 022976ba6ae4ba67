"""What can happen in one step of a world, by the names that scenes give weights to."""

from __future__ import annotations

import random
from typing import Final

from tests.chaos.daemon import Node
from tests.chaos.world import World

_LATE_SECONDS: Final = 30.0
"""A request that is this late is taken as lost; API servers end requests after 60 s."""


def _attach(world: World, node: Node, rng: random.Random) -> None:
    for _ in range(rng.randint(1, 4)):
        if world.oracle.held < world.scene.crowding:
            world.attach(node, rng)


def _detach(world: World, node: Node, rng: random.Random) -> None:
    # A static pod stays for longer than others.
    held = [
        container
        for container in world.oracle.of(node.name)
        if container not in world.kubelets.mirrors or rng.random() < 0.02
    ]
    for container in rng.sample(held, min(len(held), rng.randint(1, 4))):
        world.detach(node, container)


def _kill(world: World, node: Node, rng: random.Random) -> None:
    if rng.random() < 0.5:
        node.process.dies_in = rng.randrange(40)
    else:
        world.note(f"kill {node.name}")
        world.restart(node)


def _reboot(world: World, node: Node, _rng: random.Random) -> None:
    world.note(f"reboot {node.name}")
    world.restart(node, is_reboot=True)


def _replace(world: World, node: Node, _rng: random.Random) -> None:
    world.note(f"replace {node.name}")
    world.replace(node)


def _collect(world: World, node: Node, _rng: random.Random) -> None:
    world.note(f"collect {node.name}")
    world.start(node.process, world.collect(node))


def _again(world: World, node: Node, rng: random.Random) -> None:
    """Cancel nothing, break nothing: a node's daemon is killed and comes up twice in a row."""
    world.note(f"kill {node.name} twice")
    again = world.restart(node)
    if rng.random() < 0.5:
        world.restart(again)


def _wait(world: World, _node: Node, rng: random.Random) -> None:
    seconds = rng.choice((1.0, 5.0, 31.0, 61.0, 130.0))
    world.note(f"wait {seconds}")
    if seconds > _LATE_SECONDS:
        world.line.lose_late()
    world.waits = seconds


def _cut(world: World, _node: Node, rng: random.Random) -> None:
    world.note("cut watches")
    rng.choice((world.kube.cut_watches, world.kube.end_watches, world.kube.expire))()


def _stall(world: World, node: Node, _rng: random.Random) -> None:
    world.note(f"stall {node.name}")
    node.link.stall()


def _cordon(world: World, node: Node, rng: random.Random) -> None:
    is_cordoned = rng.random() < 0.5
    world.note(f"cordon {node.name} {is_cordoned}")
    world.kubelets.cordon(node.name, is_cordoned=is_cordoned)


def _elect(world: World, _node: Node, _rng: random.Random) -> None:
    """Kill the leader: another one begins with nothing that it saw."""
    world.note("elect")
    world.leader.process.is_dead = True
    world.elect()


def _force(world: World, node: Node, _rng: random.Random) -> None:
    world.note(f"force {node.name}")
    world.kubelets.force(node.name)


def _cut_off(world: World, node: Node, _rng: random.Random) -> None:
    world.kubelets.cut(node.name)


def _vanish(world: World, node: Node, _rng: random.Random) -> None:
    world.note(f"vanish {node.name}")
    world.kubelets.vanish(node.name)


def _leave(world: World, node: Node, _rng: random.Random) -> None:
    world.note(f"leave {node.name}")
    world.kubelets.leave(node.name)


def _shut_down(world: World, node: Node, _rng: random.Random) -> None:
    world.note(f"shut {node.name} down")
    world.kubelets.shut_down(node.name)


ACTIONS: Final = {
    "attach": _attach,
    "detach": _detach,
    "kill": _kill,
    "reboot": _reboot,
    "replace": _replace,
    "collect": _collect,
    "again": _again,
    "wait": _wait,
    "cut": _cut,
    "stall": _stall,
    "cordon": _cordon,
    "elect": _elect,
    "force": _force,
    "cut off": _cut_off,
    "vanish": _vanish,
    "leave": _leave,
    "shut down": _shut_down,
}
