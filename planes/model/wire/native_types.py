"""The plugin types that Netplane carries out itself; the binary of any other type is executed.

A test compares these with what the node runtime registers. Settings of a daemon (`--native`) may
leave more to binaries; firewalld on a node does for `firewall`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from planes.model.wire.cniversion import at_least
from planes.model.wire.netconf import ConfList, NetConf

NATIVE_TYPES: Final = frozenset(
    {
        *("bridge", "dummy", "flannel", "host-device", "ipvlan", "loopback", "macvlan", "ptp"),
        *("sriov", "vlan"),
        *("bandwidth", "firewall", "portmap", "sbr", "tuning", "vrf"),
    }
)
NATIVE_IPAMS: Final = frozenset({"host-local", "plane", "static"})


class Executed(NamedTuple):
    """A binary that a configuration needs, and why: "" where no type of ours has that name."""

    type: str
    why: str = ""


def executed_by(conflist: ConfList) -> tuple[Executed, ...]:
    """Return the binaries that a network needs, in order, each once."""
    return tuple(
        dict.fromkeys(found for plugin in conflist.plugins for found in _of(plugin, conflist))
    )


def _of(plugin: NetConf, conflist: ConfList) -> Iterator[Executed]:
    if plugin.type not in NATIVE_TYPES:
        yield Executed(plugin.type)
        return  # it calls its IPAM by itself
    if why := _needs_binary(plugin, conflist.cni_version):
        yield Executed(plugin.type, why)
    if plugin.ipam_type and plugin.ipam_type not in NATIVE_IPAMS:
        yield Executed(plugin.ipam_type, "IPAM")


def _needs_binary(plugin: NetConf, version: str) -> str:
    fields = plugin.fields()
    if plugin.type == "host-device" and fields.raw("useInterfaceNetwork") not in {None, False}:
        return "useInterfaceNetwork"
    if plugin.type != "firewall":
        return ""
    if not at_least(version, "0.4.0"):
        return "a CNI version that the reference refuses"
    return "firewalld" if fields.raw("backend") == "firewalld" else ""
