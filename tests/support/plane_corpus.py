"""Plane specs for what judges planes, one fact each: those to be accepted, and those to be refused.

A spec here replaces fields of `planes.plane_object` (a macvlan on eth1 with 10.9.0.0/24); None
takes a field out.
"""

from __future__ import annotations

from typing import Any

from planes.model.errors import JsonObject
from tests.support.address_uses import ACCEPTED_USES, REFUSED_USES
from tests.support.planes import plane_object

Spec = dict[str, Any]

V6: Spec = {"cidr": "fd00:9::/64", "gateway": "fd00:9::1"}
NAD_REF: Spec = {"network": {"nadRef": {"namespace": "shop", "name": "eth.1"}}, "subnets": None}


def corpus_plane(spec: Spec, name: str = "business") -> JsonObject:
    """Return the Plane object of a corpus spec."""
    obj = plane_object(name, **spec)
    obj["spec"] = {key: value for key, value in obj["spec"].items() if value is not None}
    return obj


def subnet(**more: Any) -> Spec:
    """Return a spec whose only subnet is 10.9.0.0/24 with more fields."""
    return {"subnets": [{"cidr": "10.9.0.0/24", **more}]}


def reserved(*addresses: str, **more: Any) -> Spec:
    """Return a spec that reserves addresses for namespace shop."""
    entries = [{"ip": address, "namespace": "shop"} for address in addresses]
    return {"staticIPs": {"reservations": entries}, **more}


def network(type_: str, **more: Any) -> Spec:
    """Return a spec with a typed network."""
    return {"network": {"type": type_, **more}}


RATE: Spec = {"ingressRate": 1000, "ingressBurst": 2000}
VLAN: Spec = {"type": "vlan", "master": "eth1", "vlan": 5}
EVERYWHERE: Spec = {"matchLabels": {"tier": "front"}}

