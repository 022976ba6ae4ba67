"""Type `sbr` on a real kernel: rules and tables by source address, and the way packets take."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from dataclasses import replace
from typing import Any

import pytest

from cni.native.engine import Engine
from cni.native.plugin import SteppedPlugin
from cni.native.types.sbr import Sbr
from cni.net.kernel import Kernel
from cni.plugins.plugin import Call
from planes.model.errors import PlanesError
from planes.model.wire.netconf import NetConf
from tests.support.node.chained import CONTAINER, call_of, conf_of, plug_in, previous, still_picture
from tests.support.node.netns import Node
from tests.support.node.plugins import Ours, ipams, ours
from tests.support.node.scenarios import static

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(60)]

V4, V6, SECOND = "10.9.0.2/24", "fd00:9::2/64", "10.9.0.3/24"
GATEWAYS = ("10.9.0.1", "fd00:9::1")


@pytest.fixture
def native(kernel: Kernel, a_node: Node) -> Ours:
    plug_in(a_node, V4, V6)
    a_node.sandbox.ip("route", "add", "default", "via", GATEWAYS[0])
    a_node.sandbox.ip("-6", "route", "add", "default", "via", GATEWAYS[1])
    a_node.sandbox.ip("route", "add", "10.77.0.0/16", "dev", "eth0")
    return ours(kernel)


def routed(node: Node, *addresses: str, **more: Any) -> dict[str, Any]:
    return conf_of("sbr", previous(node, *(addresses or (V4, V6)), gateways=GATEWAYS), **more)


def table(node: Node, number: str, family: str = "-4") -> set[str]:
    routes = node.sandbox.ip(family, "route", "show", "table", number, "dev", "eth0").splitlines()
    return {" ".join(route.split()[:3]) for route in routes}


def rules(node: Node) -> list[str]:
    shown = [node.sandbox.ip(family, "rule") for family in ("-4", "-6")]
    lines = "".join(shown).splitlines()
    return [line.partition("\t")[2].strip() for line in lines if "from all" not in line]


async def test_each_address_has_a_rule_and_a_table(native: Ours, a_node: Node) -> None:
    """Routes of the interface are in its tables instead of the main one."""
    conf, call = routed(a_node), call_of(a_node)
    raw = await native.add(call, conf)
    assert json.loads(raw) == {key: value for key, value in conf["prevResult"].items() if value}
    assert rules(a_node) == ["from 10.9.0.2 lookup 100", "from fd00:9::2 lookup 101"]
    assert table(a_node, "100") == {
        "default via 10.9.0.1",
        "10.9.0.0/24 proto kernel",
        "10.77.0.0/16 scope link",
    }
    assert "default via fd00:9::1" in table(a_node, "101", "-6")
    assert table(a_node, "main") == table(a_node, "main", "-6") == set()
    await native.check(call, conf)
    a_node.sandbox.ip("rule", "del", "from", "10.9.0.2")
    with pytest.raises(PlanesError, match=r"cannot find the rule from 10\.9\.0\.2"):
        await native.check(call, conf)
    await native.delete(call, conf)
    assert rules(a_node) == []
    await native.delete(call, conf)


async def test_two_addresses_of_a_network_have_two_tables(native: Ours, a_node: Node) -> None:
    a_node.sandbox.ip("addr", "add", SECOND, "dev", "eth0")
    a_node.sandbox.ip("rule", "add", "from", "10.200.0.1", "table", "101")
    await native.add(call_of(a_node), routed(a_node, V4, SECOND))
    assert rules(a_node) == [
        "from 10.9.0.3 lookup 102",
        "from 10.9.0.2 lookup 100",
        "from 10.200.0.1 lookup 101",
    ]
    await native.delete(call_of(a_node), routed(a_node, V4, SECOND))
    assert rules(a_node) == ["from 10.200.0.1 lookup 101"]


@pytest.mark.parametrize("number", [7, 3000])
async def test_a_table_that_is_named_gets_rules_alone(
    number: int, native: Ours, a_node: Node
) -> None:
    before = table(a_node, "main")
    conf = routed(a_node, table=number)
    await native.add(call_of(a_node), conf)
    assert rules(a_node) == [f"from 10.9.0.2 lookup {number}", f"from fd00:9::2 lookup {number}"]
    assert table(a_node, "main") == before
    a_node.sandbox.ip("rule", "add", "from", "10.9.0.2", "table", "9")
    await native.delete(call_of(a_node), conf)
    assert rules(a_node) == ["from 10.9.0.2 lookup 9"]


async def test_gateways_of_the_netconf_come_first(native: Ours, a_node: Node) -> None:
    for family in ("-4", "-6"):
        a_node.sandbox.ip(family, "route", "del", "default")
    conf = routed(a_node, gateways=["10.9.0.254", "fd00:9::fe"])
    await native.add(call_of(a_node), conf)
    assert "default via 10.9.0.254" in table(a_node, "100")
    assert "default via fd00:9::fe" in table(a_node, "101", "-6")


async def test_source_hints_keep_the_networks_in_the_main_table(native: Ours, a_node: Node) -> None:
    await native.add(call_of(a_node), routed(a_node, addSourceHints=True))
    main = a_node.sandbox.ip("route", "show", "table", "main")
    assert "default" not in main
    assert "10.9.0.0/24 dev eth0 scope link src 10.9.0.2" in main
    main = a_node.sandbox.ip("-6", "route", "show", "table", "main")
    assert "default" not in main
    assert "fd00:9::/64 dev eth0 src fd00:9::2" in main


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"gateways": ["10.9.0.1", "10.9.0.2"]}, "another one is of IPv4"),
        ({"gateways": ["10.9.0.1", "fd00::1", "fd00::2"]}, "more than one of each"),
        ({"gateways": ["here"]}, "cannot"),
        ({"table": 0}, "not from 1"),
        ({"table": 1 << 32}, "not from 1"),
        ({"table": "main"}, "integer"),
        ({"prevResult": None}, "chained plugin"),
        ({"prevResult": {"cniVersion": "1.0.0"}}, "has no address"),
    ],
    ids=str,
)
async def test_a_netconf_that_cannot_work_changes_nothing(
    more: dict[str, Any], words: str, native: Ours, a_node: Node
) -> None:
    before = still_picture(a_node.sandbox)
    conf = {**routed(a_node), **more}
    with pytest.raises(PlanesError, match=words):
        await native.add(call_of(a_node), conf)
    await native.delete(call_of(a_node), conf)
    assert still_picture(a_node.sandbox) == before


@pytest.mark.parametrize("has_hints", [False, True])
async def test_a_failed_add_leaves_nothing(has_hints: bool, native: Ours, a_node: Node) -> None:
    """The gateway of the second address is out of reach: the first one's table is gone, too."""
    before = still_picture(a_node.sandbox)
    conf = routed(a_node, gateways=["10.9.0.1", "fd00:5::1"], addSourceHints=has_hints)
    with pytest.raises(PlanesError, match=r"^cannot add route to ::/0"):
        await native.add(call_of(a_node), conf)
    assert still_picture(a_node.sandbox) == before


