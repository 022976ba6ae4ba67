"""Which links of the host pass no frames, as the kernel reports it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from cni.net.kernel import Kernel
from cni.net.sandboxes import LOOK_SECONDS, KernelSandboxes
from cni.net.uplink_carrier import DeadLink, LinkUse, Uplink, dead_links
from tests.support.clock import FakeClock
from tests.support.node.netns import Node

pytestmark = pytest.mark.kernel


async def dead(kernel: Kernel, use: LinkUse, name: str, root: str = "") -> DeadLink | None:
    """Return what is wrong with one link."""
    one = Uplink(use, name)
    found = await kernel.run(lambda worker: dead_links(worker, [one], root))
    return found.get(one)


def vxlan(node: Node, name: str) -> None:
    """Make a link that is down, and is no veth."""
    options = ["id", name.removeprefix("vx"), "dev", "eth1", "dstport", "4789"]
    node.host.ip("link", "add", name, "type", "vxlan", *options)


def uplink(node: Node, name: str) -> None:
    """Make a port of br0 that leads out of the node, and is down."""
    vxlan(node, name)
    node.host.ip("link", "set", name, "master", "br0")


async def told(node: Node, name: str) -> None:
    """Wait until the kernel has told a link that the one below has lost its carrier."""
    async with asyncio.timeout(10):
        while "NO-CARRIER" not in node.host.ip_json("link", "show", name)[0]["flags"]:
            await asyncio.sleep(0.05)


async def test_a_link_that_is_up_with_a_carrier_passes_frames(kernel: Kernel, a_node: Node) -> None:
    assert await dead(kernel, LinkUse.MASTER, "eth1") is None


async def test_a_link_that_is_down_passes_no_frames(kernel: Kernel, a_node: Node) -> None:
    a_node.host.ip("link", "set", "eth1", "down")
    assert await dead(kernel, LinkUse.MASTER, "eth1") == DeadLink("eth1", is_up=False)


async def test_a_link_without_carrier_passes_no_frames(kernel: Kernel, a_node: Node) -> None:
    a_node.far.ip("link", "set", "eth1", "down")
    assert await dead(kernel, LinkUse.MASTER, "eth1") == DeadLink("eth1", is_up=True)


async def test_a_driver_that_cannot_tell_of_a_carrier_is_believed(
    kernel: Kernel, a_node: Node
) -> None:
    assert a_node.host.ip_json("link", "show", "lo")[0]["operstate"] == "UNKNOWN"
    assert await dead(kernel, LinkUse.MASTER, "lo") is None
    vxlan(a_node, "vx0")
    assert await dead(kernel, LinkUse.MASTER, "vx0") == DeadLink("vx0", is_up=False)
    a_node.host.ip("link", "set", "vx0", "up")
    assert await dead(kernel, LinkUse.MASTER, "vx0") is None


async def test_of_links_on_each_other_the_lowest_is_at_fault(kernel: Kernel, a_node: Node) -> None:
    """A macvlan of the host stands for any upper device: VLAN interfaces behave the same."""
    a_node.host.ip("link", "add", "mac0", "link", "eth1", "type", "macvlan")
    assert await dead(kernel, LinkUse.MASTER, "mac0") == DeadLink("mac0", is_up=False)
    a_node.host.ip("link", "set", "mac0", "up")
    assert await dead(kernel, LinkUse.MASTER, "mac0") is None
    a_node.far.ip("link", "set", "eth1", "down")
    await told(a_node, "mac0")
    assert await dead(kernel, LinkUse.MASTER, "mac0") == DeadLink("eth1", is_up=True)
    a_node.host.ip("link", "set", "eth1", "down")
    assert await dead(kernel, LinkUse.MASTER, "mac0") == DeadLink("eth1", is_up=False)


async def test_an_alternative_name_is_found_however_long(kernel: Kernel, a_node: Node) -> None:
    a_node.host.ip("link", "property", "add", "dev", "eth1", "altname", "storage-network-one")
    assert await dead(kernel, LinkUse.MASTER, "storage-network-one") is None
    a_node.host.ip("link", "set", "eth1", "down")
    assert await dead(kernel, LinkUse.MASTER, "storage-network-one") == DeadLink(
        "eth1", is_up=False
    )


async def test_without_a_name_it_is_the_link_of_the_default_route(
    kernel: Kernel, a_node: Node
) -> None:
    assert await dead(kernel, LinkUse.MASTER, "") is None, "its plugin says that there is none"
    a_node.host.ip("addr", "add", "10.9.0.2/24", "dev", "eth1")
    a_node.host.ip("route", "add", "default", "via", "10.9.0.1")
    assert await dead(kernel, LinkUse.MASTER, "") is None
    a_node.far.ip("link", "set", "eth1", "down")
    assert await dead(kernel, LinkUse.MASTER, "") == DeadLink("eth1", is_up=True)


async def test_a_link_that_is_not_there_is_left_to_its_plugin(kernel: Kernel, a_node: Node) -> None:
    for use in LinkUse:
        assert await dead(kernel, use, "eth9") is None


async def test_a_device_that_is_moved_may_be_down_but_not_without_carrier(
    kernel: Kernel, a_node: Node
) -> None:
    a_node.host.ip("link", "set", "eth1", "down")
    assert await dead(kernel, LinkUse.MOVED, "eth1") is None
    a_node.host.ip("link", "set", "eth1", "up")
    a_node.far.ip("link", "set", "eth1", "down")
    assert await dead(kernel, LinkUse.MOVED, "eth1") == DeadLink("eth1", is_up=True)


async def test_a_bridge_of_pods_alone_passes_frames_up_or_down(
    kernel: Kernel, a_node: Node
) -> None:
    host = a_node.host
    host.ip("link", "add", "br0", "type", "bridge")
    assert await dead(kernel, LinkUse.BRIDGE, "br0") is None
    host.ip("link", "add", "vethpod", "type", "veth", "peer", "name", "pod")
    host.ip("link", "set", "vethpod", "master", "br0")
    assert await dead(kernel, LinkUse.BRIDGE, "br0") is None


async def test_a_bridge_passes_no_frames_when_none_of_its_uplinks_does(
    kernel: Kernel, a_node: Node
) -> None:
    host = a_node.host
    host.ip("link", "add", "br0", "type", "bridge")
    uplink(a_node, "vx0")
    uplink(a_node, "vx1")
    found = await dead(kernel, LinkUse.BRIDGE, "br0")
    assert found == DeadLink("br0", is_up=True, uplinks=("vx0", "vx1"))
    host.ip("link", "set", "vx1", "up")
    assert await dead(kernel, LinkUse.BRIDGE, "br0") is None
    host.ip("link", "del", "vx1")
    assert await dead(kernel, LinkUse.BRIDGE, "br0") == DeadLink("vx0", is_up=False)


async def test_upon_a_bridge_without_carrier_its_ports_are_named(
    kernel: Kernel, a_node: Node
) -> None:
    host = a_node.host
    host.ip("link", "add", "br0", "type", "bridge")
    host.ip("link", "set", "br0", "up")
    assert await dead(kernel, LinkUse.MASTER, "br0") is None, (
        "one that never had a port has a carrier"
    )
    uplink(a_node, "vx0")
    await told(a_node, "br0")
    assert await dead(kernel, LinkUse.MASTER, "br0") == DeadLink("vx0", is_up=False)


async def test_of_a_virtual_function_the_physical_one_counts(
    kernel: Kernel, a_node: Node, tmp_path: Path
) -> None:
    address = "0000:03:02.0"
    (tmp_path / f"sys/bus/pci/devices/{address}/physfn/net/eth1").mkdir(parents=True)
    assert await dead(kernel, LinkUse.FUNCTION, address, str(tmp_path)) is None
    a_node.host.ip("link", "set", "eth1", "down")
    found = await dead(kernel, LinkUse.FUNCTION, address, str(tmp_path))
    assert found == DeadLink("eth1", is_up=False)
    assert await dead(kernel, LinkUse.FUNCTION, "../../eth1", str(tmp_path)) is None


async def test_a_bridge_that_was_well_is_not_looked_at_again_for_a_moment(
    kernel: Kernel, a_node: Node
) -> None:
    host, clock = a_node.host, FakeClock()
    host.ip("link", "add", "br0", "type", "bridge")
    sandboxes = KernelSandboxes(kernel, clock)
    uplinks = (Uplink(LinkUse.BRIDGE, "br0"), Uplink(LinkUse.MASTER, "eth1"))
    assert not (await sandboxes.survey(a_node.sandbox.path, uplinks)).dead
    uplink(a_node, "vx0")
    host.ip("link", "set", "eth1", "down")
    assert set((await sandboxes.survey(a_node.sandbox.path, uplinks)).dead) == {uplinks[1]}
    clock.advance(LOOK_SECONDS)
    assert set((await sandboxes.survey(a_node.sandbox.path, uplinks)).dead) == set(uplinks)
    host.ip("link", "set", "vx0", "up")
    host.ip("link", "set", "eth1", "up")
    assert not (await sandboxes.survey(a_node.sandbox.path, uplinks)).dead, "seen at once"
