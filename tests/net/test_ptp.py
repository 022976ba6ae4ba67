"""Type ptp beyond the reference: refusals, CHECK, DEL without sandbox, traffic."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cni.net.kernel import Kernel
from cni.plugins.plugin import Call, NativePlugin
from planes.model.errors import BadInput, PlanesError
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Result
from tests.net.names import link_names
from tests.support.node.netns import Node, namespace
from tests.support.node.plugins import detach, ours
from tests.support.node.scenarios import V4, host_local, static

pytestmark = pytest.mark.kernel


def netconf(**conf: Any) -> NetConf:
    return NetConf({"cniVersion": "1.0.0", "name": "testnet", "type": "ptp", **conf})


def ptp(kernel: Kernel) -> NativePlugin:
    return ours(kernel).plugin("ptp")


def with_previous(conf: NetConf, result: Result) -> NetConf:
    return NetConf({**conf.raw, "prevResult": result.to_version("1.0.0")})


async def test_pods_of_one_network_reach_each_other_through_the_host(
    kernel: Kernel, a_node: Node, tmp_path: Path
) -> None:
    conf = netconf(ipam=host_local(V4, dataDir=str(tmp_path), routes=[{"dst": "0.0.0.0/0"}]))
    with namespace("pod") as other:
        calls = [Call("c1", a_node.sandbox.path, "net1"), Call("c2", other.path, "net1")]
        for call in calls:
            await ptp(kernel).add(call, conf)
        assert "1 received" in a_node.sandbox.run("ping", "-c", "1", "-W", "2", "10.9.0.3")
        for call in calls:
            await detach(kernel, ptp(kernel), call, conf)
    assert [one for one in a_node.host.ip_json("link") if "veth" in one["ifname"]] == []


@pytest.mark.parametrize(
    "harm",
    [
        ("addr", "del", "10.9.0.2/24", "dev", "net1"),
        ("route", "del", "10.9.0.0/24"),
        ("route", "del", "10.1.0.0/16"),
        ("link", "set", "net1", "address", "c2:11:22:33:44:55"),
        ("link", "del", "net1"),
    ],
    ids=["address", "network-route", "route", "mac", "link"],
)
async def test_check_sees_what_was_changed(
    harm: tuple[str, ...], kernel: Kernel, a_node: Node, tmp_path: Path
) -> None:
    conf = netconf(ipam=host_local(V4, dataDir=str(tmp_path), routes=[{"dst": "10.1.0.0/16"}]))
    call = Call("c1", a_node.sandbox.path, "net1")
    checked = with_previous(conf, await ptp(kernel).add(call, conf))
    await ptp(kernel).check(call, checked)
    a_node.sandbox.ip(*harm)
    with pytest.raises(PlanesError):
        await ptp(kernel).check(call, checked)
    await detach(kernel, ptp(kernel), call, checked)


@pytest.mark.parametrize(
    ("conf", "text"),
    [
        ({}, "it has no ipam"),
        ({"mtu": -5, "ipam": static()}, "cannot use MTU -5"),
        ({"ipMasq": True, "ipMasqBackend": "pf", "ipam": static()}, "no backend 'pf'"),
        ({"ipam": static({"address": "10.9.0.7/24"})}, "needs a gateway of its family"),
        ({"ipam": static({"address": "10.9.0.7/24", "gateway": "fd00::1"})}, "of its family"),
    ],
    ids=["no-ipam", "mtu", "backend", "no-gateway", "other-family"],
)
async def test_what_cannot_be_connected_is_refused_and_leaves_nothing(
    conf: dict[str, Any], text: str, kernel: Kernel, a_node: Node
) -> None:
    before = len(a_node.host.ip_json("link"))
    with pytest.raises(BadInput, match=text):
        await ptp(kernel).add(Call("c1", a_node.sandbox.path, "net1"), netconf(**conf))
    assert await link_names(kernel, a_node.sandbox.path) == {"lo"}
    assert len(a_node.host.ip_json("link")) == before


@pytest.mark.parametrize("backend", ["iptables", "nftables"])
async def test_delete_without_sandbox_removes_rules_and_addresses(
    backend: str, kernel: Kernel, a_node: Node, tmp_path: Path
) -> None:
    """The reference leaves the rules here; twice is fine."""
    ipam = host_local(V4, dataDir=str(tmp_path))
    conf = netconf(ipMasq=True, ipMasqBackend=backend, ipam=ipam)
    result = await ptp(kernel).add(Call("c1", a_node.sandbox.path, "net1"), conf)
    a_node.sandbox.ip("link", "del", "net1")
    for netns in ("", "/run/netns/np-t-none"):
        await detach(kernel, ptp(kernel), Call("c1", netns, "net1"), conf)
    await detach(kernel, ptp(kernel), Call("c1", "", "net1"), with_previous(conf, result))
    text = a_node.host.run("iptables-save") + a_node.host.run("nft", "list", "ruleset")
    assert "10.9.0.2" not in text
    assert list(tmp_path.glob("testnet/10.*")) == []


async def test_an_address_of_its_own_network_needs_no_route_to_it(
    kernel: Kernel, a_node: Node
) -> None:
    """The kernel makes no route to a /32, so there is none to replace: the reference fails."""
    conf = netconf(ipam=static({"address": "10.9.0.7/32", "gateway": "10.9.0.1"}))
    call = Call("c1", a_node.sandbox.path, "net1")
    checked = with_previous(conf, await ptp(kernel).add(call, conf))
    await ptp(kernel).check(call, checked)
    assert "1 received" in a_node.host.run("ping", "-c", "1", "-W", "2", "10.9.0.7")
    await detach(kernel, ptp(kernel), call, checked)
