"""Read the nested parts of a Plane's spec; faults are added to the reader's findings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from planes.model.addresses import (
    AddressRange,
    IPAddress,
    parse_address,
    parse_network,
    parse_range,
)
from planes.model.errors import JsonObject
from planes.model.names import is_dns_label, is_dns_subdomain, shown
from planes.model.objects import NadRef
from planes.model.spec.block_sizes import WIDEST_BLOCK
from planes.model.spec.plane_spec import Quota, TypedNetwork
from planes.model.spec.reservations import Reservation
from planes.model.spec.selector import Selector, parse_selector
from planes.model.spec.spec_reader import SpecReader
from planes.model.spec.subnet import PlaneRoute, Subnet
from planes.model.spec.sysctls import is_of_a_pod

QUOTA_FIELDS = "addressesPerNamespace attachmentsPerNamespace staticPerNamespace"
NETWORK_TYPES = ("macvlan", "ipvlan", "bridge", "vlan", "sriov", "host-device")
_NETWORK_FIELDS = "nadRef type master mode vlan mtu resourceName plugins shared requireCarrier"
_SUBNET_FIELDS = "cidr gateway ranges exclude staticRanges routes"
_NOT_OF_A_POD = "cannot set it in a pod: it is the node's, or none of a pod's network"
_SYSCTL_REMEDY = "name one that a pod has for itself, or set it on the nodes"
_MAX_SUBNETS = 8
_MAX_COUNT = 2**31 - 1
_MAX_BITS = 2**63 - 1
_MAX_ORDINAL = 10**9


def read_selector(spec: SpecReader, key: str) -> Selector | None:
    """Read a label selector, None where absent."""
    value = spec.raw(key)
    return None if value is None else parse_selector(value, spec.at(key), spec.findings)


class NetworkPart(NamedTuple):
    """The parsed `network`: a typed network or a NAD's name, neither where it has faults."""

    typed: TypedNetwork | None
    nad_ref: NadRef | None
    shared: bool
    require_carrier: bool


def read_network(spec: SpecReader) -> NetworkPart:
    """Read `network`."""
    network = spec.child("network", _NETWORK_FIELDS)
    return NetworkPart(
        *_typed_or_named(network),
        network.boolean("shared"),
        network.boolean("requireCarrier", True),
    )


def _typed_or_named(network: SpecReader) -> tuple[TypedNetwork | None, NadRef | None]:
    if network.has("nadRef") == network.has("type"):
        network.report(
            "",
            "cannot tell the network: give exactly one of nadRef and type",
            f"give nadRef {{namespace, name}}, or type ({', '.join(NETWORK_TYPES)})",
        )
        return None, None
    if network.has("nadRef"):
        return None, _nad_ref(network)
    type_ = network.string("type")
    if type_ not in NETWORK_TYPES:
        network.report("type", f"cannot use {shown(type_)}", f"give {', '.join(NETWORK_TYPES)}")
    return (
        TypedNetwork(
            type=type_,
            master=network.string("master"),
            mode=network.string("mode"),
            vlan=network.integer("vlan", 0, 4094),
            mtu=network.integer("mtu", 0, 65535) or 0,
            resource_name=network.string("resourceName"),
            plugins=_plugins(network),
        ),
        None,
    )


def _nad_ref(network: SpecReader) -> NadRef | None:
    for key in ("master", "mode", "vlan", "mtu", "resourceName", "plugins"):
        if network.has(key):
            network.report(key, "cannot use it beside nadRef: the NAD says it", "remove it")
    reader = network.child("nadRef", "namespace name")
    ref = NadRef(reader.string("namespace"), reader.string("name"))
    if not is_dns_label(ref.namespace):
        reader.report("namespace", f"cannot use {shown(ref.namespace)}", "name the NAD's namespace")
    if not is_dns_subdomain(ref.name):
        reader.report("name", f"cannot use {shown(ref.name)}", "name the NAD")
    return ref


def _plugins(network: SpecReader) -> tuple[JsonObject, ...]:
    found = []
    for path, plugin in network.items("plugins", 16):
        if isinstance(plugin, dict) and isinstance(plugin.get("type"), str) and plugin["type"]:
            found.append(plugin)
        else:
            key = path.removeprefix(network.path + ".")
            network.report(key, "cannot use a plugin without type", 'give {"type": …}')
    return tuple(found)


def read_reservations(static: SpecReader) -> tuple[Reservation, ...]:
    """Read `staticIPs.reservations`."""
    found = []
    for entry in static.children("reservations", "ip namespace owner ordinal"):
        address = entry.parsed("ip", parse_address)
        namespace = entry.string("namespace")
        if not is_dns_label(namespace):
            entry.report("namespace", f"cannot use {shown(namespace)}", "name the pods' namespace")
        if not entry.has("ip"):
            entry.report("ip", "cannot reserve nothing", "give an address")
        if address is not None:
            ordinal = entry.integer("ordinal", 0, _MAX_ORDINAL)
            found.append(Reservation(address, namespace, entry.string("owner"), ordinal))
    return tuple(found)


