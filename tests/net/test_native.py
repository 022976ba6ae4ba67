"""Native plugins beyond the reference: L2 CHECK, duplicate detection, DEL without namespace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cni.native.registry import native_plugins
from cni.net.find_master import find_master
from cni.net.kernel import Kernel
from cni.net.new_links import Placement, new_macvlan
from cni.net.placement import place_by_rename
from cni.net.workers import Worker
from cni.plugins.plugin import Call, NativePlugin
from planes.model.errors import BadInput, Conflict, NotFound, PlanesError, Unavailable
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Result
from tests.net.names import link_names
from tests.support.node.netns import Node
from tests.support.node.plugins import NoPlugin, detach, ipams
from tests.support.node.scenarios import V4, V6, host_local

pytestmark = pytest.mark.kernel


def netconf(**conf: Any) -> NetConf:
    return NetConf({"cniVersion": "1.0.0", "name": "testnet", **conf})


def plugin(kernel: Kernel, name: str) -> NativePlugin:
    return native_plugins(kernel, ipams(), NoPlugin())[name]


def with_previous(conf: NetConf, result: Result) -> NetConf:
    return NetConf({**conf.raw, "prevResult": result.to_version("1.0.0")})


@pytest.mark.parametrize("kind", ["macvlan", "bridge"])
async def test_check_passes_without_addresses_and_sees_a_lost_link(
    kind: str, kernel: Kernel, a_node: Node
) -> None:
    """The reference's bridge cannot CHECK a network without IPAM; ours can."""
    conf = netconf(type=kind, master="eth1")
    one, call = plugin(kernel, kind), Call("c1", a_node.sandbox.path, "net1")
    checked = with_previous(conf, await one.add(call, conf))
    await one.check(call, checked)
    a_node.sandbox.ip("link", "del", "net1")
    with pytest.raises(NotFound):
        await one.check(call, checked)
    await detach(kernel, one, call, checked)


@pytest.mark.parametrize(
    "harm",
    [
        ("addr", "del", "10.9.0.2/24", "dev", "net1"),
        ("route", "del", "10.1.0.0/16"),
        ("link", "set", "net1", "address", "c2:11:22:33:44:55"),
    ],
    ids=["address", "route", "mac"],
)
async def test_check_sees_what_was_changed(
    harm: tuple[str, ...], kernel: Kernel, a_node: Node, tmp_path: Path
) -> None:
    ipam = host_local(V4, dataDir=str(tmp_path), routes=[{"dst": "10.1.0.0/16"}])
    conf = netconf(type="bridge", ipam=ipam)
    one, call = plugin(kernel, "bridge"), Call("c1", a_node.sandbox.path, "net1")
    checked = with_previous(conf, await one.add(call, conf))
    await one.check(call, checked)
    a_node.sandbox.ip(*harm)
    with pytest.raises(PlanesError):
        await one.check(call, checked)
    await detach(kernel, one, call, checked)


async def test_check_needs_a_previous_result(kernel: Kernel, a_node: Node) -> None:
    conf = netconf(type="macvlan", master="eth1")
    with pytest.raises(BadInput, match="prevResult missing"):
        await plugin(kernel, "macvlan").check(Call("c1", a_node.sandbox.path, "net1"), conf)


async def test_sandbox_announces_its_addresses(
    kernel: Kernel, a_node: Node, tmp_path: Path
) -> None:
    conf = netconf(type="macvlan", master="eth1", ipam=host_local(V4, dataDir=str(tmp_path)))
    call = Call("c1", a_node.sandbox.path, "net1")
    await plugin(kernel, "macvlan").add(call, conf)
    assert a_node.sandbox.sysctl("ipv4/conf/net1/arp_notify") == "1"
    assert a_node.sandbox.sysctl("ipv6/conf/net1/ndisc_notify") == "1"
    await detach(kernel, plugin(kernel, "macvlan"), call, conf)


async def test_ipv6_works_where_the_sandbox_has_it_switched_off(
    kernel: Kernel, a_node: Node, tmp_path: Path
) -> None:
    a_node.sandbox.run("sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6")
    conf = netconf(type="bridge", ipam=host_local(V6, dataDir=str(tmp_path)))
    call = Call("c1", a_node.sandbox.path, "net1")
    await plugin(kernel, "bridge").add(call, conf)
    assert a_node.sandbox.sysctl("ipv6/conf/net1/keep_addr_on_down") == "1"
    assert "fd00:9::2/64" in a_node.sandbox.ip("-6", "addr", "show", "net1")
    await detach(kernel, plugin(kernel, "bridge"), call, conf)


