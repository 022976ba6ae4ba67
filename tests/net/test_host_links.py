"""The host's links by all their names, as the kernel tells them."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from cni.net.host_devices import links_of_device, links_of_path
from cni.net.host_links import read_link_message
from cni.net.kernel import Kernel
from cni.net.netlink import attribute, nested, text, u32
from cni.planning.node_wires import LOOK_SECONDS, KernelHost
from planes.model.state.wire import Wire, WireKind
from tests.support.clock import FakeClock
from tests.support.node.netns import Node

kernel = pytest.mark.kernel


async def names(at: Kernel, *wires: Wire) -> set[tuple[str, int | None]]:
    topology = await KernelHost(at, FakeClock()).look(frozenset(wires))
    return {(each.name, each.vlan) for each in topology.expand(frozenset(wires))}


def link(name: str) -> Wire:
    return Wire(WireKind.LINK, name)


@kernel
async def test_the_kernels_names_are_read(kernel: Kernel, a_node: Node) -> None:
    host = a_node.host
    host.ip("link", "property", "add", "dev", "eth1", "altname", "storage-network-one")
    host.ip("link", "property", "add", "dev", "eth1", "altname", "enp1s0")
    host.ip("link", "add", "mac0", "link", "eth1", "type", "macvlan")
    every = {(name, 0) for name in ("eth1", "storage-network-one", "enp1s0")}
    assert await names(kernel, link("enp1s0")) == every
    assert await names(kernel, link("mac0")) == {*every, ("mac0", 0)}
    assert await names(kernel, link("nothing")) == {("nothing", 0)}


@kernel
async def test_a_port_leads_to_its_bridge_and_back(kernel: Kernel, a_node: Node) -> None:
    host = a_node.host
    host.ip("link", "add", "br-x", "type", "bridge")
    host.ip("link", "add", "one", "type", "veth", "peer", "name", "two")
    host.ip("link", "set", "one", "master", "br-x")
    assert await names(kernel, link("two")) == {("two", 0), ("one", 0), ("br-x", 0)}


@kernel
async def test_the_default_routes_link_is_found(kernel: Kernel, a_node: Node) -> None:
    host = a_node.host
    assert await names(kernel, link("")) == {("", 0)}
    host.ip("addr", "add", "10.9.0.2/24", "dev", "eth1")
    host.ip("route", "add", "default", "via", "10.9.0.1")
    assert await names(kernel, link("")) == {("eth1", 0)}


@kernel
async def test_a_look_is_good_for_a_moment(kernel: Kernel, a_node: Node) -> None:
    clock = FakeClock()
    host = KernelHost(kernel, clock)
    wires = frozenset({link("eth1")})
    first = await host.look(wires)
    assert await host.look(wires) is first
    assert await host.look(frozenset({link("eth1"), link("")})) is not first, "asks for more"
    clock.advance(LOOK_SECONDS)
    a_node.host.ip("link", "property", "add", "dev", "eth1", "altname", "enp1s0")
    assert link("enp1s0") in (await host.look(wires)).expand(wires)


def test_a_vlan_interface_is_read_with_its_id_and_parent() -> None:
    """Encoded as the kernel does: this machine's may have no VLANs."""
    data = nested(2, attribute(1, struct.pack("=H", 100)))
    body = struct.pack("=BxHiII", 0, 1, 7, 0, 0) + text(3, "storage0") + u32(5, 2)
    body += nested(18, text(1, "vlan"), data)
    found = read_link_message(memoryview(body))
    assert (found.index, found.names, found.kind) == (7, ("storage0",), "vlan")
    assert (found.parent, found.vlan) == (2, 100)


def make_device(root: Path, name: str, *links: str, of: str = "") -> None:
    real = root / "sys/devices/pci0" / name
    for each in links:
        (real / "net" / each).mkdir(parents=True)
    real.mkdir(parents=True, exist_ok=True)
    bus = root / "sys/bus/pci/devices"
    bus.mkdir(parents=True, exist_ok=True)
    (bus / name).symlink_to(real)
    if of:
        (real / "physfn").symlink_to(root / "sys/devices/pci0" / of)


def test_a_virtual_function_is_on_the_links_of_its_physical_one(tmp_path: Path) -> None:
    make_device(tmp_path, "0000:01:00.0", "eth1")
    make_device(tmp_path, "0000:01:00.2", "eth1v0", of="0000:01:00.0")
    root = str(tmp_path)
    assert links_of_device("0000:01:00.2", root) == ("eth1v0", "eth1")
    assert links_of_path("/sys/devices/pci0/0000:01:00.0", root) == ("eth1",)


@pytest.mark.parametrize(
    "name", ["../../../../proc/self", "0000:01:00.0/../..", "", "x" * 999, "a\0b", "0000:ff:1f.7"]
)
def test_a_device_is_looked_for_where_devices_are(tmp_path: Path, name: str) -> None:
    (tmp_path / "proc/self/net/secret").mkdir(parents=True)
    make_device(tmp_path, "0000:01:00.0", "eth1")
    assert links_of_device(name, str(tmp_path)) == ()


@pytest.mark.parametrize("path", ["/proc", "/sys/devices/../../proc", "/sys/devices", "sys", "/\0"])
def test_a_path_is_looked_for_below_devices_only(tmp_path: Path, path: str) -> None:
    (tmp_path / "proc/net/secret").mkdir(parents=True)
    (tmp_path / "sys/devices/net/secret").mkdir(parents=True)
    assert links_of_path(path, str(tmp_path)) == ()
