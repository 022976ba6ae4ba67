"""Free addresses of a plane, as ranges; no range is enumerated, however wide it is.

On a cluster an address in a node's block may be resting: its node alone knows. It is free here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from planes.cli.reading.address_use import PlaneUse, plane_uses
from planes.cli.reading.place import Place
from planes.model.addresses import AddressRange
from planes.model.errors import Denied, JsonObject, NotFound
from planes.model.spans import SpanSet
from planes.model.spec.plane_spec import Allow, Plane


@dataclass(frozen=True, slots=True)
class FreeRanges:
    """The first free ranges of one family.

    Attributes:
        has_more: there are others.
    """

    version: int
    ranges: tuple[AddressRange, ...]
    has_more: bool

    def as_json(self) -> JsonObject:
        """Return it as it is printed."""
        return {
            "family": self.version,
            "ranges": [str(span) for span in self.ranges],
            "more": self.has_more,
        }


@dataclass(frozen=True, slots=True)
class FreeAddresses:
    """The free addresses of a plane.

    Attributes:
        reserved: of static ones, free ones that a reservation keeps, each with whom it is for.
        cut: namespaces whose pods show more addresses than were read.
    """

    plane: str
    is_static: bool
    families: tuple[FreeRanges, ...]
    reserved: tuple[tuple[str, str], ...] = ()
    cut: tuple[str, ...] = ()

    @property
    def has_any(self) -> bool:
        """Whether an address is free."""
        return bool(self.reserved) or any(one.ranges for one in self.families)

    def as_json(self) -> JsonObject:
        """Return it as it is printed."""
        return {
            "plane": self.plane,
            "static": self.is_static,
            "families": [one.as_json() for one in self.families],
            "reserved": [{"address": a, "for": whose} for a, whose in self.reserved],
        }


async def free_addresses(
    place: Place, plane: Plane, most: int, *, is_static: bool
) -> FreeAddresses:
    """Return what is free in a plane that hands out addresses itself.

    Args:
        place: where to read.
        plane: the plane.
        most: ranges of each family.
        is_static: what pods may ask for; else what they get unasked.

    Raises:
        Denied: the plane permits no static addresses.
        NotFound: it is gone.
        PlanesError: something cannot be read.
    """
    if is_static and plane.allow is Allow.NEVER:
        raise Denied(
            f"cannot find a static address in plane {plane.name}: its staticIPs.allow is Never",
            remedy="see what its pods get unasked: leave out --static",
        )
    use = (await plane_uses(place, [plane.name])).get(plane.name)
    if use is None:
        raise NotFound(f"cannot find plane {plane.name}: it is gone, or not valid any more")
    plane = use.plane
    taken = SpanSet(_taken(use, is_static=is_static))
    families = []
    for version in sorted(plane.families):
        found = list(islice(_free(plane, version, taken, is_static=is_static), most + 1))
        families.append(FreeRanges(version, tuple(found[:most]), len(found) > most))
    reserved = tuple(_reserved(plane, taken)) if is_static else ()
    return FreeAddresses(plane.name, is_static, tuple(families), reserved, tuple(sorted(use.cut)))


def _taken(use: PlaneUse, *, is_static: bool) -> Iterator[AddressRange]:
    """Yield what somebody has, what rests, and of static ones what nodes hand out."""
    for address in use.uses:
        yield AddressRange(address, address)
    if is_static:
        yield from use.index.given()
        return
    for address in use.cooling:
        yield AddressRange(address, address)


def _free(plane: Plane, version: int, taken: SpanSet, *, is_static: bool) -> Iterator[AddressRange]:
    for span in sorted(_spans(plane, version, is_static=is_static), key=lambda s: int(s.first)):
        yield from taken.outside(span)


def _spans(plane: Plane, version: int, *, is_static: bool) -> Iterable[AddressRange]:
    if is_static and plane.allow is not Allow.ANY:
        return
    for subnet in plane.subnets:
        if subnet.version == version:
            yield from subnet.askable if is_static else subnet.dynamic


def _reserved(plane: Plane, taken: SpanSet) -> Iterator[tuple[str, str]]:
    for one in plane.reservations:
        subnet = plane.subnet_of(one.address)
        is_usable = subnet is not None and not (
            one.address in subnet.unusable or one.address in subnet.excluded
        )
        if is_usable and one.address not in taken:
            yield str(one.address), str(one)
