"""The guarded table: keys of the reference plugins, and which of them a tenant's NAD may have.

Sources: containernetworking/plugins v1.10, sriov-cni v2.10, flannel-cni v1.9. Each reason says what
the key, or the whole type, would let a NAD's author do beyond the pods that use the NAD.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from planes.model.bounds import MAX_NAD_SYSCTLS, MAX_NAD_TRUNKS
from planes.model.spec.config_key import (
    ConfigKey,
    PluginKeys,
    at_most,
    free,
    keyed,
    never,
    off,
    one_of,
)
from planes.model.spec.ipam_keys import DNS, HOST_PATH

_HOST_ADDRESS: Final = "it gives the node an address and a route of the author's choice"
_HOST_RULES: Final = "it writes rules of the node's packet filter"
_INSIDE: Final = "it stands on an interface that the pod has of another network"
_PROMISCUOUS: Final = "it makes an interface of the node take everybody's traffic"
_DEVICE: Final = "it takes a device away from the node"
_FOREIGN_MASTER: Final = "the interface of the node's default route"
_LONGEST_QUEUE: Final = 1000  # packets: the kernel's own defaults for both queues
_LEAST_MTU: Final = 1280  # of a link with IPv6 (RFC 8200, section 5)
_LARGEST_BURST: Final = 1 << 31  # bits: each burst is a queue in the node's memory

# Sysctls that a pod may set on any node (Kubernetes 1.36, "safe sysctls").
_SAFE_SYSCTLS: Final = frozenset(
    {
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ping_group_range",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_rmem",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.tcp_wmem",
    }
)
_OWN_SYSCTL: Final = re.compile(r"net\.ipv[46]\.(conf|neigh)\.IFNAME\.[a-z0-9_]{1,64}")


def is_own_sysctl(name: Any) -> bool:
    """Report whether a sysctl is of the network's own interface, or a safe one of Kubernetes."""
    return isinstance(name, str) and (
        name in _SAFE_SYSCTLS or _OWN_SYSCTL.fullmatch(name) is not None
    )


def _are_own_sysctls(value: Any) -> bool:
    return isinstance(value, dict) and all(map(is_own_sysctl, value))


SYSCTL: Final = ConfigKey(
    "sysctl",
    "it names sysctls beyond the network's own interface (IFNAME) and those kubelet calls safe",
    _are_own_sysctls,
    most=MAX_NAD_SYSCTLS,
)
TUNING_KEYS: Final = (
    SYSCTL,
    *free("mac", "mtu"),
    off("promisc", _PROMISCUOUS),
    off("allmulti", _PROMISCUOUS),
    at_most("txQLen", _LONGEST_QUEUE, "its queue is in the node's memory"),
)

GENERAL: Final = keyed(
    *free("type", "name", "cniVersion"),
    DNS,
    never("args", "the runtime alone fills it: plugins take wishes from it that nobody judged"),
    never("runtimeConfig", "the runtime alone fills it, with what was judged"),
    never("prevResult", "the runtime alone fills it: plugins act on the addresses in it"),
)
"""Keys of every plugin; `ipam` and `capabilities` are checked separately."""

LIST_KEYS: Final = keyed(
    *free("cniVersion", "cniVersions", "name", "disableCheck", "disableGC", "plugins"),
    *free("loadOnlyInlinedPlugins"),
)

CAPABILITIES: Final = keyed(
    *free("ips", "mac", "ipRanges", "bandwidth", "dns", "aliases"),
    off("deviceID", "the pod would choose a device of the node"),
    off("infinibandGUID", "the pod would choose the identity of a device of the node"),
    off("cgroupPath", "the plugin would act on a control group of the node"),
)
PORT_CAPABILITY: Final = "portMappings"

_SRIOV: Final = PluginKeys(
    keyed(
        *free("deviceID", "vlan", "vlanQoS", "vlanProto", "mac", "spoofchk", "trust", "link_state"),
        *free("min_tx_rate", "max_tx_rate", "logLevel"),
        never("logFile", HOST_PATH),
    ),
    why=_DEVICE,
)