ACCEPTED: dict[str, Spec] = {
    "plain": {},
    "nadRef": NAD_REF,
    "deletion waits for pods": {"deletionPolicy": "Block"},
    "deletion waits for nobody": {"deletionPolicy": "Orphan"},
    "shared wire": network("macvlan", master="eth1", shared=True),
    "shared wire of a nadRef": {
        "network": {"nadRef": {"namespace": "shop", "name": "eth.1"}, "shared": True},
        "subnets": None,
    },
    "pods on a dead master": network("macvlan", master="eth1", requireCarrier=False),
    "pods on a dead master of a nadRef": {
        "network": {"nadRef": {"namespace": "shop", "name": "eth.1"}, "requireCarrier": False},
        "subnets": None,
    },
    "nadRef with subnets": {**NAD_REF, "subnets": [{"cidr": "10.9.0.0/24"}]},
    "selector of labels": {"namespaceSelector": EVERYWHERE},
    "selector of an expression": {
        "namespaceSelector": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}
    },
    "all namespaces": {"allNamespaces": True, "namespaceSelector": {}},
    "empty podSelector": {"podSelector": {}},
    "interface of 15 bytes": {"interface": "a" * 15},
    "ipvlan l3s": network("ipvlan", master="eth1", mode="l3s"),
    "macvlan passthru": network("macvlan", master="eth1", mode="passthru"),
    "macvlan without master": network("macvlan"),
    "bridge with vlan and bandwidth": {
        "network": {"type": "bridge", "master": "br1", "vlan": 0},
        "bandwidth": RATE,
    },
    "vlan": {"network": VLAN},
    "sriov": network("sriov", resourceName="example.com/vf", vlan=4094),
    "host-device": network("host-device", master="eth9"),
    "host-device of a resource": network("host-device", resourceName="example.com/nic"),
    "bandwidth without rates": {"bandwidth": {}},
    "mtu given twice alike": {"network": {"type": "bridge", "mtu": 1400}, "mtu": 1400},
    "mtu zero of sriov": {"network": {"type": "sriov", "resourceName": "a/b"}, "mtu": 0},
    "plugins": network("bridge", plugins=[{"type": "tuning", "sysctl": {"a": "b"}}]),
    "dual stack": {"subnets": [{"cidr": "10.9.0.0/24"}, V6], "defaultRoute": True},
    "neighbouring subnets": {"subnets": [{"cidr": "10.9.0.0/24"}, {"cidr": "10.9.1.0/24"}]},
    "whole of IPv4": {"subnets": [{"cidr": "0.0.0.0/0"}]},
    "a /31 with its first address as gateway": {
        "subnets": [{"cidr": "10.9.0.0/31", "gateway": "10.9.0.0"}]
    },
    "IPv6 router anycast address as gateway": {
        "subnets": [{"cidr": "fd00:9::/64", "gateway": "fd00:9::"}]
    },
    "IPv6 in other spellings": {
        "subnets": [{"cidr": "FD00:0009:0:0::/64", "gateway": "fd00:9:0:0:0::1"}]
    },
    "ranges of all forms": subnet(
        ranges=["10.9.0.10-10.9.0.20", "10.9.0.32/28", " 10.9.0.60 - 10.9.0.61 ", "10.9.0.70"]
    ),
    "addresses that claims keep": {
        "ipam": {"lifecycle": "Persistent"},
        **subnet(staticRanges=["10.9.0.200-10.9.0.215"]),
    },
    "a range of one": subnet(ranges=["10.9.0.10-10.9.0.10"]),
    "a range across a digit": subnet(ranges=["10.9.0.9-10.9.0.10"]),
    "an IPv6 range": {"subnets": [{**V6, "ranges": ["fd00:9::9-fd00:9::1:0"]}]},
    "exclude and staticRanges": subnet(exclude=["10.9.0.5"], staticRanges=["10.9.0.128/25"]),
    "routes": {"routes": [{"dst": "10.60.0.0/16", "gw": "10.9.0.1"}, {"dst": "fd01::/16"}]},
    "routes of a subnet": subnet(routes=[{"dst": "0.0.0.0/0", "gw": "10.9.0.1"}]),
    "ipam None": {"ipam": {"mode": "None"}, "subnets": None},
    "ipam NAD": {**NAD_REF, "ipam": {"mode": "NAD"}},
    "small blocks": {"ipam": {"blockSize": 32, "cooldownSeconds": 86400}},
    "reservations": reserved("10.9.0.7", "10.9.0.8"),
    "a reservation for a replica": {
        "staticIPs": {
            "allow": "Any",
            "reservations": [{"ip": "10.9.0.7", "namespace": "a", "owner": "b", "ordinal": 0}],
        }
    },
    "sysctls": {"sysctls": {"net.ipv4.conf.IFNAME.arp_filter": "1"}},
    "quota": {
        "quota": {"addressesPerNamespace": 0, "overrides": [{"namespaceSelector": EVERYWHERE}]}
    },
    "enforcement": {"enforcement": {"pods": "Audit"}},
    "on request": {"attachment": "OnRequest", "order": -5, "purpose": "on request"},
    **ACCEPTED_USES,
    "no borrowing": {"ipam": {"borrow": False}},
    "what is not enforced, switched off": {
        "isolation": {"default": "Allow", "antiSpoof": False},
        "ipam": {"lifecycle": "Ephemeral", "borrow": True},
        "enforcement": {"workloads": "Warn"},
        "mac": {"source": "Random", "allowRequest": False},
        "dynamicAttach": False,
    },
}

