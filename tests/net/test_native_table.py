"""The model's table of native types is what the node runtime registers."""

from __future__ import annotations

from cni.native.registry import native_plugins
from cni.net.kernel import Kernel
from planes.model.wire.native_types import NATIVE_IPAMS, NATIVE_TYPES
from tests.support.node.plugins import NoPlugin, ipams


def test_the_table_of_types_is_the_registry(kernel: Kernel) -> None:
    registered = native_plugins(kernel, ipams(), NoPlugin())
    known = {*NATIVE_TYPES, "tap", "ovs", "calico", "macvtap", "whereabouts"}
    assert {name for name in known if name in registered} == NATIVE_TYPES
    assert len(registered) == len(NATIVE_TYPES)


def test_the_table_of_ipam_types_is_what_is_carried_out() -> None:
    known = {*NATIVE_IPAMS, "dhcp", "whereabouts", "calico-ipam"}
    assert {name for name in known if ipams().handles(name)} == NATIVE_IPAMS