def read_subnets(spec: SpecReader, reservations: tuple[Reservation, ...]) -> tuple[Subnet, ...]:
    """Read `subnets`; each keeps the reservations inside it from being handed out."""
    found = []
    for reader in spec.children("subnets", _SUBNET_FIELDS, _MAX_SUBNETS):
        cidr = reader.parsed("cidr", parse_network)
        if not reader.has("cidr"):
            reader.report("cidr", "cannot use a subnet without cidr", "give one, 192.168.0.0/16")
        if cidr is None:
            continue
        reserved: tuple[IPAddress, ...] = tuple(
            entry.address
            for entry in reservations
            if entry.address.version == cidr.version and entry.address in cidr
        )
        found.append(
            Subnet(
                cidr=cidr,
                gateway=reader.parsed("gateway", parse_address),
                ranges=_ranges(reader, "ranges"),
                exclude=_ranges(reader, "exclude"),
                static_ranges=_ranges(reader, "staticRanges"),
                routes=read_routes(reader),
                reserved=reserved,
            )
        )
    return tuple(found)


def _ranges(reader: SpecReader, key: str) -> tuple[AddressRange, ...]:
    return reader.parsed_list(key, parse_range)


def read_routes(reader: SpecReader) -> tuple[PlaneRoute, ...]:
    """Read `routes`, each `{dst, gw}`."""
    found = []
    for entry in reader.children("routes", "dst gw", 256):
        destination = entry.parsed("dst", parse_network)
        gateway = entry.parsed("gw", parse_address)
        if not entry.has("dst"):
            entry.report("dst", "cannot use a route without dst", "give a CIDR")
        if destination is None:
            continue
        if gateway is not None and gateway.version != destination.version:
            entry.report("gw", "cannot route one family through the other", "give one family")
        found.append(PlaneRoute(destination, gateway))
    return tuple(found)


def read_block_size(ipam: SpecReader) -> Mapping[int, int]:
    """Read `ipam.blockSize`: the prefix length of a node's block, by IP version; {} if not given.

    The number is for one family: up to 32 for IPv4, above for IPv6.
    """
    size = ipam.integer("blockSize", 16, 128)
    if size is None:
        return {}
    version = 4 if size <= 32 else 6
    if size < WIDEST_BLOCK[version]:
        ipam.report(
            "blockSize",
            f"cannot give every node an IPv{version} block of /{size}: it is too large",
            f"give {WIDEST_BLOCK[4]} to 32 for IPv4 or {WIDEST_BLOCK[6]} to 128 for IPv6",
        )
    return {version: size}


def read_bandwidth(spec: SpecReader) -> JsonObject | None:
    """Read `bandwidth`: rates and bursts in bits, a burst for each rate."""
    if not spec.has("bandwidth"):
        return None
    fields = ("ingressRate", "ingressBurst", "egressRate", "egressBurst")
    reader = spec.child("bandwidth", " ".join(fields))
    values = {key: reader.integer(key, 1, _MAX_BITS) for key in fields}
    for direction in ("ingress", "egress"):
        if (values[f"{direction}Rate"] is None) != (values[f"{direction}Burst"] is None):
            reader.report(
                f"{direction}Rate",
                "cannot limit with a rate or a burst alone",
                f"give {direction}Rate and {direction}Burst",
            )
    return {key: value for key, value in values.items() if value is not None}


def read_sysctls(spec: SpecReader) -> Mapping[str, str]:
    """Read `sysctls` of a pod's own network namespace; IFNAME is replaced by the interface."""
    value = spec.raw("sysctls")
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        spec.report("sysctls", "cannot read it: it must be a mapping of strings", "quote values")
        return {}
    for key in value:
        if not is_of_a_pod(key):
            spec.report(f"sysctls[{key[:64]}]", _NOT_OF_A_POD, _SYSCTL_REMEDY)
    return value


def read_quota(reader: SpecReader) -> Quota:
    """Read the three limits of a quota or of one of its overrides."""
    limits = [reader.integer(key, 0, _MAX_COUNT) for key in QUOTA_FIELDS.split()]
    return Quota(addresses=limits[0], attachments=limits[1], static=limits[2])


def read_overrides(quota: SpecReader) -> tuple[tuple[Selector, Quota], ...]:
    """Read `quota.overrides`."""
    found = []
    for reader in quota.children("overrides", f"namespaceSelector {QUOTA_FIELDS}"):
        selector = read_selector(reader, "namespaceSelector")
        if selector is None:
            reader.report("namespaceSelector", "cannot tell whose quota it is", "give a selector")
            continue
        found.append((selector, read_quota(reader)))
    return tuple(found)
