"""What all address books share: errors about addresses, and which of a plane's a pod may have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from planes.model.addresses import IPAddress
from planes.model.errors import BadInput, Conflict, Exhausted
from planes.model.spans import SpanSet
from planes.model.spec.blocks import askable
from planes.model.spec.plane_spec import Plane
from planes.model.spec.subnet import Subnet
from planes.model.state.rollout import ROLLOUT_REMEDY
from planes.model.wire.result import Address
from planes.store.protocol import AddressOwner


def describe(owner: AddressOwner) -> str:
    """Return the holder of an address in words, `pod shop/db-0 (interface net1) on node a`."""
    if not owner.container_id:
        return "an unreadable record"
    where = f" on node {owner.node}" if owner.node else ""
    if owner.pod:
        return f"pod {owner.namespace}/{owner.pod} (interface {owner.interface}){where}"
    return f"container {owner.container_id[:12]} (interface {owner.interface}){where}"


def taken(address: IPAddress, plane: Plane, holder: AddressOwner, wants: AddressOwner) -> Conflict:
    """Return the error for an address that another attachment holds.

    The holder may be a pod of the same name: a StatefulSet names a new replica as the one that
    ends.
    """
    text = f"cannot take {address} in plane {plane.name}"
    if holder.pod and (holder.namespace, holder.pod) == (wants.namespace, wants.pod):
        if holder.uid != wants.uid:
            where = f" on node {holder.node}" if holder.node else ""
            return Conflict(
                f"{text}: the pod of this name before this one holds it{where} until it has ended",
                remedy="wait: it is tried again; if the old pod does not end, see why",
            )
        return Conflict(
            f"{text}: it is held by another sandbox or interface of this pod, {describe(holder)}",
            remedy="give each interface an address of its own; its node removes former sandboxes",
        )
    return Conflict(
        f"{text}: it is held by {describe(holder)}",
        remedy="ask for another address or delete its holder first; where both are pods of one "
        f"Deployment, {ROLLOUT_REMEDY}",
    )


NONE_FREE_REMEDY: Final = (
    "list more addresses or run fewer replicas; where a Deployment rolls out, " + ROLLOUT_REMEDY
)


def all_taken(asked: Sequence[IPAddress], plane: Plane, holder: AddressOwner) -> Exhausted:
    """Return the error for an attachment none of whose possible addresses of one family is free.

    Args:
        asked: the addresses.
        plane: their plane.
        holder: of the first one.
    """
    return Exhausted(
        f"cannot take an address in plane {plane.name}: all {len(asked)} IPv{asked[0].version} "
        f"addresses the pod may have are held, {asked[0]} by {describe(holder)}",
        remedy=NONE_FREE_REMEDY,
    )


def is_useless(plane: Plane, address: IPAddress) -> bool:
    """Report whether no pod can have an address of a plane as the plane is now."""
    subnet = plane.subnet_of(address)
    return subnet is None or _is_kept(subnet, address)


def _is_kept(subnet: Subnet, address: IPAddress) -> bool:
    return address in subnet.unusable or address in subnet.excluded


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


def check_askable(plane: Plane, addresses: Sequence[IPAddress]) -> None:
    """Check that pods on a cluster can ask for addresses of a plane.

    Raises:
        BadInput: one is outside the plane, or a node may hand it out.
    """
    static = SpanSet(askable(plane))
    for address in addresses:
        check_inside(plane, address)
        if address not in static:
            raise BadInput(
                f"cannot take {address} in plane {plane.name}: it is neither in staticRanges nor "
                "reserved, so a node may hand it out",
                remedy="ask for an address of staticRanges, or have an administrator add it there",
            )


def with_subnet(plane: Plane, address: IPAddress) -> Address:
    """Return an address with the prefix length and gateway of its subnet.

    Raises:
        BadInput: it is in no subnet.
    """
    subnet = plane.subnet_of(address)
    if subnet is None:  # checked or chosen from the plane before
        raise BadInput(f"cannot use {address}: it is outside plane {plane.name}")
    gateway = "" if subnet.gateway is None else str(subnet.gateway)
    return Address(f"{address}/{subnet.cidr.prefixlen}", gateway)
