"""A pod with root deletes the device that was moved to it, and makes another link in its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from cni.native.device_records import DeviceRecords
from cni.net.kernel import Kernel
from cni.plugins.plugin import Call, NativePlugin
from tests.net.eth1_moves import netconf
from tests.support.node.netns import Namespace, Node
from tests.support.node.plugins import detach

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(60)]


def swap(node: Node, alias: str = "eth1") -> None:
    """Put a veth pair, of which the pod has the other end, in the place of net1."""
    index = str(node.sandbox.ip_json("link", "show", "net1")[0]["ifindex"])
    node.sandbox.ip("link", "del", "net1")
    words = ("link", "add", "net1", "index", index, "type", "veth")
    node.sandbox.ip(*words, "peer", "index", "77", "name", "spy")
    node.sandbox.ip("link", "set", "net1", "alias", alias)
    node.sandbox.ip("link", "set", "spy", "up")


@pytest.mark.parametrize("knows_index", [True, False])
async def test_a_link_of_the_pod_s_own_never_gets_to_the_host(
    knows_index: bool,
    kernel: Kernel,
    host_device: NativePlugin,
    a_node: Node,
    device_call: Call,
    busy_card: Namespace,
    device_records: Path,
) -> None:
    """It would be the pod's way into the host, with the addresses and routes of the device."""
    await host_device.add(device_call, netconf())
    kept = DeviceRecords(device_records)
    record = kept.load(device_call)
    assert record is not None
    if not knows_index:  # as after a kill
        kept.set_index(device_call, record, 0)
    swap(a_node)
    await detach(kernel, host_device, device_call, netconf())
    assert {one["ifname"] for one in a_node.host.ip_json("link")} == {"lo"}
    assert list(device_records.iterdir()) == []


async def test_a_link_of_the_pod_s_own_is_not_moved_for_its_alias(
    kernel: Kernel, host_device: NativePlugin, a_node: Node, device_call: Call
) -> None:
    """Without a record the alias is the name on the host, as with the reference plugin."""
    before = {one["ifname"] for one in a_node.host.ip_json("link")}
    a_node.sandbox.ip("link", "add", "net1", "type", "veth", "peer", "name", "spy")
    a_node.sandbox.ip("link", "set", "net1", "alias", "wan0")
    await detach(kernel, host_device, device_call, netconf())
    assert {one["ifname"] for one in a_node.host.ip_json("link")} == before
