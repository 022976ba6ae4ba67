"""VLANs of a bridge, by traffic and by what is left; in a kernel that keeps them apart."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from cni.net.kernel import Kernel
from cni.plugins.plugin import Call, NativePlugin
from planes.model.errors import Conflict, PlanesError
from planes.model.wire.netconf import NetConf
from tests.net.names import link_names
from tests.support.node.netns import Namespace, Node, namespace, why_no_vlan_filtering
from tests.support.node.plugins import detach, ours
from tests.support.node.scenarios import static

pytestmark = [pytest.mark.kernel, pytest.mark.second_kernel, pytest.mark.timeout(90)]


@pytest.fixture(autouse=True)
def _vlans() -> None:
    if reason := why_no_vlan_filtering():
        pytest.skip(reason)


@pytest.fixture
def pods(a_node: Node) -> Iterator[list[Namespace]]:
    """Four sandboxes on the node."""
    with ExitStack() as stack:
        yield [a_node.sandbox, *(stack.enter_context(namespace("pod")) for _ in range(3))]


def netconf(address: str = "", gateway: str = "", **conf: Any) -> NetConf:
    made: dict[str, Any] = {"cniVersion": "1.0.0", "name": "testnet", "type": "bridge", **conf}
    if address:
        made["ipam"] = static({"address": address, **({"gateway": gateway} if gateway else {})})
    return NetConf(made)


def bridge(kernel: Kernel) -> NativePlugin:
    return ours(kernel).plugin("bridge")


def calls(pods: list[Namespace]) -> list[Call]:
    return [Call(f"c{at}", pod.path, "net1") for at, pod in enumerate(pods)]


async def attach(kernel: Kernel, pods: list[Namespace], confs: list[NetConf]) -> None:
    for call, conf in zip(calls(pods), confs, strict=True):
        await bridge(kernel).add(call, conf)


def pings(space: Namespace, address: str) -> bool:
    return "1 received" in space.run("sh", "-c", f"ping -c 1 -W 2 {address} || true")


async def test_only_ports_of_one_vlan_reach_each_other(
    kernel: Kernel, pods: list[Namespace]
) -> None:
    vlans: list[dict[str, Any]] = [{"vlan": 100}, {"vlan": 100}, {"vlan": 200}, {}]
    confs = [netconf(f"10.9.0.{at + 2}/24", **vlan) for at, vlan in enumerate(vlans)]
    await attach(kernel, pods, confs)
    assert pings(pods[0], "10.9.0.3")
    assert not pings(pods[0], "10.9.0.4")
    assert not pings(pods[0], "10.9.0.5")


async def test_a_trunk_carries_its_vlans_tagged_and_no_others(
    kernel: Kernel, pods: list[Namespace]
) -> None:
    trunk = netconf(vlanTrunk=[{"minID": 100, "maxID": 101}])
    access = [netconf("10.9.0.3/24", vlan=100), netconf("10.9.0.4/24", vlan=200)]
    await attach(kernel, pods[:3], [trunk, *access])
    for vlan, address in ((100, "10.9.0.2/24"), (200, "10.9.0.6/24")):
        name = f"net1.{vlan}"
        kind = ("type", "vlan", "id", str(vlan))
        pods[0].ip("link", "add", "link", "net1", "name", name, *kind)
        pods[0].ip("addr", "add", address, "dev", name)
        pods[0].ip("link", "set", name, "up")
    assert pings(pods[1], "10.9.0.2")
    assert not pings(pods[2], "10.9.0.6")


async def test_pods_of_a_vlan_reach_its_gateway_which_they_share(
    kernel: Kernel, a_node: Node, pods: list[Namespace]
) -> None:
    """Both ADDs at once make one gateway interface, which stays after DEL."""
    more = {"vlan": 100, "isDefaultGateway": True, "macspoofchk": True}
    confs = [netconf(f"10.9.0.{at}/24", "10.9.0.1", **more) for at in (2, 3)]
    pairs = list(zip(calls(pods[:2]), confs, strict=True))
    results = await asyncio.gather(*(bridge(kernel).add(*pair) for pair in pairs))
    for (call, conf), result in zip(pairs, results, strict=True):
        checked = NetConf({**conf.raw, "prevResult": result.to_version("1.0.0")})
        await bridge(kernel).check(call, checked)
    assert {result.interfaces[3].name for result in results} == {"cni0.100"}
    assert pings(pods[0], "10.9.0.1")
    assert pings(pods[1], "10.9.0.1")
    for pair in pairs:
        await detach(kernel, bridge(kernel), *pair)
    left = {link["ifname"]: link for link in a_node.host.ip_json("link")}
    ports = [name for name, link in left.items() if link.get("master") == "cni0"]
    assert set(left) == {"lo", "eth1", "cni0", "cni0.100", *ports}
    assert len(ports) == 1


async def test_a_gateway_interface_of_something_else_is_refused(
    kernel: Kernel, a_node: Node
) -> None:
    """The reference would put the pods' gateway on it."""
    a_node.host.ip("link", "add", "cni0.100", "type", "veth", "peer", "name", "elsewhere")
    conf = netconf("10.9.0.2/24", "10.9.0.1", vlan=100, isGateway=True)
    with pytest.raises(Conflict, match=r"cannot use cni0\.100 as the gateway of bridge cni0"):
        await bridge(kernel).add(Call("c1", a_node.sandbox.path, "net1"), conf)
    assert await link_names(kernel, a_node.sandbox.path) == {"lo"}
    assert a_node.host.ip("-4", "addr", "show", "cni0.100") == ""


async def test_a_vlan_interface_on_the_bridge_can_be_the_gateway(
    kernel: Kernel, a_node: Node
) -> None:
    """An administrator's own interface of that VLAN keeps its place."""
    a_node.host.ip("link", "add", "cni0", "type", "bridge", "vlan_filtering", "1")
    vlan = ("name", "cni0.100", "type", "vlan", "id", "100")
    a_node.host.ip("link", "add", "link", "cni0", *vlan)
    a_node.host.run("bridge", "vlan", "add", "vid", "100", "dev", "cni0", "self")
    conf = netconf("10.9.0.2/24", "10.9.0.1", vlan=100, isGateway=True)
    await bridge(kernel).add(Call("c1", a_node.sandbox.path, "net1"), conf)
    assert pings(a_node.sandbox, "10.9.0.1")


async def test_a_failed_add_leaves_the_bridge_alone(kernel: Kernel, a_node: Node) -> None:
    ipam = static({"address": "10.9.0.2/24"}, routes=[{"dst": "10.1.0.0/16", "gw": "172.31.0.1"}])
    conf = NetConf({**netconf(vlan=100, vlanTrunk=[{"id": 7}]).raw, "ipam": ipam})
    with pytest.raises(PlanesError, match=r"cannot add route to 10\.1\.0\.0/16"):
        await bridge(kernel).add(Call("c1", a_node.sandbox.path, "net1"), conf)
    names = {link["ifname"] for link in a_node.host.ip_json("link")}
    assert names == {"lo", "eth1", "cni0"}
    assert await link_names(kernel, a_node.sandbox.path) == {"lo"}