@pytest.mark.parametrize("netns", ["", "/run/netns/np-t-none"])
async def test_delete_without_namespace_succeeds(netns: str, native: Ours, a_node: Node) -> None:
    """It fails in the reference."""
    await native.add(call_of(a_node), routed(a_node))
    await native.delete(Call(CONTAINER, netns, "eth0"), routed(a_node))


async def test_delete_finds_rules_when_the_interface_is_gone(native: Ours, a_node: Node) -> None:
    """By the addresses of the prevResult; the reference leaves them."""
    await native.add(call_of(a_node), routed(a_node))
    a_node.sandbox.ip("link", "del", "eth0")
    await native.delete(call_of(a_node), routed(a_node))
    assert rules(a_node) == []


async def test_a_lock_that_is_held_is_waited_for_without_a_thread(
    native: Ours, kernel: Kernel, a_node: Node
) -> None:
    """Processes in the pod could hold it for ever: ADD gives up, DEL does not take it."""
    hasty = SteppedPlugin(Sbr(lock_seconds=0.2), Engine(kernel, ipams()), ipams())
    handle = os.open(a_node.sandbox.path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(PlanesError, match="holds the lock"):
            await hasty.add(call_of(a_node), NetConf(routed(a_node)))
        await native.delete(call_of(a_node), routed(a_node))
    finally:
        os.close(handle)
    await native.add(call_of(a_node), routed(a_node))
    assert len(rules(a_node)) == 2


@pytest.mark.skipif(shutil.which("busybox") is None, reason="needs busybox for ping")
@pytest.mark.parametrize("is_routed", [True, False], ids=["sbr", "without"])
async def test_a_reply_leaves_through_the_interface_of_its_source(
    is_routed: bool, kernel: Kernel, a_node: Node
) -> None:
    """A host beyond net1 asks net1's address; the default route is through eth0."""
    plug_in(a_node, V4)
    a_node.sandbox.ip("route", "add", "default", "via", GATEWAYS[0])
    pod, far = a_node.sandbox, a_node.far
    pod.ip("link", "add", "net1", "type", "veth", "peer", "name", "wire", "netns", far.name)
    pod.ip("addr", "add", "10.8.0.2/24", "dev", "net1")
    pod.ip("link", "set", "net1", "up")
    far.ip("addr", "add", "10.8.0.1/24", "dev", "wire")
    far.ip("link", "set", "wire", "up")
    far.ip("link", "set", "lo", "up")
    far.ip("addr", "add", "10.7.0.5/32", "dev", "lo")
    result = {
        "cniVersion": "1.0.0",
        "interfaces": [{"name": "net1", "sandbox": pod.path}],
        "ips": [{"address": "10.8.0.2/24", "gateway": "10.8.0.1", "interface": 0}],
    }
    if is_routed:
        await ours(kernel).add(call_of(a_node, "net1"), conf_of("sbr", result))
    ping = ("busybox", "ping", "-c", "1", "-W", "2", "-I", "10.7.0.5", "10.8.0.2")
    if is_routed:
        far.run(*ping)
    else:
        with pytest.raises(AssertionError, match="100% packet loss"):
            far.run(*ping)


@pytest.mark.parametrize("kind", ["ptp", "macvlan"])
async def test_the_plugin_before_it_still_passes_check(
    kernel: Kernel, a_node: Node, kind: str
) -> None:
    """Its routes are in a table of their own then; the reference fails here."""
    ipam = static(
        {"address": "10.8.0.2/24", "gateway": "10.8.0.1"}, routes=[{"dst": "10.1.0.0/16"}]
    )
    first: dict[str, Any] = {
        "cniVersion": "1.0.0",
        "name": "testnet",
        "type": kind,
        "ipam": ipam,
        **({"master": "eth1"} if kind == "macvlan" else {}),
    }
    native, call = ours(kernel), replace(call_of(a_node), ifname="net1")
    result = json.loads(await native.add(call, first))
    chained = {**first, "type": "sbr", "prevResult": result}
    await native.add(call, chained)
    await native.check(call, {**first, "prevResult": result})
    a_node.sandbox.ip("route", "del", "10.1.0.0/16", "table", "100")
    with pytest.raises(PlanesError, match=r"cannot find the route to 10\.1\.0\.0/16"):
        await native.check(call, {**first, "prevResult": result})
    await native.delete(call, chained)
    await native.delete(call, first)
