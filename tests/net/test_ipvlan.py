"""Type `ipvlan` in the kernel: modes, chained masters and addresses, refusals, DEL and CHECK."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cni.net.kernel import Kernel
from cni.plugins.plugin import Call
from planes.model.errors import BadInput, Conflict, NotFound, PlanesError
from planes.model.wire.netconf import NetConf
from tests.support.node.netns import Node, why_no_link_kind
from tests.support.node.on_master import (
    V4,
    V6,
    after,
    call_in,
    left_as_found,
    netconf,
    plugin,
    with_addresses,
)
from tests.support.node.plugins import detach
from tests.support.node.scenarios import host_local

pytestmark = [pytest.mark.kernel, pytest.mark.second_kernel]


@pytest.fixture(autouse=True)
def _has_ipvlan() -> None:
    if reason := why_no_link_kind("ipvlan"):
        pytest.skip(reason)


def info(node: Node, name: str = "net1") -> dict[str, Any]:
    [link] = node.sandbox.ip_json("link", "show", name)
    return link


@pytest.mark.parametrize("mode", ["", "l2", "l3", "l3s"])
async def test_it_has_its_masters_mac_the_mode_and_the_addresses(
    mode: str, kernel: Kernel, a_node: Node
) -> None:
    conf = with_addresses("ipvlan", V4, V6, mode=mode, mtu=1400)
    one, call = plugin(kernel, "ipvlan"), call_in(a_node.sandbox)
    with left_as_found(a_node):
        result = await one.add(call, conf)
        [master] = a_node.host.ip_json("link", "show", "eth1")
        link = info(a_node)
        assert link["linkinfo"]["info_kind"] == "ipvlan"
        assert link["linkinfo"]["info_data"]["mode"] == (mode or "l2")
        assert (link["mtu"], link["address"]) == (1400, master["address"])
        assert result.interfaces[0].mac == master["address"]
        assert [ip.address for ip in result.ips] == [V4, V6]
        await one.check(call, after(conf, result))
        await detach(kernel, one, call, after(conf, result))


@pytest.mark.parametrize(
    "harm",
    [
        ("addr", "del", V4, "dev", "net1"),
        ("link", "set", "net1", "type", "ipvlan", "mode", "l3"),
        ("link", "del", "net1"),
    ],
    ids=["address", "mode", "link"],
)
async def test_check_sees_what_was_changed(
    harm: tuple[str, ...], kernel: Kernel, a_node: Node
) -> None:
    conf = with_addresses("ipvlan")
    one, call = plugin(kernel, "ipvlan"), call_in(a_node.sandbox)
    checked = after(conf, await one.add(call, conf))
    await one.check(call, checked)
    a_node.sandbox.ip(*harm)
    with pytest.raises(PlanesError):
        await one.check(call, checked)
    await detach(kernel, one, call, checked)


async def test_delete_needs_neither_master_nor_namespace_nor_link(
    kernel: Kernel, a_node: Node, tmp_path: Path
) -> None:
    """The reference looks for the master again, and keeps the addresses where that fails."""
    ipam = host_local({"subnet": "10.9.0.0/24"}, dataDir=str(tmp_path))
    conf = netconf("ipvlan", master="eth1", ipam=ipam)
    one, call = plugin(kernel, "ipvlan"), call_in(a_node.sandbox)
    await one.add(call, conf)
    assert (tmp_path / "testnet" / "10.9.0.2").exists()
    a_node.host.ip("link", "del", "eth1")
    for netns in (call.netns, "/run/netns/np-t-none", ""):
        await detach(kernel, one, Call("c1", netns, "net1"), NetConf({**conf.raw, "master": ""}))
    assert not (tmp_path / "testnet" / "10.9.0.2").exists()


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({"ipam": {"type": "static", "addresses": []}}, BadInput),
        ({"ipam": {"type": "static", "addresses": [{"address": V4}], "routes": [{}]}}, BadInput),
        (
            {
                "ipam": {
                    "type": "static",
                    "addresses": [{"address": V4}],
                    "routes": [{"dst": "10.1.0.0/16", "gw": "10.77.0.1"}],
                }
            },
            PlanesError,
        ),
        ({"mode": "l4"}, BadInput),
        ({"mtu": -1}, BadInput),
        ({"mtu": 70000}, PlanesError),
        ({"ipam": {}}, BadInput),
        ({"master": "eth9"}, NotFound),
    ],
)
async def test_a_failed_add_leaves_nothing(
    more: dict[str, Any], fault: type[PlanesError], kernel: Kernel, a_node: Node
) -> None:
    conf = with_addresses("ipvlan", **more)
    with left_as_found(a_node), pytest.raises(fault):
        await plugin(kernel, "ipvlan").add(call_in(a_node.sandbox), conf)


async def test_behind_another_plugin_it_takes_over_interface_and_addresses(
    kernel: Kernel, a_node: Node
) -> None:
    """The one interface of the prevResult is the master; its addresses and routes are used."""
    previous = {
        "cniVersion": "1.0.0",
        "interfaces": [{"name": "eth1"}],
        "ips": [{"address": V4, "gateway": "10.9.0.1", "interface": 0}],
        "routes": [{"dst": "0.0.0.0/0"}],
        "dns": {"nameservers": ["10.9.0.53"]},
    }
    conf = netconf("ipvlan", prevResult=previous)
    one, call = plugin(kernel, "ipvlan"), call_in(a_node.sandbox)
    result = await one.add(call, conf)
    assert [(each.name, each.sandbox) for each in result.interfaces] == [("net1", call.netns)]
    assert [ip.address for ip in result.ips] == [V4]
    assert result.dns.nameservers == ()
    assert "default via 10.9.0.1 dev net1" in a_node.sandbox.ip("route")
    await one.check(call, after(conf, result))
    await detach(kernel, one, call, after(conf, result))


@pytest.mark.parametrize(
    "interfaces",
    [
        [],
        [{"name": "eth1"}, {"name": "eth2"}],
        [{"name": ""}],
        [{"name": "eth1", "sandbox": "/run/netns/x"}],
    ],
    ids=["none", "two", "nameless", "of-the-pod"],
)
async def test_a_result_without_one_interface_of_the_node_gives_no_master(
    interfaces: list[dict[str, str]], kernel: Kernel, a_node: Node
) -> None:
    """A pod chooses the names of its interfaces: none of them is a device of the node."""
    previous = {"cniVersion": "1.0.0", "interfaces": interfaces, "ips": [{"address": V4}]}
    conf = netconf("ipvlan", prevResult=previous)
    with left_as_found(a_node), pytest.raises(BadInput, match="cannot choose the master"):
        await plugin(kernel, "ipvlan").add(call_in(a_node.sandbox), conf)


async def test_a_device_with_macvlans_is_refused_with_the_reason(
    kernel: Kernel, a_node: Node
) -> None:
    a_node.host.ip("link", "add", "mv0", "link", "eth1", "type", "macvlan", "mode", "bridge")
    with left_as_found(a_node), pytest.raises(Conflict, match="eth1 is used otherwise"):
        await plugin(kernel, "ipvlan").add(call_in(a_node.sandbox), with_addresses("ipvlan"))


async def test_its_master_may_be_an_interface_of_the_sandbox(kernel: Kernel, a_node: Node) -> None:
    a_node.sandbox.ip("link", "add", "net0", "type", "veth", "peer", "name", "net0p")
    a_node.sandbox.ip("link", "set", "net0", "up")
    conf = with_addresses("ipvlan", master="net0", linkInContainer=True)
    one, call = plugin(kernel, "ipvlan"), call_in(a_node.sandbox)
    assert one.unsupported(conf) == ""
    with left_as_found(a_node):
        result = await one.add(call, conf)
        assert info(a_node)["link"] == "net0"
        await one.check(call, after(conf, result))
        await detach(kernel, one, call, after(conf, result))
