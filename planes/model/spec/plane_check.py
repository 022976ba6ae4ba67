"""Check a plane's fields against each other; each field by itself is checked when it is read."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from planes.model.addresses import AddressRange, overlapping
from planes.model.errors import BadInput, Finding
from planes.model.names import check_ifname
from planes.model.spec.address_use_check import check_address_use
from planes.model.spec.ipam_claim import claimable
from planes.model.spec.plane_parts import NETWORK_TYPES
from planes.model.spec.plane_spec import IpamMode, Plane, TypedNetwork
from planes.model.spec.subnet import Subnet
from planes.model.wire.link_values import LINK_MODES

TAKEN_INTERFACES = frozenset({"eth0", "lo"})
"""Interfaces that every sandbox has already."""


def check_plane(plane: Plane) -> list[Finding]:
    """List every contradiction in a plane."""
    return [
        *_membership(plane),
        *_interface(plane),
        *_network(plane),
        *_ipam(plane),
        *_lifecycle(plane),
        *_subnets(plane),
        *_reservations(plane),
        *_routes(plane),
        *check_address_use(plane),
    ]


def _membership(plane: Plane) -> Iterator[Finding]:
    selector = plane.namespace_selector
    if selector is not None and selector.is_empty and not plane.all_namespaces:
        yield Finding(
            "spec.namespaceSelector",
            "cannot use an empty selector: it would take every namespace",
            "name labels, or set allNamespaces: true where every namespace is meant",
        )
    if plane.all_namespaces and selector is not None and not selector.is_empty:
        yield Finding(
            "spec.allNamespaces",
            "cannot select every namespace and some namespaces at once",
            "remove allNamespaces or namespaceSelector",
        )


def _interface(plane: Plane) -> Iterator[Finding]:
    if not plane.interface:
        return
    try:
        check_ifname(plane.interface)
    except BadInput as error:
        yield Finding("spec.interface", error.message, error.remedy)
    if plane.interface in TAKEN_INTERFACES:
        yield Finding(
            "spec.interface", f"cannot use {plane.interface}: every pod has it", "give another name"
        )


def _network(plane: Plane) -> Iterator[Finding]:
    network = plane.network
    if network is None:
        yield from _nad_fields(plane)
        return
    if network.type not in NETWORK_TYPES:  # it is said where it is read
        return
    allowed = LINK_MODES.get(network.type, ())
    if network.mode and network.mode not in allowed:
        remedy = f"give {', '.join(allowed)}" if allowed else "remove it"
        yield Finding("spec.network.mode", f"cannot use it for {network.type}", remedy)
    yield from _device(network)
    if "%" in network.master:
        yield Finding(
            "spec.network.master",
            f"cannot use {network.master}: the kernel numbers such a name by itself",
            "give a name without %",
        )
    yield from _vlan(network)
    if plane.bandwidth and network.type != "bridge":
        yield Finding(
            "spec.bandwidth",
            f"cannot limit the bandwidth of {network.type}: the plugin shapes veth pairs only",
            "remove it or use type bridge",
        )
    if network.mtu and plane.mtu != network.mtu:
        yield Finding("spec.mtu", "cannot differ from spec.network.mtu", "give it once")
    if plane.mtu and network.type in {"sriov", "host-device"}:
        yield Finding(
            "spec.mtu", f"cannot set the MTU of {network.type}", "set it on the node's device"
        )


def _device(network: TypedNetwork) -> Iterator[Finding]:
    """Yield errors about the interface or device that a network needs and does not name."""
    if network.type == "vlan" and not network.master:
        yield Finding(
            "spec.network.master",
            "cannot make a vlan network without master",
            "name the node's interface",
        )
    if network.type == "host-device" and not (network.master or network.resource_name):
        yield Finding(
            "spec.network.master",
            "cannot make a host-device network without master or resourceName",
            "name the node's interface, for one pod of each node, or a device plugin's resource",
        )
    if network.type == "sriov" and not network.resource_name:
        yield Finding(
            "spec.network.resourceName",
            "cannot pick a virtual function without resourceName",
            "name the device plugin's resource; a fixed device would serve one pod only",
        )


def _vlan(network: TypedNetwork) -> Iterator[Finding]:
    if network.vlan is not None and network.type not in {"vlan", "bridge", "sriov"}:
        yield Finding(
            "spec.network.vlan",
            f"cannot use a VLAN with {network.type}",
            "use type vlan, or make the VLAN interface on the nodes and name it as master",
        )
    if network.vlan is None and network.type == "vlan":
        yield Finding("spec.network.vlan", "cannot make a vlan network without vlan", "give an id")


def _nad_fields(plane: Plane) -> Iterator[Finding]:
    if plane.nad_ref is None:
        return
    told = {
        "routes": bool(plane.routes),
        "mtu": bool(plane.mtu),
        "bandwidth": plane.bandwidth is not None,
        "sysctls": bool(plane.sysctls),
    }
    for field in (name for name, is_told in told.items() if is_told):
        yield Finding(
            f"spec.{field}",
            "cannot change a NAD that somebody else wrote",
            "put it into the NAD, or describe the network here with type instead of nadRef",
        )


def _ipam(plane: Plane) -> Iterator[Finding]:
    if plane.nad_ref is not None and plane.ipam_mode is IpamMode.PLANE:
        yield Finding(
            "spec.ipam.mode",
            "cannot hand out the plane's addresses through a NAD that somebody else wrote",
            "describe the network here with type instead of nadRef, or use mode NAD",
        )
    if plane.network is not None and plane.ipam_mode is IpamMode.NAD:
        yield Finding(
            "spec.ipam.mode", "cannot use mode NAD without nadRef", "use mode Plane or None"
        )
    is_ipvlan = plane.network is not None and plane.network.type == "ipvlan"
    if is_ipvlan and plane.ipam_mode is IpamMode.NONE:
        yield Finding(
            "spec.ipam.mode",
            "cannot make an ipvlan network without addresses: the plugin refuses it",
            "use mode Plane, or type macvlan",
        )
    if plane.network is not None and plane.ipam_mode is IpamMode.PLANE and not plane.subnets:
        yield Finding(
            "spec.subnets", "cannot hand out addresses without a subnet", "give at least one cidr"
        )
    if plane.ipam_mode is IpamMode.NONE and plane.subnets:
        yield Finding(
            "spec.subnets", "cannot use subnets with ipam.mode None", "remove them or the mode"
        )


def _lifecycle(plane: Plane) -> Iterator[Finding]:
    if not plane.is_persistent:
        return
    if plane.ipam_mode is not IpamMode.PLANE:
        yield Finding(
            "spec.ipam.lifecycle",
            "cannot keep addresses that the plane does not hand out",
            "leave it out, or use mode Plane",
        )
        return
    for version in sorted(plane.families):
        if not claimable(plane, version):
            yield Finding(
                "spec.ipam.lifecycle",
                f"cannot keep IPv{version} addresses: no subnet has staticRanges, which are what "
                "claims get",
                "give staticRanges to a subnet of each family, or leave lifecycle out",
            )


def _subnets(plane: Plane) -> Iterator[Finding]:
    for index, subnet in enumerate(plane.subnets):
        yield from _subnet(subnet, f"spec.subnets[{index}]", plane)
    for (i, one), (j, other) in combinations(enumerate(plane.subnets), 2):
        if one.version == other.version and one.cidr.overlaps(other.cidr):
            yield Finding(
                f"spec.subnets[{j}].cidr",
                f"cannot use {other.cidr}: it overlaps subnets[{i}] {one.cidr}",
                "give each address to one subnet",
            )


def _subnet(subnet: Subnet, path: str, plane: Plane) -> Iterator[Finding]:
    inside = f"give addresses of {subnet.cidr}"
    gateway = subnet.gateway
    if gateway is not None and (gateway.version != subnet.version or gateway not in subnet.cidr):
        yield Finding(f"{path}.gateway", f"cannot reach {gateway}: it is not in the subnet", inside)
    elif gateway is not None and gateway in _ends(subnet):
        yield Finding(
            f"{path}.gateway",
            f"cannot use {gateway}: it is the subnet's network or broadcast address",
            "give a host's address",
        )
    for key, spans in (
        ("ranges", subnet.ranges),
        ("exclude", subnet.exclude),
        ("staticRanges", subnet.static_ranges),
    ):
        yield from _spans(spans, f"{path}.{key}", subnet, inside)
    if not subnet.dynamic and plane.ipam_mode is IpamMode.PLANE and not subnet.askable:
        yield Finding(
            f"{path}.ranges", "cannot hand out anything: nothing is left", "widen the ranges"
        )


def _spans(
    spans: tuple[AddressRange, ...], path: str, subnet: Subnet, inside: str
) -> Iterator[Finding]:
    for index, span in enumerate(spans):
        if span.version != subnet.version or not span.within(subnet.cidr):
            yield Finding(f"{path}[{index}]", f"cannot use {span}: it leaves the subnet", inside)
    for i, j in overlapping(spans):
        yield Finding(
            f"{path}[{j}]",
            f"cannot use {spans[j]}: it overlaps [{i}] {spans[i]}",
            "give each address once",
        )


def _ends(subnet: Subnet) -> set[object]:
    return {address for address in subnet.unusable if address != subnet.gateway} | (
        {subnet.cidr.network_address, subnet.cidr.broadcast_address}
        if subnet.version == 4 and subnet.cidr.prefixlen < 31
        else set()
    )


def _reservations(plane: Plane) -> Iterator[Finding]:
    seen = set()
    for index, entry in enumerate(plane.reservations):
        path = f"spec.staticIPs.reservations[{index}].ip"
        subnet = plane.subnet_of(entry.address)
        if subnet is None:
            yield Finding(
                path, f"cannot reserve {entry.address}: no subnet has it", "give one of a subnet"
            )
        elif entry.address in subnet.unusable or entry.address in subnet.excluded:
            yield Finding(
                path,
                f"cannot reserve {entry.address}: no pod can have it",
                "it is the network, broadcast, gateway or an excluded address; give another",
            )
        if entry.address in seen:
            yield Finding(path, f"cannot reserve {entry.address} twice", "remove one entry")
        seen.add(entry.address)


def _routes(plane: Plane) -> Iterator[Finding]:
    if plane.default_route and not plane.gateways:
        yield Finding(
            "spec.defaultRoute",
            "cannot route by default without a gateway",
            "give a subnet its gateway",
        )
