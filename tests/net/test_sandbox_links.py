"""Types loopback and dummy, whose interfaces are in the sandbox alone."""

from __future__ import annotations

from typing import Any

import pytest

from cni.net.kernel import Kernel
from cni.plugins.plugin import Call
from planes.model.errors import BadInput, Conflict, PlanesError
from planes.model.wire.netconf import NetConf
from tests.net.names import link_names
from tests.support.node.netns import Node, why_no_link_kind
from tests.support.node.plugins import detach, ours
from tests.support.node.scenarios import static

pytestmark = pytest.mark.kernel

ADDRESSES = static({"address": "10.9.0.7/32"}, {"address": "fd00:9::7/128"})


def netconf(**conf: Any) -> NetConf:
    return NetConf({"cniVersion": "1.0.0", "name": "testnet", **conf})


async def test_check_of_loopback_sees_it_down(kernel: Kernel, a_node: Node) -> None:
    one, conf = ours(kernel).plugin("loopback"), netconf(type="loopback")
    call = Call("c1", a_node.sandbox.path, "lo")
    await one.add(call, conf)
    await one.check(call, conf)
    a_node.sandbox.ip("link", "set", "lo", "down")
    with pytest.raises(Conflict, match="it is down"):
        await one.check(call, conf)


async def test_delete_of_loopback_needs_no_sandbox(kernel: Kernel, a_node: Node) -> None:
    one, conf = ours(kernel).plugin("loopback"), netconf(type="loopback")
    for netns in ("", "/run/netns/np-t-none", a_node.sandbox.path, a_node.sandbox.path):
        await detach(kernel, one, Call("c1", netns, "lo"), conf)
    assert await link_names(kernel, a_node.sandbox.path) == {"lo"}


async def test_an_address_of_the_pod_on_loopback_is_refused(kernel: Kernel, a_node: Node) -> None:
    """It is named, and `lo` is down again."""
    a_node.sandbox.ip("addr", "add", "10.9.0.9/32", "dev", "lo")
    one, conf = ours(kernel).plugin("loopback"), netconf(type="loopback")
    with pytest.raises(Conflict, match=r"it has 10\.9\.0\.9/32, which is no loopback"):
        await one.add(Call("c1", a_node.sandbox.path, "lo"), conf)
    assert "UP" not in a_node.sandbox.ip_json("link", "show", "lo")[0]["flags"]


async def test_a_failed_add_leaves_loopback_up_that_was(kernel: Kernel, a_node: Node) -> None:
    a_node.sandbox.ip("link", "set", "lo", "up")
    a_node.sandbox.ip("addr", "add", "10.9.0.9/32", "dev", "lo")
    one, conf = ours(kernel).plugin("loopback"), netconf(type="loopback")
    with pytest.raises(Conflict):
        await one.add(Call("c1", a_node.sandbox.path, "lo"), conf)
    assert "UP" in a_node.sandbox.ip_json("link", "show", "lo")[0]["flags"]


async def test_a_dummy_needs_addresses(kernel: Kernel, a_node: Node) -> None:
    call = Call("c1", a_node.sandbox.path, "net1")
    with pytest.raises(BadInput, match="requires an IPAM configuration"):
        await ours(kernel).plugin("dummy").add(call, netconf(type="dummy"))


async def test_a_kernel_without_dummy_is_named(kernel: Kernel, a_node: Node) -> None:
    if not why_no_link_kind("dummy"):
        pytest.skip("this kernel has dummy")
    call = Call("c1", a_node.sandbox.path, "net1")
    with pytest.raises(BadInput, match="the kernel of this node has no dummy"):
        await ours(kernel).plugin("dummy").add(call, netconf(type="dummy", ipam=ADDRESSES))


@pytest.mark.second_kernel
@pytest.mark.parametrize(
    "harm",
    [
        ("addr", "del", "10.9.0.7/32", "dev", "net1"),
        ("link", "set", "net1", "down"),
        ("link", "set", "net1", "address", "c2:11:22:33:44:55"),
        ("link", "del", "net1"),
    ],
    ids=["address", "down", "mac", "link"],
)
async def test_check_of_a_dummy_sees_what_was_changed(
    harm: tuple[str, ...], kernel: Kernel, a_node: Node
) -> None:
    """One address alone has no route of its network, which CHECK does not miss."""
    if reason := why_no_link_kind("dummy"):
        pytest.skip(reason)
    one, conf = ours(kernel).plugin("dummy"), netconf(type="dummy", ipam=ADDRESSES)
    call = Call("c1", a_node.sandbox.path, "net1")
    result = await one.add(call, conf)
    checked = NetConf({**conf.raw, "prevResult": result.to_version("1.0.0")})
    await one.check(call, checked)
    a_node.sandbox.ip(*harm)
    with pytest.raises(PlanesError):
        await one.check(call, checked)
    for netns in (call.netns, call.netns, "", "/run/netns/np-t-none"):
        await detach(kernel, one, Call("c1", netns, "net1"), checked)
    assert await link_names(kernel, a_node.sandbox.path) == {"lo"}


@pytest.mark.second_kernel
async def test_a_dummy_whose_route_is_refused_is_gone(kernel: Kernel, a_node: Node) -> None:
    if reason := why_no_link_kind("dummy"):
        pytest.skip(reason)
    routes = [{"dst": "10.1.0.0/16", "gw": "172.31.0.1"}]
    conf = netconf(type="dummy", ipam=static({"address": "10.9.0.7/24"}, routes=routes))
    call = Call("c1", a_node.sandbox.path, "net1")
    with pytest.raises(PlanesError, match=r"cannot add route to 10\.1\.0\.0/16"):
        await ours(kernel).plugin("dummy").add(call, conf)
    assert await link_names(kernel, a_node.sandbox.path) == {"lo"}
