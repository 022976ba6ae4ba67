"""What every address book says of a plane's addresses: who has one, and how it is given."""

from __future__ import annotations

from planes.model.addresses import IPAddress
from planes.model.errors import BadInput
from planes.model.spec.plane import Plane, Subnet
from planes.model.wire.result import Address
from planes.store.protocol import AddressOwner


def describe(owner: AddressOwner) -> str:
    """Say who holds an address, as exactly as is known."""
    if not owner.container_id:
        return "an unreadable record"
    where = f" on node {owner.node}" if owner.node else ""
    if owner.pod:
        return f"pod {owner.namespace}/{owner.pod} (interface {owner.interface}){where}"
    return f"container {owner.container_id[:12]} (interface {owner.interface}){where}"


def is_useless(plane: Plane, address: IPAddress) -> bool:
    """Tell whether no pod can have an address of a plane as the plane is now."""
    subnet = plane.subnet_of(address)
    return subnet is None or _is_kept(subnet, address)


def _is_kept(subnet: Subnet, address: IPAddress) -> bool:
    return address in subnet.unusable or any(address in span for span in subnet.exclude)


def check_inside(plane: Plane, address: IPAddress) -> None:
    """Check that a pod can have an address of a plane.

    Raises:
        BadInput: it is in no subnet, or none a pod can have.
    """
    subnet = plane.subnet_of(address)
    cidrs = ", ".join(str(subnet.cidr) for subnet in plane.subnets) or "none"
    if subnet is None:
        raise BadInput(
            f"cannot take {address} in plane {plane.name}: it is in none of its subnets",
            remedy=f"ask for one of {cidrs}",
        )
    if _is_kept(subnet, address):
        raise BadInput(
            f"cannot take {address} in plane {plane.name}: it is its network, broadcast, gateway "
            "or an excluded address",
            remedy=f"ask for another one of {subnet.cidr}",
        )


def with_subnet(plane: Plane, address: IPAddress) -> Address:
    """Give an address with prefix length and gateway of its subnet.

    Raises:
        BadInput: it is in no subnet.
    """
    subnet = plane.subnet_of(address)
    if subnet is None:  # checked or chosen from the plane before
        raise BadInput(f"cannot use {address}: it is outside plane {plane.name}")
    gateway = "" if subnet.gateway is None else str(subnet.gateway)
    return Address(f"{address}/{subnet.cidr.prefixlen}", gateway)
