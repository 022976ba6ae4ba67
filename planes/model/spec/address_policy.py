"""The address policy of a plane: which addresses a pod may ask for, taken or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from planes.model.addresses import AddressRange, IPAddress, IPNetwork
from planes.model.lines import first_few
from planes.model.objects import Pod
from planes.model.spans import SpanSet
from planes.model.spec.plane_spec import Allow, IpamMode, Plane
from planes.model.spec.subnet import Subnet

_WRONG = 422
_FORBIDDEN = 403
_SHOWN = 4  # ranges, subnets or addresses that a message names


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an address is refused, and the remedy; `cause` completes "cannot give … <address>: "."""

    cause: str
    remedy: str
    status: int = _WRONG


def refusal(plane: Plane, pod: Pod, address: IPAddress) -> Refusal | None:
    """Return why a pod may not ask for an address of a plane, None where it may."""
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
        return _outside(plane, pod, address)
    return _in_subnet(plane, subnet, address) or _policy(plane, subnet, pod, address)


def hard_refusal(plane: Plane, pod: Pod, address: IPAddress) -> Refusal | None:
    """Return why a pod may not have an address even where the wire is shared, None where it may."""
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
    """Return all addresses that a pod may ask for by `refusal`; None where there are no subnets.

    As ranges, so that a long list of addresses is compared with them and not walked.
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
    """Return a plane whose static addresses are those of static ranges and reservations alone.

    On a cluster nodes hold the other addresses in blocks, and only they know which are free.
    """
    if plane.ipam_mode is not IpamMode.PLANE:
        return plane
    subnets = tuple(replace(subnet, is_static_apart=True) for subnet in plane.subnets)
    return replace(plane, subnets=subnets)


def _is_usable(plane: Plane, address: IPAddress) -> bool:
    subnet = plane.subnet_of(address)
    return subnet is not None and _in_subnet(plane, subnet, address) is None


def _outside(plane: Plane, pod: Pod, address: IPAddress) -> Refusal:
    if address.version not in plane.families:
        return Refusal(
            f"plane {plane.name} has no IPv{address.version} subnet",
            f"ask for an IPv{'6' if address.version == 4 else '4'} address",
        )
    same = [each for each in plane.subnets if each.version == address.version]
    cause = f"it is outside plane {plane.name} ({_listed([each.cidr for each in same])})"
    if plane.allow is Allow.RESERVED:
        return Refusal(cause, _reserved_advice(plane, pod))
    askable = [span for each in same for span in _askable(each)]
    return Refusal(cause, f"ask for one of {_listed(askable)}" if askable else _advice(same[0]))


def _in_subnet(plane: Plane, subnet: Subnet, address: IPAddress) -> Refusal | None:
    role = ""
    if address == subnet.gateway:
        role = "the gateway"
    elif address in subnet.unusable:
        is_first = address == subnet.cidr.network_address
        role = "the network address" if is_first else "the broadcast address"
    elif address in subnet.excluded:
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
        cause = f"plane {plane.name} gives out reserved addresses only"
        return Refusal(cause, _reserved_advice(plane, pod), _FORBIDDEN)
    if address in subnet.askable_set:
        return None
    cause = f"plane {plane.name} does not give it out as a static address"
    if subnet.is_static_apart:
        cause += ", as it is in none of its staticRanges"
    return Refusal(cause, _advice(subnet))


def _reserved_advice(plane: Plane, pod: Pod) -> str:
    own = [entry.address for entry in plane.reserved_for(pod)]
    if not own:
        return "ask an administrator to reserve one"
    return f"reserved for this pod: {_listed(own)}"


def _advice(subnet: Subnet) -> str:
    """Return the remedy that lists what may be asked for in a subnet, taken or not."""
    spans = _askable(subnet)
    if spans:
        return f"ask for one of {_listed(spans)}"
    return f"ask an administrator to give {subnet.cidr} staticRanges, or to reserve the address"


def _askable(subnet: Subnet) -> tuple[AddressRange | IPNetwork, ...]:
    """Return a subnet's askable addresses as they are written, exclusions not taken out."""
    if subnet.static_ranges or subnet.is_static_apart:
        return subnet.static_ranges
    return subnet.ranges or (subnet.cidr,)


def _listed(what: Sequence[object]) -> str:
    return first_few(what, _SHOWN)
