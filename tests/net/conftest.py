"""Fixtures of the kernel tests: a node, a kernel on it, the machine checked before and after."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from cni.native.registry import native_plugins
from cni.net.kernel import Kernel
from cni.plugins.plugin import Call, NativePlugin
from tests.support.node.netns import (
    Namespace,
    Node,
    node,
    unchanged_links,
    unchanged_machine,
    why_no_kernel_tests,
    why_no_link_kind,
)
from tests.support.node.plugins import NoPlugin, ipams


@pytest.fixture(autouse=True, scope="module")
def _machine_left_as_found() -> Iterator[None]:
    """Packet filter rules too, which takes programs to see: once for a file of tests."""
    with ExitStack() as stack:
        if not why_no_kernel_tests():
            stack.enter_context(unchanged_machine())
        yield


@pytest.fixture(autouse=True)
def _left_as_found(request: pytest.FixtureRequest) -> Iterator[None]:
    if request.node.get_closest_marker("kernel") is None:
        yield
    elif reason := why_no_link_kind("macvlan"):
        pytest.skip(reason)
    else:
        with unchanged_links():
            yield


@pytest.fixture
def a_node() -> Iterator[Node]:
    with node() as made:
        yield made


@pytest.fixture
def kernel(a_node: Node) -> Iterator[Kernel]:
    made = Kernel(a_node.host.path)
    yield made
    made.close()


@pytest.fixture
def device_records(tmp_path: Path) -> Path:
    return tmp_path / "devices"


@pytest.fixture
def device_sysfs(tmp_path: Path) -> Path:
    """A root directory with a /sys of PCI and auxiliary devices, among them eth1 of the node."""
    pci = tmp_path / "root/sys/bus/pci/devices"
    drivers = tmp_path / "root/sys/bus/pci/drivers"
    for address, driver in (("0000:3b:02.1", "igbvf"), ("0000:3b:02.2", "vfio-pci")):
        (drivers / driver).mkdir(parents=True)
        (pci / address).mkdir(parents=True)
        (pci / address / "driver").symlink_to(drivers / driver)
    (pci / "0000:3b:02.1/net/eth1").mkdir(parents=True)
    (pci / "0000:3b:02.3/virtio4/net/eth1").mkdir(parents=True)
    (tmp_path / "root/sys/bus/auxiliary/devices/mlx5_core.sf.4/net/eth1").mkdir(parents=True)
    (tmp_path / "root/sys/devices/pci0000:3b/0000:3b:02.1/net/eth1").mkdir(parents=True)
    return tmp_path / "root"


@pytest.fixture
def host_device(kernel: Kernel, device_records: Path, device_sysfs: Path) -> NativePlugin:
    made = native_plugins(
        kernel, ipams(), NoPlugin(), root=str(device_sysfs), records=device_records
    )
    return made["host-device"]


@pytest.fixture
def device_call(a_node: Node) -> Call:
    return Call("c1", a_node.sandbox.path, "net1")


@pytest.fixture
def busy_card(a_node: Node) -> Namespace:
    """The host, whose eth1 has an MTU, a MAC, an alias, addresses and routes."""
    host = a_node.host
    host.ip("link", "set", "eth1", "mtu", "1400", "address", "c2:11:22:33:44:55", "alias", "left")
    host.ip("addr", "add", "192.0.2.9/24", "dev", "eth1", "label", "eth1:x")
    host.ip("addr", "add", "fd00:5::9/64", "dev", "eth1", "nodad")
    host.ip("route", "add", "198.51.100.0/24", "via", "192.0.2.1", "metric", "77")
    host.ip("route", "add", "203.0.113.0/24", "dev", "eth1", "table", "100", "src", "192.0.2.9")
    host.ip("-6", "route", "add", "fd00:6::/64", "via", "fd00:5::1", "dev", "eth1")
    return host
