"""The plugin types that are measured one by one: their netconfs, and what they need on the node."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cni.net.new_links import MACVLAN_MODES, Placement, new_macvlan, new_veth
from tests.bench.bare_netlink import BareLink, BareNetlink
from tests.support.node.netns import Namespace

IFNAME: Final = "net1"
BRIDGE: Final = "br-p"
VERSION: Final = "1.0.0"
_RATE: Final = 100_000_000  # bits per second
_BURST: Final = 10_000_000  # bits
_ADDRESS: Final = "10.9.200.200/16"

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class PluginCase:
    """One type.

    Attributes:
        kind: the plugin type.
        conf: its netconf, without name and version.
        is_chained: it follows a `bridge` in a chain, which is not measured.
        is_ipam: it is called as an IPAM type.
        prepare: makes what it needs on the node.
        bare: the same by bare netlink messages; None where it is files and rules.
    """

    kind: str
    conf: Mapping[str, Any]
    is_chained: bool = False
    is_ipam: bool = False
    prepare: Callable[[Namespace], object] = lambda _host: None
    bare: Callable[[BareNetlink], BareLink] | None = None

    @property
    def netconf(self) -> JsonObject:
        """Return the whole netconf."""
        kind = BRIDGE if self.is_ipam else self.kind
        return {"cniVersion": VERSION, "name": f"bench-{self.kind}", "type": kind, **self.conf}


def base_conf(folder: str) -> JsonObject:
    """Return the netconf of the interface that chained types work on."""
    head = {"cniVersion": VERSION, "name": "bench-base"}
    return {**head, "type": "bridge", "bridge": BRIDGE, **_with_ipam(folder)}


def plugin_cases(folder: str) -> tuple[PluginCase, ...]:
    """Return all types that a kernel without modules can have.

    Args:
        folder: where the types keep their files.
    """
    ipam = _with_ipam(folder)
    static = {"type": "static", "addresses": [{"address": "10.9.0.7/16", "gateway": "10.9.0.1"}]}
    mapping = {"hostPort": 18080, "containerPort": 80, "protocol": "tcp"}
    limits = {"ingressRate": _RATE, "ingressBurst": _BURST}
    return (
        PluginCase("bridge", {"bridge": BRIDGE, **ipam}, prepare=_make_bridge, bare=_bare_bridge),
        PluginCase("macvlan", {"master": "eth1", **ipam}, bare=_bare_macvlan),
        PluginCase("ptp", ipam, bare=_bare_ptp),
        PluginCase("host-device", {"device": "hd0"}, prepare=_make_device),
        PluginCase(
            "tuning",
            {"sysctl": {f"net.ipv4.conf.{IFNAME}.arp_filter": "1"}, "dataDir": f"{folder}/tuning"},
            is_chained=True,
        ),
        PluginCase("sbr", {}, is_chained=True),
        PluginCase(
            "bandwidth",
            {**limits, "egressRate": _RATE, "egressBurst": _BURST},
            is_chained=True,
        ),
        PluginCase(
            "portmap",
            {
                "capabilities": {"portMappings": True},
                "runtimeConfig": {"portMappings": [mapping]},
            },
            is_chained=True,
        ),
        PluginCase("firewall", {"backend": "iptables"}, is_chained=True),
        PluginCase("host-local", ipam, is_ipam=True),
        PluginCase("static", {"ipam": static}, is_ipam=True),
    )


def _with_ipam(folder: str) -> JsonObject:
    ranges = [[{"subnet": "10.9.0.0/16"}]]
    return {"ipam": {"type": "host-local", "ranges": ranges, "dataDir": f"{folder}/ips"}}


def _make_bridge(host: Namespace) -> None:
    host.ip("link", "add", BRIDGE, "type", "bridge")
    host.ip("link", "set", BRIDGE, "up")


def _make_device(host: Namespace) -> None:
    host.ip("link", "add", "hd0", "type", "veth", "peer", "name", "hd1")
    host.ip("link", "set", "hd1", "up")


def _bare_macvlan(netlink: BareNetlink) -> BareLink:
    to = Placement(IFNAME, netlink.there)
    create = new_macvlan(to, master=netlink.find("eth1")[0], mode=MACVLAN_MODES["bridge"])
    return BareLink(netlink, create, IFNAME, _ADDRESS, "eth1")


def _bare_bridge(netlink: BareNetlink) -> BareLink:
    bridge = netlink.find(BRIDGE)[0]
    create = new_veth(Placement(IFNAME, netlink.there), host_name="vethg0", bridge=bridge)
    return BareLink(netlink, create, IFNAME, _ADDRESS, BRIDGE)


def _bare_ptp(netlink: BareNetlink) -> BareLink:
    create = new_veth(Placement(IFNAME, netlink.there), host_name="vethg1")
    return BareLink(netlink, create, IFNAME, _ADDRESS)
