"""What an address is in a plane: the gateway, reserved, static, handed out unasked, or nothing.

Pure: a plane says it alone, whoever has the address now.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from planes.model.addresses import IPAddress
from planes.model.spec.plane_spec import IpamMode, Plane
from planes.model.spec.subnet import Subnet


class Role(StrEnum):
    """What a plane says of an address."""

    OUTSIDE = "outside"
    GATEWAY = "gateway"
    UNUSABLE = "network or broadcast"
    EXCLUDED = "excluded"
    RESERVED = "reserved"
    STATIC = "static"
    DYNAMIC = "dynamic"
    UNUSED = "in no range"
    FOREIGN = "by the NAD's IPAM"


@dataclass(frozen=True, slots=True)
class AddressRole:
    """The role of an address, and a sentence about it."""

    role: Role
    text: str


def role_of(plane: Plane, address: IPAddress) -> AddressRole:
    """Return what an address is in a plane."""
    if not plane.subnets and plane.ipam_mode is IpamMode.NAD:
        return AddressRole(Role.FOREIGN, f"the IPAM of NAD {plane.ref} knows it, not the plane")
    subnet = plane.subnet_of(address)
    if subnet is None:
        return AddressRole(Role.OUTSIDE, "it is in no subnet of the plane")
    return _kept(subnet, address) or _given(plane, subnet, address)


def _kept(subnet: Subnet, address: IPAddress) -> AddressRole | None:
    """Return the role of an address that no pod gets."""
    if address == subnet.gateway:
        return AddressRole(Role.GATEWAY, f"it is the gateway of {subnet.cidr}")
    if address in subnet.unusable:
        is_first = address == subnet.cidr.network_address
        what = "network" if is_first else "broadcast"
        return AddressRole(Role.UNUSABLE, f"it is the {what} address of {subnet.cidr}")
    if address in subnet.excluded:
        return AddressRole(Role.EXCLUDED, "the plane excludes it")
    return None


def _given(plane: Plane, subnet: Subnet, address: IPAddress) -> AddressRole:
    reservation = plane.reservation_of(address)
    if reservation is not None:
        return AddressRole(Role.RESERVED, f"it is reserved for {reservation}")
    span = next((each for each in subnet.static_ranges if address in each), None)
    if span is not None:
        return AddressRole(Role.STATIC, f"it is of the static range {span}")
    span = next((each for each in subnet.dynamic if address in each), None)
    if span is not None:
        return AddressRole(Role.DYNAMIC, f"nodes hand it out unasked, out of {span}")
    return AddressRole(Role.UNUSED, f"it is in {subnet.cidr}, but in none of its ranges")
