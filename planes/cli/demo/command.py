"""The `netplane demo` command: checks, acts in order, the verdict, and always the clean-up."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from planes.cli.command import SHIM, Command, Context
from planes.cli.demo import (
    bridge_act,
    clearing_act,
    ipvlan_act,
    leftovers,
    outage_act,
    pods_act,
    refusals_act,
    stage,
    traffic_act,
)
from planes.cli.demo.verdict import Verdict
from planes.cli.demo.world import World
from planes.cli.pods import shim_path
from planes.model.errors import Denied, PlanesError, Unavailable

Act = Callable[[World, Verdict], None]

ACTS: Final[tuple[tuple[str, Act], ...]] = (
    ("Two namespaces are labelled, three applications deployed", pods_act.play),
    ("Traffic", traffic_act.play),
    ("Refusals", refusals_act.play),
    ("Outages", outage_act.play),
    ("A Multus user's ipvlan network", ipvlan_act.play),
    ("One host without Kubernetes: bridge networks", bridge_act.play),
    ("Everything is removed", clearing_act.play),
)


def play(context: Context) -> int:
    """Play the demo; 1 where something did not hold."""
    _require()
    with leftovers.only_demo():
        return _play(context)


def _play(context: Context) -> int:
    started = time.monotonic()
    screen = context.screen
    verdict = Verdict(screen)
    leftovers.clear()
    before = clearing_act.machine(())
    with _world(context) as world:
        screen.say("Two nodes, as network namespaces of this machine", "bold")
        world.open()
        screen.say("  node1 and node2: eth0 underlay, eth1 to eth3 for planes, cbr0 by Flannel")
        screen.say("  the webhook serves TLS; a daemon runs in each node")
        for title, act in ACTS:
            screen.say("")
            screen.say(title, "bold")
            _play_act(title, act, world, verdict)
    after = clearing_act.machine(world.made)
    changed = sorted(before ^ after)
    verdict.prove(
        "no interface and no namespace is left on the machine",
        holds=not changed,
        seen=", ".join(changed),
    )
    return verdict.conclude(time.monotonic() - started)


def _play_act(title: str, act: Act, world: World, verdict: Verdict) -> None:
    try:
        act(world, verdict)
    except PlanesError as error:
        verdict.prove(title, holds=False, seen=str(error))


@contextmanager
def _world(context: Context) -> Iterator[World]:
    """A world that is closed whatever happens, even where Ctrl-C is pressed twice."""
    world = World(context.screen, shim_path(context))
    try:
        yield world
    finally:
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        for number in handlers:
            signal.signal(number, signal.SIG_IGN)
        try:
            world.close()
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)


def _require() -> None:
    """Make sure that the demo can run here.

    Raises:
        Denied: this is not root.
        Unavailable: a tool or a kernel feature is missing.
    """
    if os.geteuid() != 0:
        raise Denied(
            "cannot run the demo as an ordinary user: it makes network namespaces",
            remedy="run it as root: sudo make demo",
        )
    missing = [tool for tool in ("ip", "nsenter") if shutil.which(tool) is None]
    if missing:
        raise Unavailable(
            f"cannot run the demo: {' and '.join(missing)} not found",
            remedy="apt-get install iproute2 util-linux",
        )
    try:
        has_macvlan = stage.kernel_has("macvlan")
    except PlanesError as error:
        raise Unavailable(
            f"cannot run the demo: this machine makes no network namespaces ({error.message})",
            remedy="run it as root of a machine, not of an unprivileged container",
        ) from error
    if not has_macvlan:
        raise Unavailable(
            "cannot run the demo: this kernel has no macvlan",
            remedy="use a kernel with CONFIG_MACVLAN",
        )


DEMO: Final = Command(
    words=("demo",),
    help="show it all, for real, on this machine",
    run=play,
    options=(SHIM,),
)