async def test_a_duplicate_ipv6_address_is_found_and_undone(
    kernel: Kernel, a_node: Node, tmp_path: Path
) -> None:
    """Somebody on the segment has the address: ADD fails instead of giving out a dead one."""
    a_node.far.ip("addr", "add", "fd00:9::2/64", "dev", "eth1", "nodad")
    ipam = host_local(V6, dataDir=str(tmp_path), routes=[{"dst": "::/0"}])
    conf = netconf(type="macvlan", master="eth1", ipam=ipam)
    call = Call("c1", a_node.sandbox.path, "net1")
    with pytest.raises(Conflict, match="somebody else on the link has it"):
        await plugin(kernel, "macvlan").add(call, conf)
    assert await link_names(kernel, a_node.sandbox.path) == {"lo"}
    assert list(tmp_path.glob("testnet/fd00*")) == []


@pytest.mark.parametrize("kind", ["macvlan", "bridge"])
async def test_ipv6_addresses_are_settled_without_a_gateway_too(
    kind: str, kernel: Kernel, a_node: Node
) -> None:
    ipam = {"type": "static", "addresses": [{"address": "fd00:9::2/64"}]}
    conf = netconf(type=kind, ipam=ipam, **({"master": "eth1"} if kind == "macvlan" else {}))
    call = Call("c1", a_node.sandbox.path, "net1")
    await plugin(kernel, kind).add(call, conf)
    assert "fd00:9::2/64" in a_node.sandbox.ip("-6", "addr", "show", "net1")
    assert "fd00:9::2/64" not in a_node.sandbox.ip("-6", "addr", "show", "net1", "tentative")
    await detach(kernel, plugin(kernel, kind), call, conf)


async def test_a_duplicate_without_a_gateway_is_found_and_named(
    kernel: Kernel, a_node: Node
) -> None:
    a_node.far.ip("addr", "add", "fd00:9::2/64", "dev", "eth1", "nodad")
    ipam = {"type": "static", "addresses": [{"address": "fd00:9::2/64"}]}
    conf = netconf(type="macvlan", master="eth1", ipam=ipam)
    with pytest.raises(Conflict, match="address fd00:9::2/64 on net1: somebody else on the link"):
        await plugin(kernel, "macvlan").add(Call("c1", a_node.sandbox.path, "net1"), conf)
    assert await link_names(kernel, a_node.sandbox.path) == {"lo"}


async def test_delete_without_namespace_gives_addresses_and_rules_back(
    kernel: Kernel, a_node: Node, tmp_path: Path
) -> None:
    """The reference leaves masquerading rules behind here."""
    ipam = host_local(V4, dataDir=str(tmp_path))
    conf = netconf(type="bridge", isGateway=True, ipMasq=True, ipam=ipam)
    one, call = plugin(kernel, "bridge"), Call("c1", a_node.sandbox.path, "net1")
    await one.add(call, conf)
    a_node.sandbox.ip("link", "del", "net1")
    await detach(
        kernel, one, Call("c1", "", "net1"), NetConf({**conf.raw, "prevResult": {"ips": 5}})
    )
    await detach(kernel, one, Call("c1", "/run/netns/np-t-none", "net1"), conf)
    assert "CNI-" not in a_node.host.run("iptables-save", "-t", "nat")
    assert list(tmp_path.glob("testnet/10.*")) == []


async def test_forward_address_of_the_bridge_is_replaced_only_where_allowed(
    kernel: Kernel, a_node: Node, tmp_path: Path
) -> None:
    a_node.host.ip("link", "add", "cni0", "type", "bridge")
    a_node.host.ip("addr", "add", "10.77.0.1/24", "dev", "cni0")
    ipam = host_local(V4, dataDir=str(tmp_path))
    conf = netconf(type="bridge", isGateway=True, ipam=ipam)
    one, call = plugin(kernel, "bridge"), Call("c1", a_node.sandbox.path, "net1")
    with pytest.raises(Conflict, match="already has an IP address different from"):
        await one.add(call, conf)
    forced = NetConf({**conf.raw, "forceAddress": True})
    await one.add(call, forced)
    shown = a_node.host.ip("-4", "addr", "show", "cni0")
    assert "10.9.0.1/24" in shown
    assert "10.77.0.1" not in shown
    await detach(kernel, one, call, forced)


async def test_a_bridge_with_the_gateways_address_keeps_its_mac(
    kernel: Kernel, a_node: Node, tmp_path: Path
) -> None:
    """Else it would take the lowest MAC of its ports, and neighbours would have to find it anew."""
    a_node.host.ip("link", "add", "cni0", "type", "bridge")
    a_node.host.ip("link", "set", "eth1", "address", "fe:ff:ff:ff:ff:ff", "master", "cni0")
    a_node.host.ip("addr", "add", "10.9.0.1/24", "dev", "cni0")
    conf = netconf(type="bridge", isGateway=True, ipam=host_local(V4, dataDir=str(tmp_path)))
    one, call = plugin(kernel, "bridge"), Call("c1", a_node.sandbox.path, "net1")
    result = await one.add(call, conf)
    assert result.interfaces[0].mac == "fe:ff:ff:ff:ff:ff"
    await detach(kernel, one, call, conf)


