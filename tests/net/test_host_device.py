"""Type `host-device` on a real kernel: the device moves in, and comes back as it was found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cni.native.device_records import DeviceRecords
from cni.native.registry import native_plugins
from cni.net.device_links import DeviceLink
from cni.net.found_state import FoundState
from cni.net.kernel import Kernel
from cni.plugins.plugin import Call, NativePlugin
from planes.model.errors import NotFound, PlanesError
from tests.net.eth1_moves import ADDRESS, netconf, settled, with_previous
from tests.net.names import link_names
from tests.support.node.netns import Namespace, Node, picture
from tests.support.node.plugins import NoPlugin, detach, ipams

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(60)]


async def test_a_device_is_in_the_sandbox_with_its_addresses(
    kernel: Kernel, host_device: NativePlugin, a_node: Node, device_call: Call
) -> None:
    """Name, MAC and alias are as with the reference plugin; the host no longer has it."""
    mac = a_node.host.ip_json("link", "show", "eth1")[0]["address"]
    conf = netconf(ipam=ADDRESS)
    result = await host_device.add(device_call, conf)
    [shown] = a_node.sandbox.ip_json("addr", "show", "net1")
    assert (shown["address"], shown["ifalias"], "UP" in shown["flags"]) == (mac, "eth1", True)
    assert "10.9.0.7" in {one["local"] for one in shown["addr_info"]}
    assert [(one.name, one.mac, one.sandbox) for one in result.interfaces] == [
        ("net1", mac, device_call.netns)
    ]
    assert {one["ifname"] for one in a_node.host.ip_json("link")} == {"lo"}
    await detach(kernel, host_device, device_call, conf)


async def test_a_device_comes_back_as_it_was_found(
    kernel: Kernel,
    host_device: NativePlugin,
    a_node: Node,
    device_call: Call,
    busy_card: Namespace,
    device_records: Path,
) -> None:
    """Name, MTU, MAC, alias, addresses and routes of all tables; nothing is left in the sandbox."""
    before, empty = await settled(a_node), picture(a_node.sandbox)
    conf = netconf(ipam=ADDRESS)
    await host_device.add(device_call, conf)
    a_node.sandbox.ip("link", "set", "net1", "mtu", "1300", "address", "c2:11:22:33:44:66")
    await detach(kernel, host_device, device_call, conf)
    assert await settled(a_node) == before
    assert picture(a_node.sandbox) == empty
    assert list(device_records.iterdir()) == []


async def test_a_device_has_the_mac_that_the_pod_asks_for(
    kernel: Kernel, host_device: NativePlugin, a_node: Node, device_call: Call
) -> None:
    """The reference ignores it; afterwards the device has its own again."""
    before = a_node.host.ip_json("link", "show", "eth1")[0]["address"]
    conf = netconf(device="eth1", runtimeConfig={"mac": "C2:11:22:33:44:88"})
    result = await host_device.add(device_call, conf)
    inside = a_node.sandbox.ip_json("link", "show", "net1")[0]["address"]
    assert (inside, result.interfaces[0].mac) == ("c2:11:22:33:44:88",) * 2
    await detach(kernel, host_device, device_call, conf)
    assert a_node.host.ip_json("link", "show", "eth1")[0]["address"] == before


async def test_a_device_that_was_down_comes_back_down(
    kernel: Kernel, host_device: NativePlugin, a_node: Node, device_call: Call
) -> None:
    a_node.host.ip("link", "set", "eth1", "down")
    await host_device.add(device_call, netconf())
    assert "UP" in a_node.sandbox.ip_json("link", "show", "net1")[0]["flags"]
    await detach(kernel, host_device, device_call, netconf())
    assert "UP" not in a_node.host.ip_json("link", "show", "eth1")[0]["flags"]


async def test_a_port_of_a_bridge_is_one_again(
    kernel: Kernel, host_device: NativePlugin, a_node: Node, device_call: Call
) -> None:
    a_node.host.ip("link", "add", "br1", "type", "bridge")
    a_node.host.ip("link", "set", "eth1", "master", "br1")
    await host_device.add(device_call, netconf())
    await detach(kernel, host_device, device_call, netconf())
    assert a_node.host.ip_json("link", "show", "eth1")[0]["master"] == "br1"


async def test_detaching_may_be_repeated(
    kernel: Kernel, host_device: NativePlugin, a_node: Node, device_call: Call
) -> None:
    """Also before any ADD, without a prevResult, and with the sandbox's path gone."""
    conf = netconf(ipam=ADDRESS)
    await detach(kernel, host_device, device_call, conf)
    await host_device.add(device_call, conf)
    for path in (device_call.netns, device_call.netns, "", "/run/netns/np-t-none"):
        await detach(kernel, host_device, replace(device_call, netns=path), conf)
    assert "eth1" in a_node.host.ip("link")


