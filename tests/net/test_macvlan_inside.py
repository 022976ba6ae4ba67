"""Type `macvlan` on an interface of the sandbox (`linkInContainer`)."""

from __future__ import annotations

import pytest

from cni.net.kernel import Kernel
from planes.model.errors import BadInput, NotFound
from tests.support.node.netns import Node
from tests.support.node.on_master import (
    V4,
    after,
    call_in,
    left_as_found,
    netconf,
    plugin,
    with_addresses,
)
from tests.support.node.plugins import detach

pytestmark = pytest.mark.kernel


def prepare(node: Node) -> None:
    argv = ("link", "add", "net0", "type", "veth", "peer", "name", "net0", "netns")
    node.sandbox.ip(*argv, node.far.name)
    node.sandbox.ip("link", "set", "net0", "up")
    node.far.ip("link", "set", "net0", "up")


async def test_its_master_is_an_interface_of_the_sandbox(kernel: Kernel, a_node: Node) -> None:
    prepare(a_node)
    conf = with_addresses("macvlan", master="net0", linkInContainer=True, mode="private")
    one, call = plugin(kernel, "macvlan"), call_in(a_node.sandbox)
    with left_as_found(a_node):
        result = await one.add(call, conf)
        [link] = a_node.sandbox.ip_json("link", "show", "net1")
        assert link["link"] == "net0"
        assert link["linkinfo"]["info_data"]["mode"] == "private"
        assert [ip.address for ip in result.ips] == [V4]
        await one.check(call, after(conf, result))
        await detach(kernel, one, call, conf)


async def test_without_a_name_it_is_that_of_the_sandboxes_default_route(
    kernel: Kernel, a_node: Node
) -> None:
    prepare(a_node)
    conf = netconf("macvlan", linkInContainer=True)
    one, call = plugin(kernel, "macvlan"), call_in(a_node.sandbox)
    with pytest.raises(NotFound, match="no default route in the sandbox"):
        await one.add(call, conf)
    a_node.sandbox.ip("addr", "add", "10.7.0.1/24", "dev", "net0")
    a_node.sandbox.ip("route", "add", "default", "via", "10.7.0.9")
    await one.add(call, conf)
    assert a_node.sandbox.ip_json("link", "show", "net1")[0]["link"] == "net0"
    await detach(kernel, one, call, conf)


async def test_an_interface_of_the_host_is_none_of_the_sandbox(
    kernel: Kernel, a_node: Node
) -> None:
    """The error lists what the pod has, and nothing of the node."""
    prepare(a_node)
    conf = netconf("macvlan", master="eth1", linkInContainer=True)
    with left_as_found(a_node), pytest.raises(NotFound, match='"eth1" in the sandbox: it has net0'):
        await plugin(kernel, "macvlan").add(call_in(a_node.sandbox), conf)


async def test_its_mtu_is_at_most_that_of_its_master(kernel: Kernel, a_node: Node) -> None:
    prepare(a_node)
    conf = netconf("macvlan", master="net0", linkInContainer=True, mtu=1501)
    with left_as_found(a_node), pytest.raises(BadInput, match="that of net0, 1500") as refused:
        await plugin(kernel, "macvlan").add(call_in(a_node.sandbox), conf)
    assert "raise that of net0 in the pod" in refused.value.remedy


async def test_both_are_removed_together(kernel: Kernel, a_node: Node) -> None:
    """A macvlan of the host, and one on it: one DEL removes them as a group."""
    one = plugin(kernel, "macvlan")
    lower, upper = netconf("macvlan", master="eth1"), netconf("macvlan", master="net1")
    inside = type(upper)({**upper.raw, "linkInContainer": True})
    with left_as_found(a_node):
        await one.add(call_in(a_node.sandbox, "net1"), lower)
        await one.add(call_in(a_node.sandbox, "net2"), inside)
        await kernel.remove_links(a_node.sandbox.path, ("net2", "net1"))