REFUSED: dict[str, tuple[Spec, str]] = {
    "no network": ({"network": None}, "spec.network: Required value"),
    "neither nadRef nor type": ({"network": {"master": "eth1"}}, "exactly one of nadRef and type"),
    "nadRef and type": (
        {"network": {"type": "bridge", "nadRef": {"namespace": "a", "name": "b"}}},
        "exactly one of nadRef and type",
    ),
    "nadRef and master": (
        {**NAD_REF, "network": {"nadRef": {"namespace": "a", "name": "b"}, "master": "eth1"}},
        "beside nadRef nothing else",
    ),
    "nadRef without namespace": ({"network": {"nadRef": {"name": "b"}}}, "nadRef.namespace"),
    "nadRef with a bad name": (
        {"network": {"nadRef": {"namespace": "a", "name": "B"}}},
        "nadRef.name",
    ),
    "unknown type": (network("tunnel"), "spec.network.type"),
    "unknown field": ({"networks": {}}, 'unknown field "spec.networks"'),
    "empty selector": ({"namespaceSelector": {}}, "empty selector would take every namespace"),
    "selector of empty labels": (
        {"namespaceSelector": {"matchLabels": {}, "matchExpressions": []}},
        "empty selector would take every namespace",
    ),
    "all and some namespaces": (
        {"allNamespaces": True, "namespaceSelector": EVERYWHERE},
        "every namespace and some namespaces",
    ),
    "In without values": (
        {"podSelector": {"matchExpressions": [{"key": "a", "operator": "In"}]}},
        "In and NotIn need values",
    ),
    "Exists with values": (
        {
            "podSelector": {
                "matchExpressions": [{"key": "a", "operator": "Exists", "values": ["b"]}]
            }
        },
        "Exists and DoesNotExist take none",
    ),
    "interface eth0": ({"interface": "eth0"}, "every pod has eth0"),
    "interface of 16 bytes": ({"interface": "a" * 16}, "spec.interface"),
    "interface of 16 bytes in 8 letters": ({"interface": "é" * 8}, "at most 15 bytes"),
    "interface with a slash": ({"interface": "a/b"}, "spec.interface"),
    "interface with a space": ({"interface": "a\u2003b"}, "spec.interface"),
    "mode of the other type": (network("macvlan", mode="l2"), "macvlan has the modes"),
    "mode of a bridge": (network("bridge", mode="bridge"), "other types have none"),
    "vlan without master": ({"network": {"type": "vlan", "vlan": 5}}, "needs master"),
    "host-device without device": (network("host-device"), "host-device needs master"),
    "vlan without id": ({"network": {"type": "vlan", "master": "eth1"}}, "needs a vlan id"),
    "vlan of a macvlan": (network("macvlan", vlan=0), "only vlan, bridge and sriov"),
    "vlan too high": ({"network": {**VLAN, "vlan": 4095}}, "spec.network.vlan"),
    "sriov without resource": (network("sriov"), "sriov needs resourceName"),
    "two MTUs": ({"network": {"type": "bridge", "mtu": 1400}, "mtu": 1500}, "give it once"),
    "MTU of a device": (network("host-device", master="eth9", mtu=1500), "set it there"),
    "a plugin without type": (network("bridge", plugins=[{"a": "b"}]), "plugins[0].type"),
    "bandwidth of a macvlan": ({"bandwidth": RATE}, "veth pairs only"),
    "a rate without burst": (
        {"network": {"type": "bridge"}, "bandwidth": {"egressRate": 1}},
        "egressRate and egressBurst, or neither",
    ),
    "a burst without rate": (
        {"network": {"type": "bridge"}, "bandwidth": {"ingressBurst": 1}},
        "ingressRate and ingressBurst, or neither",
    ),
    "routes beside nadRef": (
        {**NAD_REF, "routes": [{"dst": "10.0.0.0/8"}]},
        "routes cannot be put",
    ),
    "mtu beside nadRef": ({**NAD_REF, "mtu": 1400}, "mtu cannot be put"),
    "bandwidth beside nadRef": ({**NAD_REF, "bandwidth": RATE}, "bandwidth cannot be put"),
    "sysctls beside nadRef": (
        {**NAD_REF, "sysctls": {"net.ipv4.ip_forward": "1"}},
        "sysctls cannot be put",
    ),
    "ipam Plane with nadRef": ({**NAD_REF, "ipam": {"mode": "Plane"}}, "use mode NAD"),
    "ipam NAD with type": ({"ipam": {"mode": "NAD"}}, "mode NAD needs network.nadRef"),
    "no subnet": ({"subnets": []}, "give at least one cidr"),
    "subnets with ipam None": ({"ipam": {"mode": "None"}}, "mean nothing with ipam.mode None"),
    "default route without gateway": (
        {"subnets": [{"cidr": "10.9.0.0/24"}], "defaultRoute": True},
        "default route needs a gateway",
    ),
    "nine subnets": ({"subnets": [{"cidr": f"10.{i}.0.0/16"} for i in range(9)]}, "at most 8"),
    "host bits": ({"subnets": [{"cidr": "10.9.0.1/24"}]}, "CIDR without host bits"),
    "leading zeros": ({"subnets": [{"cidr": "10.09.0.0/24"}]}, "CIDR without host bits"),
    "a zone": ({"subnets": [{"cidr": "fe80::%eth1/64"}]}, "CIDR without host bits"),
    "overlapping subnets": (
        {"subnets": [{"cidr": "10.9.0.0/24"}, {"cidr": "10.0.0.0/8"}]},
        "two subnets overlap",
    ),
    "the same subnet twice": ({"subnets": [V6, {"cidr": "fd00:9:0::/64"}]}, "two subnets overlap"),
    "gateway outside": (subnet(gateway="10.9.1.1"), "gateway is not in the subnet"),
    "gateway of the other family": (subnet(gateway="fd00::1"), "gateway is not in the subnet"),
    "gateway at the network address": (subnet(gateway="10.9.0.0"), "network or broadcast address"),
    "gateway at the broadcast address": (
        subnet(gateway="10.9.0.255"),
        "network or broadcast address",
    ),
    "gateway with a prefix length": (subnet(gateway="10.9.0.1/24"), "cannot be read as an address"),
    "a range outside": (subnet(ranges=["10.9.0.250-10.9.1.5"]), "entry of ranges leaves"),
    "a range of the other family": (subnet(ranges=["fd00::/120"]), "entry of ranges leaves"),
    "an exclusion outside": (subnet(exclude=["10.8.0.1"]), "entry of exclude leaves"),
    "a larger static range": (subnet(staticRanges=["10.9.0.0/23"]), "staticRanges leaves"),
    "a range with host bits": (subnet(ranges=["10.9.0.1/25"]), "CIDR without host bits"),
    "a backward range": (subnet(ranges=["10.9.0.10-10.9.0.9"]), "ends before it starts"),
    "a mixed range": (subnet(ranges=["10.9.0.1-fd00::1"]), "mixes IPv4 and IPv6"),
    "a range of three": (subnet(ranges=["10.9.0.1-10.9.0.2-10.9.0.3"]), 'range "first-last"'),
    "a range of CIDRs": (subnet(ranges=["10.9.0.0/25-10.9.0.128/25"]), 'range "first-last"'),
    "a range that is none": (subnet(ranges=["all"]), 'range "first-last"'),
    "a route to a host": ({"routes": [{"dst": "10.60.0.1/16"}]}, "CIDR without host bits"),
    "a route without dst": ({"routes": [{"gw": "10.9.0.1"}]}, "routes[0].dst"),
    "a route through the other family": (
        subnet(routes=[{"dst": "10.60.0.0/16", "gw": "fd00::1"}]),
        "give dst and gw of one family",
    ),
    "a block too large": ({"ipam": {"blockSize": 21}}, "spec.ipam.blockSize"),
    "a block of neither family": ({"ipam": {"blockSize": 64}}, "22 to 32 for IPv4"),
    "a reservation outside": (reserved("10.8.0.7"), "in no subnet of the plane"),
    "a reservation without subnets": (reserved("10.9.0.7", **NAD_REF), "in no subnet of the plane"),
    "a reserved gateway": (reserved("10.9.0.1"), "it is a subnet's gateway"),
    "a reserved network address": (reserved("10.9.0.0"), "network or broadcast address"),
    "a reserved broadcast address": (reserved("10.9.0.255"), "network or broadcast address"),
    "an address reserved twice": (reserved("10.9.0.7", "10.9.0.7"), "Duplicate value"),
    "a reservation for nobody": (
        {"staticIPs": {"reservations": [{"ip": "10.9.0.7"}]}},
        "reservations[0].namespace",
    ),
    "a sysctl outside net": ({"sysctls": {"kernel.shmmax": "1"}}, "only settings below net."),
    "a sysctl of the node": ({"sysctls": {"net.core.rmem_max": "1"}}, "only settings below net."),
    "a sysctl of all neighbours": (
        {"sysctls": {"net.ipv4.neigh.default.gc_thresh1": "1"}},
        "only settings below net.",
    ),
    "a sysctl that climbs": ({"sysctls": {"net..kernel": "1"}}, "only settings below net."),
    "an override for nobody": ({"quota": {"overrides": [{}]}}, "namespaceSelector"),
    "isolation": ({"isolation": {"default": "DenyAll"}}, "does not isolate pods"),
    "antiSpoof": ({"isolation": {"antiSpoof": True}}, "does not stop spoofed addresses"),
    "persistent addresses of no static range": (
        {"ipam": {"lifecycle": "Persistent"}},
        "claims keep addresses of staticRanges",
    ),
    "borrowing by halves": ({"ipam": {"borrow": "half"}}, "borrow"),
    "workloads refused": ({"enforcement": {"workloads": "Deny"}}, "reviews pods, not workloads"),
    "workloads left alone": ({"enforcement": {"workloads": "Off"}}, "reviews pods, not workloads"),
    **REFUSED_USES,
    "dynamic attachment": ({"dynamicAttach": True}, "does not enforce dynamicAttach"),
    "a deletion policy nobody knows": ({"deletionPolicy": "Cascade"}, "spec.deletionPolicy"),
}
"""Each with a part of what the API server says."""
