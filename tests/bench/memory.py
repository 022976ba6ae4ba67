"""The daemon's memory: after its start, and around attaching and detaching 500 pods."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.bench.networks import daemon
from tests.bench.nodes import crew, node, require
from tests.bench.processes import resident_mebibytes
from tests.bench.table import Goal, Row, Side, published

_AT_ONCE = 8
_PODS = 500
_WARM_UP = 100
_IDLE_SECONDS = 1.0
_IDLE = Goal("<= 90 MiB", 90.0)
_FLAT = Goal("flat: <= 1.02 x before", 1.02)


def bench(folder: Path, scale: float, say: Callable[[str], None]) -> Iterable[Row]:
    """Measure.

    Raises:
        SkippedError: not root, or the kernel or the plugins lack something.
    """
    require("bridge", "macvlan", "portmap", "host-local")
    pods = max(_WARM_UP, round(_PODS * scale))
    with (
        node(_AT_ONCE) as made,
        daemon(folder, made) as ours,
        crew(made.host, _AT_ONCE) as threads,
    ):

        def cycle(count: int, what: str) -> None:
            for done in range(0, count, _AT_ONCE):
                say(f"{what}: {done} of {count} pods")
                threads.burst(ours.add)
                threads.burst(ours.delete)

        time.sleep(_IDLE_SECONDS)
        idle = resident_mebibytes(ours.pid)
        cycle(_WARM_UP, "warming up")
        before = resident_mebibytes(ours.pid)
        cycle(pods, "measuring")
        time.sleep(_IDLE_SECONDS)
        after = resident_mebibytes(ours.pid)
    yield Row(
        "daemon RSS, idle",
        Side("netplane-cni", "MiB", idle, goals=(_IDLE,)),
        (published("multus thick 4.2.4, peak", "MiB", 52.0),),
    )
    yield Row(
        f"daemon RSS, after {pods} ADD+DEL",
        Side("netplane-cni", "MiB", after),
        (Side("the same before them", "MiB", before, goals=(_FLAT,)),),
    )
