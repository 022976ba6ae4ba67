"""What planes say of one address: who has it, or why nobody does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from planes.cli.reading.address_use import AddressUse, PlaneUse, plane_uses
from planes.cli.reading.place import Place
from planes.model.addresses import IPAddress
from planes.model.errors import JsonObject
from planes.model.spec.plane_spec import Allow, IpamMode, Plane
from planes.model.spec.subnet import Subnet


class AddressState(StrEnum):
    """What an address is to a plane."""

    HELD = "held"
    FREE = "free"
    RESTING = "resting"
    RESERVED = "reserved"
    GATEWAY = "gateway"
    UNUSABLE = "unusable"
    EXCLUDED = "excluded"
    UNNAMED = "not-handed-out"
    OTHERS = "handed-out-by-others"


@dataclass(frozen=True, slots=True)
class AddressAnswer:
    """What one plane says of an address.

    Attributes:
        uses: several only where something is wrong.
        text: the state in words; "" where somebody has it.
        reserved: for whom a reservation keeps it, "" for nobody.
        block: the node whose block hands it out, "" for none.
    """

    plane: str
    state: AddressState
    uses: tuple[AddressUse, ...] = ()
    text: str = ""
    reserved: str = ""
    block: str = ""

    def as_json(self) -> JsonObject:
        """Return it as it is printed."""
        keys = ("proof", "pod", "uid", "node", "since", "claim")
        return {
            "plane": self.plane,
            "state": str(self.state),
            "text": self.text,
            "reservedFor": self.reserved,
            "blockOf": self.block,
            "holders": [{key: str(getattr(use, key)) for key in keys} for use in self.uses],
        }


async def look_for(place: Place, address: IPAddress, plane: str = "") -> list[AddressAnswer]:
    """Return what each plane says that contains an address, or of which somebody has it.

    Args:
        place: where to read.
        address: the address.
        plane: this one alone; "" for all.

    Raises:
        PlanesError: something cannot be read.
    """
    found = await plane_uses(place, [plane] if plane else (), address=address)
    return [answer for use in found.values() for answer in _answer(use, address, place)]


def _answer(use: PlaneUse, address: IPAddress, place: Place) -> Iterator[AddressAnswer]:
    plane, uses = use.plane, tuple(use.uses.get(address, ()))
    subnet = plane.subnet_of(address)
    reservation = plane.reservation_of(address)
    reserved = "" if reservation is None else str(reservation)
    block = use.node_of(address)
    if uses:
        yield AddressAnswer(plane.name, AddressState.HELD, uses, "", reserved, block)
    elif subnet is not None:
        state, text = _unheld(use, subnet, address, block if place.is_cluster else "")
        yield AddressAnswer(plane.name, state, (), text, reserved, block)


def _unheld(
    use: PlaneUse, subnet: Subnet, address: IPAddress, block: str
) -> tuple[AddressState, str]:
    """Return what an address is that nobody is known to have, and its description."""
    plane = use.plane
    if (no_pods := _of_no_pod(subnet, address)) is not None:
        return no_pods
    if plane.ipam_mode is not IpamMode.PLANE:
        return AddressState.OTHERS, f"shown by no pod; the IPAM of NAD {plane.ref} hands it out"
    if address in use.cooling:
        return AddressState.RESTING, "resting after its release"
    reservation = plane.reservation_of(address)
    if reservation is not None and plane.allow is not Allow.NEVER:
        return AddressState.RESERVED, f"reserved for {reservation}"
    if any(address in span for span in subnet.dynamic):
        where = f", or resting: it is in a block of node {block}, which alone knows"
        return AddressState.FREE, f"free{where if block else ''}"
    return _asked_for(plane, address, block)


def _of_no_pod(subnet: Subnet, address: IPAddress) -> tuple[AddressState, str] | None:
    """Return why no pod can have an address, None where one can."""
    if address == subnet.gateway:
        return AddressState.GATEWAY, "the gateway"
    if address in subnet.unusable:
        which = "network" if address == subnet.cidr.network_address else "broadcast"
        return AddressState.UNUSABLE, f"the {which} address of {subnet.cidr}"
    if address in subnet.excluded:
        return AddressState.EXCLUDED, "excluded"
    return None


def _asked_for(plane: Plane, address: IPAddress, block: str) -> tuple[AddressState, str]:
    """Return what an address is that no pod gets unasked."""
    if plane.allow is not Allow.ANY or address not in plane.askable_set:
        return AddressState.UNNAMED, "in none of the ranges that are handed out"
    if block:
        text = f"free, but in a block of node {block}, so pods of no other node may ask for it"
        return AddressState.FREE, text
    return AddressState.FREE, "free for a pod that asks for it"
