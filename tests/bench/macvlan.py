"""One macvlan with a host-local address: native in this process, by the reference binaries, bare.

The three take turns in one node and one sandbox, so that noise of the machine meets them alike.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from cni.net.kernel import Kernel
from cni.plugin import Call
from planes.model.errors import JsonObject
from tests.bench.bare_netlink import BareMacvlan
from tests.bench.nodes import Node, move_to, node, require
from tests.bench.processes import call
from tests.bench.table import Goal, Row, published, side
from tests.support.netns import CNI_BIN_DIR
from tests.support.plugins import Ours, ours

_ROUNDS = 80
_WARM_UP = 3
_IFNAME = "net1"
_BARE = Goal("<= 4 x bare netlink", 4.0)
_FOURTH = Goal("<= 1/4 of reference", 0.25)
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
    for verb, baseline in (("ADD", 8.0), ("DEL", 19.0)):
        is_add = verb == "ADD"  # a DEL is the kernel's grace period and little else
        yield Row(
            f"macvlan + host-local, {verb}",
            side("native, in-process", "ms", times["native", verb]),
            (
                side("bare netlink", "ms", times["bare", verb], *([_BARE] if is_add else [])),
                side(
                    "reference binaries",
                    "ms",
                    times["reference", verb],
                    *([_FOURTH] if is_add else []),
                ),
                published("reference binaries", "ms", baseline),
            ),
        )


class _Reference:
    """The binaries, spawned by a thread that lives on the node."""

    def __init__(self, netns: str, conf: JsonObject) -> None:
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
    conf = _netconf(folder)
    kernel = Kernel(made.host.path)
    loop = asyncio.get_running_loop()
    times: Times = {(name, verb): [] for name in _SIDES for verb in ("ADD", "DEL")}
    with ThreadPoolExecutor(1, initializer=move_to, initargs=(made.host.path,)) as host:
        bare = await loop.run_in_executor(
            host, BareMacvlan, sandbox, "eth1", _IFNAME, "10.9.200.200/16"
        )
        reference = _Reference(sandbox.path, conf)
        spawned = partial(reference.run, "ADD"), partial(reference.run, "DEL")
        sides: dict[str, Callable[[], Awaitable[tuple[float, float]]]] = {
            "native": partial(_native, ours(kernel), Call("native", sandbox.path, _IFNAME), conf),
            "reference": partial(loop.run_in_executor, host, _timed, *spawned),
            "bare": partial(loop.run_in_executor, host, _timed, bare.add, bare.delete),
        }
        try:
            for number in range(rounds + _WARM_UP):
                say(f"round {number + 1} of {rounds + _WARM_UP}")
                for name in _SIDES:
                    added, deleted = await sides[name]()
                    if number >= _WARM_UP:
                        times[name, "ADD"].append(added)
                        times[name, "DEL"].append(deleted)
        finally:
            bare.close()
            await asyncio.to_thread(kernel.close)
    return times


def _netconf(folder: Path) -> JsonObject:
    ipam = {"ranges": [[{"subnet": "10.9.0.0/16"}]], "dataDir": str(folder)}
    return {
        "cniVersion": "1.0.0",
        "name": "bench",
        "type": "macvlan",
        "master": "eth1",
        "ipam": {"type": "host-local", **ipam},
    }


async def _native(plugins: Ours, call_: Call, conf: JsonObject) -> tuple[float, float]:
    """Attach and detach by our plugin; milliseconds of each."""
    begin = time.perf_counter()
    await plugins.add(call_, conf)
    middle = time.perf_counter()
    await plugins.delete(call_, conf)
    return (middle - begin) * 1e3, (time.perf_counter() - middle) * 1e3


def _timed(add: Callable[[], object], delete: Callable[[], object]) -> tuple[float, float]:
    """Attach and detach; milliseconds of each, without the way into this thread."""
    begin = time.perf_counter()
    add()
    middle = time.perf_counter()
    delete()
    return (middle - begin) * 1e3, (time.perf_counter() - middle) * 1e3
