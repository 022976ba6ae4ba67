"""Type `vlan` in the kernel: id and MTU, a VLAN that is taken, refusals, DEL and CHECK."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cni.net.kernel import Kernel
from cni.plugins.plugin import Call
from planes.model.errors import BadInput, Conflict, NotFound, PlanesError, Unavailable
from tests.support.node.netns import Namespace, Node, namespace, why_no_link_kind
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
def _has_vlan() -> None:
    if reason := why_no_link_kind("vlan"):
        pytest.skip(reason)


@pytest.fixture
def other() -> Iterator[Namespace]:
    with namespace("pod") as made:
        yield made


@pytest.mark.parametrize(("mtu", "has"), [(0, 1500), (1400, 1400), (1500, 1500)])
async def test_it_has_the_vlan_the_mtu_and_the_addresses(
    mtu: int, has: int, kernel: Kernel, a_node: Node
) -> None:
    conf = with_addresses("vlan", V4, V6, vlanId=100, mtu=mtu)
    one, call = plugin(kernel, "vlan"), call_in(a_node.sandbox)
    with left_as_found(a_node):
        result = await one.add(call, conf)
        [link] = a_node.sandbox.ip_json("link", "show", "net1")
        data = link["linkinfo"]["info_data"]
        assert (data["protocol"], data["id"], data["flags"]) == ("802.1Q", 100, ["REORDER_HDR"])
        assert link["mtu"] == has
        assert "UP" in link["flags"]
        assert result.interfaces[0].mac == link["address"]
        assert [ip.address for ip in result.ips] == [V4, V6]
        await one.check(call, after(conf, result))
        await detach(kernel, one, call, after(conf, result))


async def test_it_needs_no_addresses(kernel: Kernel, a_node: Node) -> None:
    """Releases of the reference before 1.10 refuse a VLAN without IPAM."""
    conf = netconf("vlan", master="eth1", vlanId=0)
    one, call = plugin(kernel, "vlan"), call_in(a_node.sandbox)
    with left_as_found(a_node):
        result = await one.add(call, conf)
        assert "UP" in a_node.sandbox.ip_json("link", "show", "net1")[0]["flags"]
        await one.check(call, after(conf, result))
        await detach(kernel, one, call, conf)


@pytest.mark.parametrize(
    ("harm", "more"),
    [
        (("addr", "del", V4, "dev", "net1"), {}),
        (("link", "set", "net1", "mtu", "1300"), {}),
        (("link", "set", "net1", "address", "c2:11:22:33:44:55"), {}),
        ((), {"vlanId": 101}),
    ],
    ids=["address", "mtu", "mac", "id"],
)
async def test_check_sees_what_was_changed(
    harm: tuple[str, ...], more: dict[str, Any], kernel: Kernel, a_node: Node
) -> None:
    conf = with_addresses("vlan", vlanId=100, mtu=1400)
    one, call = plugin(kernel, "vlan"), call_in(a_node.sandbox)
    result = await one.add(call, conf)
    await one.check(call, after(conf, result))
    if harm:
        a_node.sandbox.ip(*harm)
    with pytest.raises(PlanesError):
        await one.check(call, after(with_addresses("vlan", **{**conf.raw, **more}), result))
    await detach(kernel, one, call, conf)


async def test_a_vlan_that_is_taken_is_refused_with_the_reason(
    kernel: Kernel, a_node: Node, other: Namespace
) -> None:
    """A device has each VLAN once on the whole node, wherever its interface has gone."""
    conf, one = with_addresses("vlan", vlanId=100), plugin(kernel, "vlan")
    await one.add(call_in(a_node.sandbox), conf)
    with pytest.raises(Conflict, match="VLAN 100 of eth1 has an interface already"):
        await one.add(call_in(other, container="c2"), conf)
    assert [link["ifname"] for link in other.ip_json("link")] == ["lo"]
    second = with_addresses("vlan", vlanId=101)
    await one.add(call_in(other, container="c2"), second)
    await detach(kernel, one, call_in(other, container="c2"), second)
    await detach(kernel, one, call_in(a_node.sandbox), conf)


async def test_a_name_that_the_host_has_too_is_no_obstacle(kernel: Kernel, a_node: Node) -> None:
    conf, call = with_addresses("vlan", vlanId=100), call_in(a_node.sandbox, "eth1")
    with left_as_found(a_node):
        await plugin(kernel, "vlan").add(call, conf)
        await detach(kernel, plugin(kernel, "vlan"), call, conf)


async def test_delete_needs_neither_master_nor_namespace_nor_link(
    kernel: Kernel, a_node: Node, tmp_path: Path
) -> None:
    """The reference fails where the master is gone, and keeps the addresses."""
    ipam = host_local({"subnet": "10.9.0.0/24"}, dataDir=str(tmp_path))
    conf = netconf("vlan", master="eth1", vlanId=7, ipam=ipam)
    one, call = plugin(kernel, "vlan"), call_in(a_node.sandbox)
    await one.add(call, conf)
    assert (tmp_path / "testnet" / "10.9.0.2").exists()
    a_node.host.ip("link", "del", "eth1")
    for netns in (call.netns, "/run/netns/np-t-none", ""):
        await detach(kernel, one, Call("c1", netns, "net1"), conf)
    assert not (tmp_path / "testnet" / "10.9.0.2").exists()


@pytest.mark.parametrize(
    ("more", "fault", "text"),
    [
        ({"mtu": 1501}, BadInput, "from 0 to that of eth1, 1500"),
        ({"mtu": -1}, BadInput, "must be from 0 to"),
        ({"vlanId": 4095}, BadInput, "vlanId 4095: it must be from 0 to 4094"),
        ({"vlanId": -1}, BadInput, "vlanId -1: it must be from 0 to 4094"),
        ({"master": ""}, BadInput, '"master" is missing'),
        ({"master": "eth9"}, NotFound, "master device eth9 on this node"),
        ({"master": "eth9", "linkInContainer": True}, NotFound, '"eth9" in the sandbox: it has no'),
        ({"ipam": {"type": "static", "addresses": []}}, BadInput, "missing IP config"),
        ({"master": "lo"}, BadInput, "or lo takes no VLANs"),
    ],
)
async def test_a_failed_add_leaves_nothing(
    more: dict[str, Any], fault: type[PlanesError], text: str, kernel: Kernel, a_node: Node
) -> None:
    conf = with_addresses("vlan", **{"vlanId": 100, **more})
    with left_as_found(a_node), pytest.raises(fault, match=text):
        await plugin(kernel, "vlan").add(call_in(a_node.sandbox), conf)


async def test_an_address_with_an_unreachable_gateway_leaves_nothing(
    kernel: Kernel, a_node: Node, tmp_path: Path
) -> None:
    """The last step fails: link and address are undone."""
    routes = [{"dst": "10.1.0.0/16", "gw": "10.77.0.1"}]
    ipam = host_local({"subnet": "10.9.0.0/24"}, dataDir=str(tmp_path), routes=routes)
    conf = netconf("vlan", master="eth1", vlanId=100, ipam=ipam)
    with left_as_found(a_node, tmp_path), pytest.raises(PlanesError, match=r"route to 10\.1\.0\.0"):
        await plugin(kernel, "vlan").add(call_in(a_node.sandbox), conf)


async def test_a_master_that_is_down_is_named_as_the_cause(kernel: Kernel, a_node: Node) -> None:
    a_node.host.ip("link", "set", "eth1", "down")
    with left_as_found(a_node), pytest.raises(Unavailable, match="made on is down"):
        await plugin(kernel, "vlan").add(call_in(a_node.sandbox), with_addresses("vlan", vlanId=5))


async def test_its_master_may_be_an_interface_of_the_sandbox(kernel: Kernel, a_node: Node) -> None:
    """It goes with its master, and DEL after that is fine."""
    a_node.sandbox.ip("link", "add", "net0", "type", "veth", "peer", "name", "net0p")
    a_node.sandbox.ip("link", "set", "net0", "up")
    conf = with_addresses("vlan", master="net0", linkInContainer=True, vlanId=100)
    one, call = plugin(kernel, "vlan"), call_in(a_node.sandbox)
    with left_as_found(a_node):
        result = await one.add(call, conf)
        assert a_node.sandbox.ip_json("link", "show", "net1")[0]["link"] == "net0"
        await one.check(call, after(conf, result))
        await detach(kernel, one, call, conf)
    await one.add(call, conf)
    a_node.sandbox.ip("link", "del", "net0")
    await detach(kernel, one, call, conf)