PLUGINS: Final[Mapping[str, PluginKeys]] = {
    "bridge": PluginKeys(
        keyed(
            *free("bridge", "ipMasqBackend", "hairpinMode", "vlan", "preserveDefaultVlan"),
            ConfigKey(
                "mtu",
                "a bridge takes the least MTU of its ports, and loses IPv6 below 1280",
                lambda value: type(value) is int and (value == 0 or value >= _LEAST_MTU),
            ),
            *free("macspoofchk", "enabledad", "disableContainerInterface", "portIsolation"),
            off("isGateway", _HOST_ADDRESS),
            off("isDefaultGateway", _HOST_ADDRESS),
            off("forceAddress", "it takes the bridge's address away"),
            off("ipMasq", _HOST_RULES),
            off("promiscMode", _PROMISCUOUS),
            ConfigKey(
                "vlanTrunk",
                "it takes many VLANs of the bridge at once",
                lambda value: value == [],
                members=free("minID", "maxID", "id"),
                most=MAX_NAD_TRUNKS,
            ),
        ),
        parent_key="bridge",
        vlan_key="vlan",
        default_parent="cni0, which is often the cluster network's bridge",
    ),
    "macvlan": PluginKeys(
        keyed(
            *free("master", "mtu", "mac"),
            one_of("mode", "passthru takes the whole interface", "", "bridge", "private", "vepa"),
            off("linkInContainer", _INSIDE),
            at_most("bcqueuelen", _LONGEST_QUEUE, "its queue is in the node's memory"),
        ),
        parent_key="master",
        default_parent=_FOREIGN_MASTER,
    ),
    "ipvlan": PluginKeys(
        keyed(
            *free("master", "mtu"),
            one_of("mode", "it is the mode of the interface, for everybody on it", "", "l2"),
            off("linkInContainer", _INSIDE),
        ),
        parent_key="master",
        default_parent=_FOREIGN_MASTER,
    ),
    "vlan": PluginKeys(
        keyed(*free("master", "vlanId", "mtu"), off("linkInContainer", _INSIDE)),
        parent_key="master",
        vlan_key="vlanId",
        default_parent="no interface",
    ),
    "ptp": PluginKeys(keyed(*free("ipMasq", "ipMasqBackend", "mtu")), why=_HOST_ADDRESS),
    "host-device": PluginKeys(
        keyed(*free("device", "hwaddr", "kernelpath", "pciBusID", "useInterfaceNetwork")),
        why=_DEVICE,
    ),
    "dummy": PluginKeys(),
    "tap": PluginKeys(
        keyed(
            *free("multiQueue", "owner", "group", "mac", "mtu"),
            off("promiscMode", _PROMISCUOUS),
            never("bridge", "it joins the interface to a bridge"),
            never("selinuxContext", "it is a label of the node's security policy"),
        )
    ),
    "loopback": PluginKeys(),
    "tuning": PluginKeys(keyed(*TUNING_KEYS, never("dataDir", HOST_PATH))),
    "bandwidth": PluginKeys(
        keyed(
            *free("ingressRate", "egressRate", "shapedSubnets", "unshapedSubnets"),
            *free("nonShapedSubnets"),
            *(
                at_most(name, _LARGEST_BURST, "its queue is in the node's memory")
                for name in ("ingressBurst", "egressBurst")
            ),
        )
    ),
    "portmap": PluginKeys(
        keyed(
            *free("backend", "snat"),
            never("conditionsV4", "its texts are arguments of the node's packet filter"),
            never("conditionsV6", "its texts are arguments of the node's packet filter"),
            off("masqAll", _HOST_RULES),
            never("markMasqBit", "it is a mark that others' rules of the node may use"),
            never("externalSetMarkChain", "it names a chain of the node's packet filter"),
        )
    ),
    "sbr": PluginKeys(keyed(*free("table", "gateways", "addSourceHints"))),
    "vrf": PluginKeys(keyed(*free("vrfname", "table"))),
    "firewall": PluginKeys(
        keyed(*free("backend", "iptablesAdminChainName", "firewalldZone", "ingressPolicy")),
        why="it opens the node's packet filter for addresses of the author's choice",
    ),
    "sriov": _SRIOV,
    "ib-sriov": PluginKeys(
        keyed(*free("deviceID", "pkey", "link_state", "rdmaIsolation", "ibKubernetesEnabled")),
        why=_DEVICE,
    ),
    "flannel": PluginKeys(
        keyed(ConfigKey("delegate"), never("subnetFile", HOST_PATH), never("dataDir", HOST_PATH)),
        why="it runs other plugins, on the cluster network",
    ),
    "multus": PluginKeys(why="it runs other plugins"),
    "netplane": PluginKeys(why="it would call Netplane again"),
}
"""By type; other types are not known."""
