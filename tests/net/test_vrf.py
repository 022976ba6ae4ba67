"""Type `vrf` in the kernel: tables, routes and addresses that move, several interfaces, DEL."""

from __future__ import annotations

from typing import Any

import pytest

from cni.net.kernel import Kernel
from cni.plugins.plugin import Call
from planes.model.errors import BadInput, Conflict, NotFound, PlanesError
from planes.model.wire.netconf import NetConf
from tests.support.node.netns import Namespace, Node, why_no_link_kind
from tests.support.node.on_master import V4, V6, after, call_in, left_as_found, netconf, plugin
from tests.support.node.plugins import detach
from tests.support.node.scenarios import static

pytestmark = [pytest.mark.kernel, pytest.mark.second_kernel]


@pytest.fixture(autouse=True)
def _has_vrf() -> None:
    if reason := why_no_link_kind("vrf"):
        pytest.skip(reason)


@pytest.fixture
def sandbox(a_node: Node) -> Namespace:
    """The sandbox with the interfaces net1 and net2, up and with carrier."""
    for name in ("net1", "net2"):
        argv = ("link", "add", name, "type", "veth", "peer", "name", name, "netns")
        a_node.sandbox.ip(*argv, a_node.far.name)
        a_node.sandbox.ip("link", "set", name, "up")
        a_node.far.ip("link", "set", name, "up")
    return a_node.sandbox


def behind(ifname: str, sandbox: Namespace, *ips: str, **conf: Any) -> NetConf:
    """Return a netconf of vrf behind the plugin that made the interface."""
    previous = {
        "cniVersion": "1.0.0",
        "interfaces": [{"name": ifname, "sandbox": sandbox.path}],
        "ips": [{"address": one, "interface": 0} for one in ips],
    }
    return netconf("vrf", vrfname="blue", prevResult=previous, **conf)


def routes(of: Namespace, table: int | str, family: str = "-4") -> set[str]:
    found = of.ip_json(family, "route", "show", "table", str(table))
    return {
        f"{one['dst']} via {one['gateway']}" if "gateway" in one else one["dst"]
        for one in found
        if one.get("type", "unicast") == "unicast"
    }


def vrfs(of: Namespace) -> dict[str, int]:
    found = of.ip_json("link", "show", "type", "vrf")
    return {one["ifname"]: one["linkinfo"]["info_data"]["table"] for one in found if one}


@pytest.mark.parametrize(("table", "used"), [(0, 1), (1001, 1001), (7, 7)])
async def test_the_interface_joins_with_addresses_and_routes(
    table: int, used: int, kernel: Kernel, sandbox: Namespace
) -> None:
    sandbox.ip("addr", "add", V4, "dev", "net1")
    sandbox.ip("route", "add", "10.1.0.0/16", "via", "10.9.0.1")
    sandbox.ip("route", "add", "default", "via", "10.9.0.254")
    conf, call = behind("net1", sandbox, V4, table=table), call_in(sandbox)
    one = plugin(kernel, "vrf")
    result = await one.add(call, conf)
    assert result == conf.prev_result()
    assert vrfs(sandbox) == {"blue": used}
    assert "UP" in sandbox.ip_json("link", "show", "blue")[0]["flags"]
    expected = {"10.9.0.0/24", "10.1.0.0/16 via 10.9.0.1", "default via 10.9.0.254"}
    assert routes(sandbox, used) == expected
    assert routes(sandbox, "main") == set()
    await one.check(call, after(conf, result))
    await detach(kernel, one, call, conf)
    assert vrfs(sandbox) == {}
    assert sandbox.ip_json("link", "show", "net1")[0].get("master") is None


@pytest.mark.parametrize("keep", ["0", "1"], ids=["kernel-drops-them", "kernel-keeps-them"])
async def test_ipv6_addresses_and_routes_move_too(
    keep: str, kernel: Kernel, sandbox: Namespace
) -> None:
    sandbox.run("sh", "-c", f"echo {keep} > /proc/sys/net/ipv6/conf/net1/keep_addr_on_down")
    sandbox.ip("addr", "add", V6, "dev", "net1", "nodad")
    sandbox.ip("route", "add", "fd00:1::/64", "via", "fd00:9::1")
    conf, call = behind("net1", sandbox, V6, table=1001), call_in(sandbox)
    await plugin(kernel, "vrf").add(call, conf)
    assert V6 in sandbox.ip("-6", "addr", "show", "net1", "scope", "global")
    assert V6 not in sandbox.ip("-6", "addr", "show", "net1", "tentative")
    assert {"fd00:9::/64", "fd00:1::/64 via fd00:9::1"} <= routes(sandbox, 1001, "-6")
    assert "fd00:1::/64 via fd00:9::1" not in routes(sandbox, "main", "-6")
    await detach(kernel, plugin(kernel, "vrf"), call, conf)


async def test_routes_to_one_destination_stay_apart(kernel: Kernel, sandbox: Namespace) -> None:
    """The reference keeps the last of several routes to a destination, and none of a multipath."""
    sandbox.ip("addr", "add", V4, "dev", "net1")
    sandbox.ip("route", "add", "10.1.0.0/16", "via", "10.9.0.1", "metric", "5")
    sandbox.ip("route", "append", "10.1.0.0/16", "via", "10.9.0.2", "metric", "5")
    hops = ("nexthop", "via", "10.9.0.3", "dev", "net1", "nexthop", "via", "10.9.0.4", "dev")
    sandbox.ip("route", "add", "10.2.0.0/16", *hops, "net1")
    conf, call = behind("net1", sandbox, V4, table=1001), call_in(sandbox)
    await plugin(kernel, "vrf").add(call, conf)
    shown = sandbox.ip("route", "show", "table", "1001")
    gateways = [line.split()[2] for line in shown.splitlines() if line.startswith("10.1.0.0")]
    assert gateways == ["10.9.0.1", "10.9.0.2"]
    assert "via 10.9.0.3" in shown
    assert "via 10.9.0.4" in shown
    await detach(kernel, plugin(kernel, "vrf"), call, conf)


