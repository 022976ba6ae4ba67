"""A step that fails after a chained type is done: everything is as before its ADD."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cni.host.data_dirs import DataDirs
from cni.native.engine import Engine
from cni.native.plugin import NativeType
from cni.native.steps import Awaited, Steps
from cni.native.types.bandwidth import Bandwidth
from cni.native.types.sbr import Sbr
from cni.native.types.tuning import Tuning
from cni.net.kernel import Kernel
from planes.model.errors import Unavailable
from planes.model.wire.netconf import NetConf
from tests.support.node.chained import call_of, conf_of, plug_in, previous, still_picture
from tests.support.node.limits import EGRESS, INGRESS, why_no_qdiscs
from tests.support.node.netns import Node
from tests.support.node.plugins import ipams

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(60)]

ADDRESSES, GATEWAYS = ("10.9.0.2/24", "fd00:9::2/64"), ("10.9.0.1", "fd00:9::1")
SYSCTLS = {"net.ipv4.conf.IFNAME.arp_filter": "1", "net.ipv4.ip_default_ttl": "33"}
CASES: list[tuple[str, dict[str, Any]]] = [
    ("tuning", {"mac": "c2:11:22:33:44:55", "mtu": 1400, "promisc": True, "sysctl": SYSCTLS}),
    ("sbr", {}),
    ("sbr", {"addSourceHints": True}),
    ("sbr", {"table": 7}),
    ("bandwidth", {**INGRESS, **EGRESS}),
    ("bandwidth", {**INGRESS, **EGRESS, "shapedSubnets": ["10.20.0.0/16"]}),
]


def seen(node: Node) -> dict[str, Any]:
    sysctls = [
        node.sandbox.sysctl(key) for key in ("ipv4/conf/eth0/arp_filter", "ipv4/ip_default_ttl")
    ]
    qdiscs = json.loads(node.host.run("tc", "-j", "qdisc", "show"))
    kinds = sorted(f"{one['dev']} {one['kind']}" for one in qdiscs)
    return {
        "pod": still_picture(node.sandbox),
        "host": still_picture(node.host),
        "sysctls": sysctls,
    } | {"qdiscs": kinds}


async def fail() -> None:
    raise Unavailable("cannot go on: a later step fails")


@pytest.mark.parametrize(("kind", "more"), CASES, ids=str)
async def test_nothing_is_left_when_a_later_step_fails(
    kind: str, more: dict[str, Any], kernel: Kernel, a_node: Node, tmp_path: Path
) -> None:
    if kind == "bandwidth" and (reason := why_no_qdiscs("tbf", "ingress", "u32", "htb")):
        pytest.skip(reason)
    types: dict[str, NativeType] = {
        "bandwidth": Bandwidth(),
        "sbr": Sbr(),
        "tuning": Tuning(DataDirs()),
    }
    plug_in(a_node, *ADDRESSES)
    a_node.sandbox.ip("route", "add", "default", "via", GATEWAYS[0])
    a_node.sandbox.ip("-6", "route", "add", "default", "via", GATEWAYS[1])
    before, between = seen(a_node), []
    files = {"dataDir": str(tmp_path)} if kind == "tuning" else {}
    conf = conf_of(kind, previous(a_node, *ADDRESSES, gateways=GATEWAYS), **files, **more)

    async def look() -> None:
        between.append(seen(a_node))

    def steps() -> Steps[None]:
        yield from types[kind].attach(call_of(a_node), NetConf(conf))
        yield from Awaited(look)
        yield from Awaited(fail)

    with pytest.raises(Unavailable):
        await Engine(kernel, ipams()).run(a_node.sandbox.path, steps())
    assert between != [before]
    assert seen(a_node) == before
    assert list(tmp_path.iterdir()) == []