async def test_something_else_than_a_bridge_is_refused(kernel: Kernel, a_node: Node) -> None:
    conf = netconf(type="bridge", bridge="eth1")
    with pytest.raises(Conflict, match="already exists but is not a bridge"):
        await plugin(kernel, "bridge").add(Call("c1", a_node.sandbox.path, "net1"), conf)


@pytest.mark.parametrize(
    ("kind", "more", "key"),
    [
        ("bridge", {"vlan": 100, "vlanTrunk": [{"id": 5}], "macspoofchk": True}, ""),
        ("macvlan", {"linkInContainer": True}, ""),
        ("macvlan", {}, ""),
    ],
)
def test_what_goes_to_the_binary_is_named(
    kind: str, more: dict[str, Any], key: str, kernel: Kernel
) -> None:
    assert plugin(kernel, kind).unsupported(netconf(type=kind, **more)) == key


async def test_ports_can_be_isolated(kernel: Kernel, a_node: Node) -> None:
    """Newer than the installed reference: read back from the kernel."""
    conf = netconf(type="bridge", portIsolation=True)
    call = Call("c1", a_node.sandbox.path, "net1")
    await plugin(kernel, "bridge").add(call, conf)
    port = next(one for one in a_node.host.ip_json("link") if one.get("master") == "cni0")
    assert port["linkinfo"]["info_slave_data"]["isolated"] is True
    await detach(kernel, plugin(kernel, "bridge"), call, conf)


async def test_addresses_still_tentative_in_time_fail_the_add(a_node: Node, tmp_path: Path) -> None:
    """Waiting for duplicate address detection is bounded; without carrier it cannot end at all."""
    ipam = host_local(V6, dataDir=str(tmp_path), routes=[{"dst": "::/0"}])
    conf = netconf(type="macvlan", master="eth1", ipam=ipam)
    call = Call("c1", a_node.sandbox.path, "net1")
    hasty = Kernel(a_node.host.path, settle_seconds=0.1)
    try:
        with pytest.raises(Unavailable, match=r"still tentative after 0\.1 s"):
            await plugin(hasty, "macvlan").add(call, conf)
        assert await link_names(hasty, a_node.sandbox.path) == {"lo"}
        a_node.far.ip("link", "set", "eth1", "down")
        await plugin(hasty, "macvlan").add(call, conf)
        assert "default via fd00:9::1" in a_node.sandbox.ip("-6", "route")
        await detach(hasty, plugin(hasty, "macvlan"), call, conf)
    finally:
        hasty.close()


async def test_a_link_can_travel_under_another_name(kernel: Kernel, a_node: Node) -> None:
    """The way of older kernels, where a name in use on the host is refused."""

    def create(worker: Worker) -> None:
        master = find_master(worker.host, "eth1")
        with worker.sandbox(a_node.sandbox.path) as sandbox:
            place_by_rename(
                worker.host,
                sandbox,
                Placement("eth1", sandbox.fd),
                lambda at: new_macvlan(at, master=master, mode=4),
            )

    await kernel.run(create)
    assert await link_names(kernel, a_node.sandbox.path) == {"lo", "eth1"}
    with pytest.raises(Conflict):
        await kernel.run(create)
    assert await link_names(kernel, a_node.sandbox.path) == {"lo", "eth1"}


async def test_the_default_master_is_the_device_of_the_default_route(
    kernel: Kernel, a_node: Node
) -> None:
    conf = netconf(type="macvlan")
    call = Call("c1", a_node.sandbox.path, "net1")
    with pytest.raises(NotFound, match="there is no default route"):
        await plugin(kernel, "macvlan").add(call, conf)
    a_node.host.ip("addr", "add", "10.7.0.1/24", "dev", "eth1")
    a_node.host.ip("route", "add", "default", "via", "10.7.0.9")
    await plugin(kernel, "macvlan").add(call, conf)
    await detach(kernel, plugin(kernel, "macvlan"), call, conf)


@pytest.mark.parametrize("mtu", [-1, 1501])
async def test_mtu_must_fit_the_master(mtu: int, kernel: Kernel, a_node: Node) -> None:
    conf = netconf(type="macvlan", master="eth1", mtu=mtu)
    with pytest.raises(BadInput, match=f"cannot use MTU {mtu}"):
        await plugin(kernel, "macvlan").add(Call("c1", a_node.sandbox.path, "net1"), conf)