async def test_a_device_without_hardware_is_gone_with_its_sandbox(
    kernel: Kernel, host_device: NativePlugin, a_node: Node, device_call: Call, device_records: Path
) -> None:
    """The kernel removes a veth with its namespace; DEL has nothing left to do."""
    await host_device.add(device_call, netconf())
    a_node.sandbox.ip("link", "del", "net1")
    await detach(kernel, host_device, replace(device_call, netns=""), netconf())
    assert list(device_records.iterdir()) == []


async def test_a_name_taken_on_the_host_gives_another_one(
    kernel: Kernel, host_device: NativePlugin, a_node: Node, device_call: Call
) -> None:
    """The device is not left in the sandbox, where it would be lost."""
    a_node.host.ip("addr", "add", "192.0.2.9/24", "dev", "eth1")
    await host_device.add(device_call, netconf())
    a_node.host.ip("link", "add", "eth1", "type", "bridge")
    await detach(kernel, host_device, device_call, netconf())
    assert await link_names(kernel, a_node.sandbox.path) == {"lo"}
    assert "192.0.2.9" in a_node.host.ip("addr", "show", "eth1_1")
    await detach(kernel, host_device, device_call, netconf())
    assert "eth1_1" in a_node.host.ip("link")


async def test_the_sandbox_may_have_a_link_of_the_devices_name(
    kernel: Kernel, host_device: NativePlugin, a_node: Node, device_call: Call
) -> None:
    a_node.sandbox.ip("link", "add", "eth1", "type", "bridge")
    await host_device.add(device_call, netconf())
    await detach(kernel, host_device, device_call, netconf())
    assert "veth" in str(a_node.host.ip_json("link", "show", "eth1")[0]["linkinfo"])
    assert "bridge" in str(a_node.sandbox.ip_json("link", "show", "eth1")[0]["linkinfo"])


async def test_a_pod_that_renames_the_device_does_not_keep_it(
    kernel: Kernel, host_device: NativePlugin, a_node: Node, device_call: Call
) -> None:
    """A pod may change its name and alias; a link in its place is not taken for it."""
    await host_device.add(device_call, netconf())
    a_node.sandbox.ip("link", "set", "net1", "down")
    a_node.sandbox.ip("link", "set", "net1", "name", "mine", "alias", "eth7")
    a_node.sandbox.ip("link", "add", "net1", "alias", "eth1", "type", "bridge")
    await detach(kernel, host_device, device_call, netconf())
    assert "veth" in str(a_node.host.ip_json("link", "show", "eth1")[0]["linkinfo"])
    assert await link_names(kernel, a_node.sandbox.path) == {"lo", "net1"}


@pytest.mark.parametrize("knows_index", [False, True])
async def test_a_killed_daemon_leaves_a_device_that_the_next_one_gives_back(
    knows_index: bool,
    kernel: Kernel,
    host_device: NativePlugin,
    a_node: Node,
    device_call: Call,
    busy_card: Namespace,
    device_records: Path,
) -> None:
    """The record is on disk before the device moves, and is enough without its index."""
    before = await settled(a_node)
    await host_device.add(device_call, netconf())
    kept = DeviceRecords(device_records)
    record = kept.load(device_call)
    assert record is not None
    if not knows_index:
        kept.set_index(device_call, record, 0)
    again = native_plugins(kernel, ipams(), NoPlugin(), records=device_records)["host-device"]
    await detach(kernel, again, device_call, netconf())
    assert await settled(a_node) == before


