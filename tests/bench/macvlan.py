"""One macvlan with a host-local address: native in this process, by the reference binaries, bare.

The three take turns in one node and one sandbox, so that noise of the machine meets them alike.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from cni.net.kernel import Kernel
from cni.plugin import Call
from tests.bench.bare_netlink import BareMacvlan
from tests.bench.nodes import Node, move_to, node, require
from tests.bench.processes import call
from tests.bench.table import Goal, Row, published, side
from tests.support.netns import CNI_BIN_DIR
from tests.support.plugins import ours

_ROUNDS = 80
_WARM_UP = 3
_IFNAME = "net1"
_SIDES = ("native", "reference", "bare")

Times = dict[tuple[str, str], list[float]]


def bench(folder: Path, scale: float, say: Callable[[str], None]) -> Iterable[Row]:
    """Measure.

    Raises:
        SkippedError: not root, or the kernel or the plugins lack something.
    """
    require("macvlan", "host-local")
    with node(1) as made:
        times = asyncio.run(_measure(made, folder, max(5, round(_ROUNDS * scale)), say))
    goals = {
        "ADD": (Goal("<= 4 x bare netlink", 4.0), Goal("<= 1/4 of reference", 0.25)),
        "DEL": (),
    }
    baseline = {"ADD": 8.0, "DEL": 19.0}
    for verb in ("ADD", "DEL"):
        bare, reference = goals[verb] or (None, None)
        yield Row(
            f"macvlan + host-local, {verb}",
            side("native, in-process", "ms", times["native", verb]),
            (
                side("bare netlink", "ms", times["bare", verb], *([bare] if bare else [])),
                side(
                    "reference binaries",
                    "ms",
                    times["reference", verb],
                    *([reference] if reference else []),
                ),
                published("reference binaries", "ms", baseline[verb]),
            ),
        )


class _Reference:
    """The binaries, spawned by a thread that lives on the node."""

    def __init__(self, netns: str, conf: dict[str, Any]) -> None:
        self._conf = json.dumps(conf).encode()
        self._env = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "CNI_CONTAINERID": "reference",
            "CNI_NETNS": netns,
            "CNI_IFNAME": _IFNAME,
            "CNI_PATH": CNI_BIN_DIR,
        }

    def run(self, verb: str) -> None:
        call([f"{CNI_BIN_DIR}/macvlan"], {**self._env, "CNI_COMMAND": verb}, self._conf)


async def _measure(made: Node, folder: Path, rounds: int, say: Callable[[str], None]) -> Times:
    sandbox = made.sandboxes[0]
    conf = {
        "cniVersion": "1.0.0",
        "name": "bench",
        "type": "macvlan",
        "master": "eth1",
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": "10.9.0.0/16"}]],
            "dataDir": str(folder),
        },
    }
    kernel = Kernel(made.host.path)
    loop = asyncio.get_running_loop()
    native, reference = ours(kernel), _Reference(sandbox.path, conf)
    request = Call("native", sandbox.path, _IFNAME)
    times: Times = {(name, verb): [] for name in _SIDES for verb in ("ADD", "DEL")}
    with ThreadPoolExecutor(1, initializer=move_to, initargs=(made.host.path,)) as host:
        bare = await loop.run_in_executor(
            host, BareMacvlan, sandbox, "eth1", _IFNAME, "10.9.200.200/16"
        )

        def timed(work: Callable[[], object]) -> float:
            begin = time.perf_counter()
            work()
            return (time.perf_counter() - begin) * 1e3

        async def turn(name: str) -> tuple[float, float]:
            if name == "native":
                begin = time.perf_counter()
                await native.add(request, conf)
                middle = time.perf_counter()
                await native.delete(request, conf)
                return (middle - begin) * 1e3, (time.perf_counter() - middle) * 1e3
            if name == "bare":
                add, delete = bare.add, bare.delete
            else:
                add, delete = (lambda: reference.run("ADD")), (lambda: reference.run("DEL"))
            added = await loop.run_in_executor(host, timed, add)
            return added, await loop.run_in_executor(host, timed, delete)

        try:
            for number in range(rounds + _WARM_UP):
                say(f"round {number + 1} of {rounds + _WARM_UP}")
                for name in _SIDES:
                    added, deleted = await turn(name)
                    if number >= _WARM_UP:
                        times[name, "ADD"].append(added)
                        times[name, "DEL"].append(deleted)
        finally:
            bare.close()
            await asyncio.to_thread(kernel.close)
    return times
