"""Which addresses of a plane a pod may ask for, by the plane's rules, whoever holds them now."""

from __future__ import annotations

from dataclasses import dataclass, replace

from planes.model.addresses import AddressRange, IPAddress
from planes.model.objects import Pod
from planes.model.spans import SpanSet
from planes.model.spec.plane_spec import Allow, IpamMode, Plane, Subnet

_WRONG = 422
_FORBIDDEN = 403


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why not, and what to do; the cause completes "cannot give … <address>: "."""

    cause: str
    remedy: str
    status: int = _WRONG


def refusal(plane: Plane, pod: Pod, address: IPAddress) -> Refusal | None:
    """Say why a pod may not ask for an address of a plane, None where it may."""
    if plane.ipam_mode is IpamMode.NONE:
        return Refusal(
            f"plane {plane.name} hands out no addresses (ipam.mode None)", "remove the address"
        )
    if plane.allow is Allow.NEVER:
        return Refusal(
            f"plane {plane.name} allows no static addresses",
            "remove the address, or ask an administrator to set staticIPs.allow",
            _FORBIDDEN,
        )
    if not plane.subnets or (plane.allow is Allow.ANY and address in plane.askable_set):
        return None
    subnet = plane.subnet_of(address)
    if subnet is None:
        return _outside(plane, address)
    return _in_subnet(plane, subnet, address) or _policy(plane, subnet, pod, address)


def hard_refusal(plane: Plane, pod: Pod, address: IPAddress) -> Refusal | None:
    """Say why nobody, or not this pod, may have an address even where the wire is shared."""
    subnet = plane.subnet_of(address)
    if subnet is None:
        return None
    if address in subnet.unusable:
        return _in_subnet(plane, subnet, address)
    reservation = plane.reservation_of(address)
    if reservation is None or reservation.is_for(pod):
        return None
    return _policy(plane, subnet, pod, address)


def askable_by(plane: Plane, pod: Pod) -> SpanSet | None:
    """Give all addresses that `refusal` lets a pod ask for; None where the plane knows no subnets.

    The same rules as ranges, so that a long list is compared with them and not walked.
    """
    if plane.ipam_mode is IpamMode.NONE or plane.allow is Allow.NEVER:
        return SpanSet(())
    if not plane.subnets:
        return None
    own = [entry.address for entry in plane.reserved_for(pod)]
    usable = [address for address in own if _is_usable(plane, address)]
    if plane.allow is Allow.ANY and not usable:
        return plane.askable_set
    spans = [AddressRange(address, address) for address in usable]
    if plane.allow is Allow.ANY:
        spans += [span for subnet in plane.subnets for span in subnet.askable]
    return SpanSet(spans)


def with_static_apart(plane: Plane) -> Plane:
    """Give a plane whose static addresses are those of static ranges and reservations alone.

    So it is on a cluster, where nodes hold the rest in blocks and nobody else sees what is free.
    """
    if plane.ipam_mode is not IpamMode.PLANE:
        return plane
    subnets = tuple(replace(subnet, is_static_apart=True) for subnet in plane.subnets)
    return replace(plane, subnets=subnets)


def _is_usable(plane: Plane, address: IPAddress) -> bool:
    subnet = plane.subnet_of(address)
    return subnet is not None and _in_subnet(plane, subnet, address) is None


def _outside(plane: Plane, address: IPAddress) -> Refusal:
    if address.version not in plane.families:
        return Refusal(
            f"plane {plane.name} has no IPv{address.version} subnet",
            f"ask for an IPv{'6' if address.version == 4 else '4'} address",
        )
    cidrs = ", ".join(str(each.cidr) for each in plane.subnets if each.version == address.version)
    return Refusal(f"it is outside plane {plane.name} ({cidrs})", f"ask for one of {cidrs}")


def _in_subnet(plane: Plane, subnet: Subnet, address: IPAddress) -> Refusal | None:
    role = ""
    if address == subnet.gateway:
        role = "the gateway"
    elif address in subnet.unusable:
        is_first = address == subnet.cidr.network_address
        role = "the network address" if is_first else "the broadcast address"
    elif any(address in span for span in subnet.exclude):
        return Refusal(f"plane {plane.name} excludes it", _advice(subnet))
    return Refusal(f"it is {role} of {subnet.cidr}", _advice(subnet)) if role else None


def _policy(plane: Plane, subnet: Subnet, pod: Pod, address: IPAddress) -> Refusal | None:
    reservation = plane.reservation_of(address)
    if reservation is not None:
        if reservation.is_for(pod):
            return None
        cause = f"plane {plane.name} reserves it for {reservation}"
        if pod.owner_doubt and reservation.is_for(replace(pod, owner_doubt="")):
            cause += f", and {pod.owner_doubt}"
        return Refusal(cause, _advice(subnet), _FORBIDDEN)
    if plane.allow is Allow.RESERVED:
        own = ", ".join(str(each.address) for each in plane.reserved_for(pod))
        remedy = f"reserved for this pod: {own}" if own else "ask an administrator to reserve one"
        return Refusal(f"plane {plane.name} gives out reserved addresses only", remedy, _FORBIDDEN)
    if address in subnet.askable_set:
        return None
    cause = f"plane {plane.name} does not give it out as a static address"
    if subnet.is_static_apart:
        cause += ", as it is in none of its staticRanges"
    return Refusal(cause, _advice(subnet))


def _advice(subnet: Subnet) -> str:
    if subnet.is_static_apart and not subnet.static_ranges:
        return f"ask an administrator to give {subnet.cidr} staticRanges, or to reserve the address"
    spans = subnet.static_ranges or subnet.ranges
    return f"ask for one of {', '.join(map(str, spans)) or subnet.cidr}"