async def test_a_record_without_a_moved_device_changes_nothing(
    kernel: Kernel,
    host_device: NativePlugin,
    a_node: Node,
    device_call: Call,
    busy_card: Namespace,
    device_records: Path,
) -> None:
    """As after a kill between the record and the move."""
    await host_device.add(device_call, netconf())
    record = DeviceRecords(device_records).load(device_call)
    await detach(kernel, host_device, device_call, netconf())
    before = await settled(a_node)
    assert record is not None
    DeviceRecords(device_records).set_index(device_call, record, 0)
    await detach(kernel, host_device, device_call, netconf())
    assert await settled(a_node) == before
    assert list(device_records.iterdir()) == []


@pytest.mark.parametrize(
    "harm",
    [
        ("addr", "del", "10.9.0.7/24", "dev", "net1"),
        ("route", "del", "10.1.0.0/16"),
        ("link", "set", "net1", "address", "c2:11:22:33:44:77"),
    ],
    ids=["address", "route", "mac"],
)
async def test_check_sees_what_was_changed(
    harm: tuple[str, ...],
    kernel: Kernel,
    host_device: NativePlugin,
    a_node: Node,
    device_call: Call,
) -> None:
    conf = netconf(ipam=ADDRESS)
    checked = with_previous(conf, await host_device.add(device_call, conf))
    await host_device.check(device_call, checked)
    a_node.sandbox.ip(*harm)
    with pytest.raises(PlanesError):
        await host_device.check(device_call, checked)
    await detach(kernel, host_device, device_call, checked)


async def test_check_sees_that_the_device_is_gone(
    kernel: Kernel, host_device: NativePlugin, device_call: Call
) -> None:
    checked = with_previous(netconf(), await host_device.add(device_call, netconf()))
    await detach(kernel, host_device, device_call, checked)
    with pytest.raises(NotFound, match="cannot find interface net1"):
        await host_device.check(device_call, checked)


async def test_hardware_is_known_from_sys_where_the_kernel_does_not_show_it(
    kernel: Kernel,
    host_device: NativePlugin,
    a_node: Node,
    device_call: Call,
    busy_card: Namespace,
    device_sysfs: Path,
) -> None:
    """As before Linux 5.14: what a sandbox that is gone left on the host gets its name back."""

    def shown(name: str) -> None:
        """Have /sys show a link of the host as the card."""
        place = device_sysfs / "sys/class/net" / name
        place.mkdir(parents=True)
        index = a_node.host.ip_json("link", "show", name)[0]["ifindex"]
        (place / "ifindex").write_text(f"{index}\n")
        (place / "device").symlink_to("../../../0000:3b:02.1")

    shown("eth1")
    before = await settled(a_node)
    await host_device.add(device_call, netconf())
    await detach(kernel, host_device, device_call, netconf())
    assert await settled(a_node) == before
    await host_device.add(device_call, netconf())
    a_node.sandbox.ip("link", "set", "net1", "netns", a_node.host.name)
    shown("net1")
    await detach(kernel, host_device, replace(device_call, netns=""), netconf())
    assert await settled(a_node) == before


async def test_a_record_of_an_earlier_boot_counts_as_none(
    tmp_path: Path, device_call: Call
) -> None:
    """After a reboot the kernel has put every device back by itself."""
    boot = tmp_path / "boot_id"
    boot.write_text("one\n")
    records = DeviceRecords(tmp_path / "devices", boot)
    records.begin(device_call, DeviceLink(7, "eth1"), FoundState("eth1"))
    assert records.load(device_call) is not None
    boot.write_text("two\n")
    assert records.load(device_call) is None
