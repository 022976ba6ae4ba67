"""Each plugin type alone: by our native type, by the reference binary, and by bare netlink.

They take turns in one node and one sandbox, so that noise of the machine is the same for all. Of a
chain only the type itself is timed. Bare netlink is measured for types that only make a link; its
messages make and configure it, without rules, files or the far end's addresses.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final

from cni.ipam.ipams import Ipams
from cni.net.kernel import Kernel
from cni.plugins.plugin import Call
from planes.model.decode import loads_object
from planes.model.errors import PlanesError
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import encode_result
from tests.bench.bare_netlink import BareLink, BareNetlink
from tests.bench.nodes import Node, move_to, node, require
from tests.bench.plugin_cases import (
    IFNAME,
    VERSION,
    JsonObject,
    PluginCase,
    base_conf,
    plugin_cases,
)
from tests.bench.processes import call
from tests.bench.table import Goal, Row, Side, published, side
from tests.support.node.netns import CNI_BIN_DIR, why_no_reference
from tests.support.node.plugins import Ours, ipams, ours

_ROUNDS: Final = 25
_WARM_UP: Final = 2
_BARE: Final = Goal("<= 4 x bare netlink", 4.0)
_FOURTH: Final = Goal("<= 1/4 of reference", 0.25)
_PUBLISHED: Final = {"ADD": 8.0, "DEL": 19.0}

Times = dict[str, list[tuple[float, float]]]


def bench(folder: Path, scale: float, say: Callable[[str], None]) -> Iterable[Row]:
    """Measure.

    Raises:
        SkippedError: not root, or the kernel or the plugins lack something.
    """
    require("bridge", "macvlan", "host-local")
    rounds = max(3, round(_ROUNDS * scale))
    with node(1) as made:
        for case in plugin_cases(str(folder)):
            say(case.kind)
            if reason := why_no_reference(case.kind):
                yield Row(f"type {case.kind}", skipped=reason)
                continue
            try:
                times = asyncio.run(_measure(made, str(folder), case, rounds))
            except (PlanesError, RuntimeError) as error:
                yield Row(f"type {case.kind}", skipped=str(error).splitlines()[0])
                continue
            yield from _rows(case.kind, times)


def _rows(kind: str, times: Times) -> Iterable[Row]:
    for place, verb in enumerate(("ADD", "DEL")):
        has_goals = kind == "macvlan" and verb == "ADD"  # a DEL is the kernel's grace period
        peers: list[Side] = []
        for name, label, goal in (
            ("reference", "reference binary", _FOURTH),
            ("bare", "bare netlink", _BARE),
        ):
            if found := [one[place] for one in times[name]]:
                peers.append(side(label, "ms", found, *([goal] if has_goals else [])))
        if kind == "macvlan":
            peers.append(published("reference binary", "ms", _PUBLISHED[verb]))
        first = side("native, in-process", "ms", [one[place] for one in times["native"]])
        yield Row(f"type {kind}, {verb}", first, tuple(peers))


async def _measure(made: Node, folder: str, case: PluginCase, rounds: int) -> Times:
    case.prepare(made.host)
    kernel = Kernel(made.host.path)
    loop = asyncio.get_running_loop()
    times: Times = {"native": [], "reference": [], "bare": []}
    with ThreadPoolExecutor(1, initializer=move_to, initargs=(made.host.path,)) as host:
        turns = _Turns(made, folder, case, kernel, partial(loop.run_in_executor, host))
        try:
            for number in range(rounds + _WARM_UP):
                for name in times:
                    found = await turns.take(name)
                    if number >= _WARM_UP and found is not None:
                        times[name].append(found)
        finally:
            await turns.close()
            await asyncio.to_thread(kernel.close)
    return times


class _Turns:
    """The three sides of one type.

    Args:
        made: the node.
        folder: where types keep their files.
        case: the type.
        kernel: of the node.
        in_host: calls a function in a thread that is in the node's namespace.
    """

    def __init__(
        self,
        made: Node,
        folder: str,
        case: PluginCase,
        kernel: Kernel,
        in_host: Callable[..., Awaitable[Any]],
    ) -> None:
        self._sandbox = made.sandboxes[0]
        self._base_conf = base_conf(folder)
        self._case = case
        self._types = ipams()
        self._plugins = ours(kernel, self._types)
        self._in_host = in_host
        self._bare: tuple[BareNetlink, BareLink] | None = None

    async def take(self, name: str) -> tuple[float, float] | None:
        """Attach and detach by one side; return the milliseconds of each, None without a side."""
        if name == "bare":
            return None if self._case.bare is None else await self._by_netlink()
        call_ = Call(name, self._sandbox.path, IFNAME)
        conf = self._case.netconf
        if self._case.is_chained:
            said = await self._plugins.add(call_, self._base_conf)
            conf["prevResult"] = loads_object(said, "the result")
        try:
            if name == "native":
                work = _of_ipam if self._case.is_ipam else _of_plugins
                return await work(self._plugins, self._types, call_, conf)
            return await self._by_binary(call_, conf)
        finally:
            if self._case.is_chained:
                await self._plugins.delete(call_, self._base_conf)

    async def close(self) -> None:
        """Close the sockets of bare netlink."""
        if self._bare is not None:
            await self._in_host(self._bare[0].close)

    async def _by_netlink(self) -> tuple[float, float]:
        if self._bare is None:
            self._bare = await self._in_host(self._make_bare)
        link = self._bare[1]
        found: tuple[float, float] = await self._in_host(_timed, link.add, link.delete)
        return found

    def _make_bare(self) -> tuple[BareNetlink, BareLink]:
        assert self._case.bare is not None
        netlink = BareNetlink(self._sandbox)
        return netlink, self._case.bare(netlink)

    async def _by_binary(self, call_: Call, conf: JsonObject) -> tuple[float, float]:
        env = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "CNI_CONTAINERID": call_.container_id,
            "CNI_NETNS": call_.netns,
            "CNI_IFNAME": call_.ifname,
            "CNI_PATH": CNI_BIN_DIR,
        }
        run = partial(_run, self._case.kind, env, json.dumps(conf).encode())
        took: tuple[float, float] = await self._in_host(
            _timed, partial(run, "ADD"), partial(run, "DEL")
        )
        return took


async def _of_plugins(
    plugins: Ours, _types: Ipams, call_: Call, conf: JsonObject
) -> tuple[float, float]:
    begin = time.perf_counter()
    await plugins.add(call_, conf)
    middle = time.perf_counter()
    await plugins.delete(call_, conf)
    return (middle - begin) * 1e3, (time.perf_counter() - middle) * 1e3


async def _of_ipam(
    _plugins: Ours, types: Ipams, call_: Call, conf: JsonObject
) -> tuple[float, float]:
    read = NetConf(conf)
    begin = time.perf_counter()
    encode_result(await types.add(call_, read), VERSION)
    middle = time.perf_counter()
    await types.release(call_, read)
    return (middle - begin) * 1e3, (time.perf_counter() - middle) * 1e3


def _run(kind: str, env: Mapping[str, str], conf: bytes, verb: str) -> None:
    call([f"{CNI_BIN_DIR}/{kind}"], {**env, "CNI_COMMAND": verb}, conf)


def _timed(add: Callable[[], object], delete: Callable[[], object]) -> tuple[float, float]:
    """Attach and detach; return the milliseconds of each, without the change into this thread."""
    begin = time.perf_counter()
    add()
    middle = time.perf_counter()
    delete()
    return (middle - begin) * 1e3, (time.perf_counter() - middle) * 1e3