async def test_the_vrf_goes_with_its_last_interface(kernel: Kernel, sandbox: Namespace) -> None:
    one = plugin(kernel, "vrf")
    confs = {name: behind(name, sandbox) for name in ("net1", "net2")}
    for name, conf in confs.items():
        await one.add(call_in(sandbox, name), conf)
    assert vrfs(sandbox) == {"blue": 1}
    await detach(kernel, one, call_in(sandbox, "net1"), confs["net1"])
    assert vrfs(sandbox) == {"blue": 1}
    sandbox.ip("link", "del", "net2")
    for netns in (sandbox.path, sandbox.path, "/run/netns/np-t-none", ""):
        await detach(kernel, one, Call("c1", netns, "net2"), netconf("vrf", vrfname="blue"))
    assert vrfs(sandbox) == {}


async def test_without_a_table_each_vrf_gets_the_first_free_one(
    kernel: Kernel, sandbox: Namespace
) -> None:
    sandbox.ip("link", "add", "red", "type", "vrf", "table", "1")
    sandbox.ip("link", "add", "green", "type", "vrf", "table", "3")
    conf, call = behind("net1", sandbox), call_in(sandbox)
    await plugin(kernel, "vrf").add(call, conf)
    assert vrfs(sandbox)["blue"] == 2
    await detach(kernel, plugin(kernel, "vrf"), call, conf)
    assert vrfs(sandbox) == {"red": 1, "green": 3}


async def test_check_sees_an_interface_that_has_left(kernel: Kernel, sandbox: Namespace) -> None:
    conf, call, one = behind("net1", sandbox), call_in(sandbox), plugin(kernel, "vrf")
    await one.add(call, conf)
    await one.check(call, conf)
    sandbox.ip("link", "set", "net1", "nomaster")
    with pytest.raises(Conflict, match="it is not in VRF blue"):
        await one.check(call, conf)
    sandbox.ip("link", "del", "blue")
    with pytest.raises(NotFound, match="VRF blue"):
        await one.check(call, conf)


@pytest.mark.parametrize(
    ("prepare", "more", "fault", "text"),
    [
        ((), {"vrfname": ""}, BadInput, '"vrfname" is missing'),
        ((), {"vrfname": "a b"}, BadInput, "no interface can have that name"),
        ((), {"vrfname": "net2"}, Conflict, "the sandbox has an interface of that name"),
        ((), {"table": -1}, BadInput, "table -1: it must be from 0"),
        ((), {"prevResult": None}, BadInput, "missing prevResult"),
        (("link", "del", "net1"), {}, NotFound, "interface net1 in the sandbox"),
        (
            ("link", "add", "blue", "type", "vrf", "table", "9"),
            {"table": 8},
            Conflict,
            "it is there with table 9",
        ),
    ],
)
async def test_a_refused_add_leaves_nothing(
    prepare: tuple[str, ...],
    more: dict[str, Any],
    fault: type[PlanesError],
    text: str,
    kernel: Kernel,
    a_node: Node,
    sandbox: Namespace,
) -> None:
    if prepare:
        sandbox.ip(*prepare)
    conf = NetConf({**behind("net1", sandbox).raw, **more})
    with left_as_found(a_node):
        with pytest.raises(fault, match=text):
            await plugin(kernel, "vrf").add(call_in(sandbox), conf)
        if "table" not in more:
            await detach(kernel, plugin(kernel, "vrf"), call_in(sandbox), conf)


async def test_an_interface_of_another_vrf_is_refused(
    kernel: Kernel, a_node: Node, sandbox: Namespace
) -> None:
    sandbox.ip("link", "add", "red", "type", "vrf", "table", "9")
    sandbox.ip("link", "set", "net1", "master", "red")
    with left_as_found(a_node), pytest.raises(Conflict, match="net1 to a VRF: it belongs to red"):
        await plugin(kernel, "vrf").add(call_in(sandbox), behind("net1", sandbox))


async def test_the_plugin_before_it_still_passes_check(kernel: Kernel, a_node: Node) -> None:
    """Its routes are looked for in the table of the VRF; the reference fails here."""
    ipam = static({"address": V4}, routes=[{"dst": "10.1.0.0/16", "gw": "10.9.0.1"}])
    conf, call = netconf("macvlan", master="eth1", ipam=ipam), call_in(a_node.sandbox)
    first, second = plugin(kernel, "macvlan"), plugin(kernel, "vrf")
    result = await first.add(call, conf)
    chained = after(netconf("vrf", vrfname="blue", table=1001), result)
    final = await second.add(call, chained)
    await first.check(call, after(conf, final))
    await second.check(call, after(chained, final))
    a_node.sandbox.ip("route", "del", "10.1.0.0/16", "table", "1001")
    with pytest.raises(NotFound, match=r"route to 10\.1\.0\.0/16"):
        await first.check(call, after(conf, final))
    await detach(kernel, second, call, chained)
    await detach(kernel, first, call, conf)
    assert [link["ifname"] for link in a_node.sandbox.ip_json("link")] == ["lo"]
