"""Type `host-device`: what is refused or fails leaves nothing, and how a device is found."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cni.net.kernel import Kernel
from cni.plugins.device_taken import DeviceTaken
from cni.plugins.plugin import Call, NativePlugin
from planes.model.errors import BadInput, Conflict, Denied, NotFound, PlanesError
from tests.net.eth1_moves import ADDRESS, netconf, settled, with_previous
from tests.net.names import link_names
from tests.support.node.netns import Namespace, Node, picture
from tests.support.node.plugins import detach
from tests.support.node.scenarios import V4, host_local

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(180)]


REFUSED = {
    "route": (
        host_local(V4, routes=[{"dst": "10.1.0.0/16", "gw": "172.31.0.1"}]),
        "cannot add route",
    ),
    "addresses": ({"type": "static"}, "missing IP config"),
}


@pytest.mark.parametrize("step", REFUSED)
async def test_a_failed_add_leaves_nothing(
    step: str,
    host_device: NativePlugin,
    a_node: Node,
    device_call: Call,
    busy_card: Namespace,
    device_records: Path,
    tmp_path: Path,
) -> None:
    """The device is on the host as it was, and no address is held."""
    ipam, error = REFUSED[step]
    conf = netconf(ipam={**ipam, "dataDir": str(tmp_path / "ipam")})
    before, empty = await settled(a_node), picture(a_node.sandbox)
    with pytest.raises(PlanesError, match=error):
        await host_device.add(device_call, conf)
    assert await settled(a_node) == before
    assert picture(a_node.sandbox) == empty
    assert list(device_records.iterdir()) == []
    assert list((tmp_path / "ipam").glob("testnet/10.*")) == []


async def test_a_taken_interface_name_keeps_the_device_on_the_host(
    host_device: NativePlugin, a_node: Node, device_call: Call, busy_card: Namespace
) -> None:
    a_node.sandbox.ip("link", "add", "net1", "type", "bridge")
    before = await settled(a_node)
    with pytest.raises(Conflict, match="it has an interface net1"):
        await host_device.add(device_call, netconf())
    assert await settled(a_node) == before


async def test_a_device_that_another_pod_has_is_named_with_the_container(
    kernel: Kernel, host_device: NativePlugin, device_call: Call
) -> None:
    await host_device.add(device_call, netconf())
    second = replace(device_call, container_id="c2", ifname="net2")
    with pytest.raises(DeviceTaken, match=r"cannot use device eth1: container.*c1.*has it"):
        await host_device.add(second, netconf())
    await detach(kernel, host_device, second, netconf())
    await detach(kernel, host_device, device_call, netconf())


async def test_cancelled_at_any_moment_the_device_is_on_the_host(
    kernel: Kernel,
    host_device: NativePlugin,
    a_node: Node,
    device_call: Call,
    tmp_path: Path,
    device_records: Path,
) -> None:
    """Cancel after more and more time, until an ADD gets through."""
    conf = netconf(ipam=host_local(V4, dataDir=str(tmp_path / "ipam")))
    completed, delay = False, 0.0
    while not completed:
        task = asyncio.create_task(host_device.add(device_call, conf))
        await asyncio.sleep(delay)
        task.cancel()
        try:
            await task
            completed = True
        except asyncio.CancelledError:
            assert await link_names(kernel, a_node.sandbox.path) == {"lo"}
            assert "eth1" in a_node.host.ip("link")
            assert list(device_records.glob("c1*")) == []
            assert list((tmp_path / "ipam").glob("testnet/10.*")) == []
        delay = delay * 1.05 + 0.003
    await detach(kernel, host_device, device_call, conf)


@pytest.mark.parametrize("route", ["plain", "multipath", "above", "ipv6"])
async def test_the_uplink_of_the_node_is_refused(
    route: str, host_device: NativePlugin, a_node: Node, device_call: Call
) -> None:
    """Whatever its default route is through: the device, or a link that is made on it."""
    host, device = a_node.host, "eth1"
    if route == "above":
        host.ip("link", "add", "link", "eth1", "name", "mac0", "type", "macvlan")
        host.ip("link", "set", "mac0", "up")
        device = "mac0"
    host.ip("addr", "add", "192.0.2.9/24", "dev", device)
    host.ip("addr", "add", "fd00:5::9/64", "dev", device, "nodad")
    if route == "multipath":
        host.ip(
            "route",
            "add",
            "default",
            *("nexthop", "via", "192.0.2.1"),
            *("nexthop", "via", "192.0.2.2"),
        )
    elif route == "ipv6":
        host.ip("-6", "route", "add", "default", "via", "fd00:5::1")
    else:
        host.ip("route", "add", "default", "via", "192.0.2.1")
    with pytest.raises(Denied, match="the node's default route is through"):
        await host_device.add(device_call, netconf())
    assert "eth1" in host.ip("link")


@pytest.mark.parametrize(
    "conf",
    [
        {"pciBusID": "0000:3b:02.1"},
        {"pciBusID": "0000:3b:02.3"},
        {"kernelpath": "/sys/devices/pci0000:3b/0000:3b:02.1"},
        {"runtimeConfig": {"deviceID": "0000:3b:02.1"}},
        {"deviceID": "mlx5_core.sf.4", "pciBusID": "mlx5_core.sf.4"},
        {"pciBusID": "0000:3b:02.2", "runtimeConfig": {"deviceID": "mlx5_core.sf.4"}},
    ],
    ids=["pci", "virtio", "path", "allocated", "injected", "auxiliary"],
)
async def test_a_device_is_found_by_its_address(
    conf: dict[str, Any], kernel: Kernel, host_device: NativePlugin, a_node: Node, device_call: Call
) -> None:
    await host_device.add(device_call, netconf(**conf))
    assert a_node.sandbox.ip_json("link", "show", "net1")[0]["ifalias"] == "eth1"
    await detach(kernel, host_device, device_call, netconf(**conf))


async def test_a_device_is_found_by_its_mac(
    kernel: Kernel, host_device: NativePlugin, a_node: Node, device_call: Call
) -> None:
    mac = a_node.host.ip_json("link", "show", "eth1")[0]["address"].upper().replace(":", "-")
    await host_device.add(device_call, netconf(hwaddr=mac))
    await detach(kernel, host_device, device_call, netconf(hwaddr=mac))
    assert "eth1" in a_node.host.ip("link")


async def test_a_device_of_a_userspace_driver_is_left_alone(
    kernel: Kernel, host_device: NativePlugin, a_node: Node, device_call: Call
) -> None:
    """Addresses are given out for the program; no link is made or moved."""
    conf = netconf(pciBusID="0000:3b:02.2", ipam=ADDRESS)
    result = await host_device.add(device_call, conf)
    assert [one.to_json() for one in result.interfaces] == [
        {"name": "net1", "sandbox": device_call.netns}
    ]
    assert [one.address for one in result.ips] == ["10.9.0.7/24"]
    await host_device.check(device_call, with_previous(conf, result))
    await detach(kernel, host_device, device_call, conf)
    assert await link_names(kernel, a_node.sandbox.path) == {"lo"}
    assert "eth1" in a_node.host.ip("link")


@pytest.mark.parametrize(
    ("conf", "kind", "text"),
    [
        ({"device": ""}, BadInput, "configuration names none"),
        ({"device": "eth7"}, NotFound, "cannot find device eth7 on this node"),
        ({"hwaddr": "nonsense"}, BadInput, "as a hardware address"),
        ({"kernelpath": "/sys/devices/../../etc"}, NotFound, "cannot find device"),
        ({"pciBusID": "0000:3b:1f.7"}, NotFound, r"cannot find device 0000:3b:1f\.7"),
        ({"pciBusID": "../../net"}, NotFound, "cannot find device"),
        ({"runtimeConfig": {"deviceID": "0000:3b:1f.7"}}, NotFound, "that the pod was given"),
        ({"runtimeConfig": {"deviceID": "x" * 300}}, BadInput, "it is too long"),
    ],
)
async def test_what_cannot_be_found_is_named(
    conf: dict[str, Any],
    kind: type[PlanesError],
    text: str,
    host_device: NativePlugin,
    device_call: Call,
) -> None:
    with pytest.raises(kind, match=text):
        await host_device.add(device_call, netconf(**conf))


@pytest.mark.parametrize(
    ("keys", "is_native"),
    [
        ({}, True),
        ({"useInterfaceNetwork": False}, True),
        ({"useInterfaceNetwork": None}, True),
        ({"useInterfaceNetwork": True}, False),
        ({"useinterfacenetwork": True}, False),
        ({"useInterfaceNetwork": [1]}, False),
    ],
)
def test_a_device_with_the_network_of_the_host_is_left_to_the_binary(
    keys: dict[str, Any], is_native: bool, host_device: NativePlugin
) -> None:
    """In any spelling; the binary refuses what is no boolean."""
    assert (host_device.unsupported(netconf(**keys)) == "") is is_native
