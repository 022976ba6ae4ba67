"""Rival planes: those that would hand out the same addresses on one wire.

Only one of them is in force: the one that was created first, of two of one second the one with the
lower name; every replica and node finds the same. The other one is withheld. A withheld plane does
not withhold others.

Compared is what planes can hand out, not their CIDRs: two planes may share a CIDR on one wire where
their ranges, static ranges and reservations have no address in common (issue 10). Only planes with
`ipam.mode` Plane are compared: what the IPAM of a NAD hands out is not known to its plane.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from planes.model.addresses import AddressRange, IPAddress
from planes.model.errors import Finding
from planes.model.objects import NadRef
from planes.model.spans import SpanSet
from planes.model.spec.plane_spec import Allow, IpamMode, Plane
from planes.model.state.wire import Wire, WireKind

WiresOf = Callable[[Plane], Iterable[Wire]]
"""Returns the wires of a plane's NAD."""
_Segment = tuple[WireKind, str, int, int]
"""A segment that is known for sure: kind, name, VLAN, and the IP version."""
_REMEDY = (
    "give each plane addresses of its own (spec.subnets: cidr, ranges or exclude), "
    "or another master or VLAN"
)


@dataclass(frozen=True, slots=True)
class Withheld:
    """A plane that is not in force because of an earlier one.

    Attributes:
        rival: the name of the earlier plane.
        cause: completes "it is not in force: …"; it names both planes.
    """

    plane: Plane
    rival: str
    cause: str
    remedy: str = _REMEDY

    def finding(self, path: str) -> Finding:
        """Return it as a finding about the plane."""
        return Finding(path, f"plane {self.plane.name} is not in force: {self.cause}", self.remedy)

    def refusal(self, path: str) -> Finding:
        """Return it as the error of a pod that needs the plane."""
        message = f"cannot attach plane {self.plane.name}, which is not in force: {self.cause}"
        remedy = f"an administrator has to mend plane {self.plane.name}: {self.remedy}"
        return Finding(path, message, remedy, 409)


def find_withheld(planes: Iterable[Plane], wires_of: WiresOf) -> dict[NadRef, Withheld]:
    """Return the planes that are not in force because of an earlier one, by their NADs."""
    found: dict[NadRef, Withheld] = {}
    taken: dict[_Segment, _Taken] = {}
    for plane, places in _sharing(planes, wires_of):
        pool = {version: tuple(_pool(plane, version)) for version in plane.families}
        causes = (
            _clash(plane, pool[segment[3]], taken[segment], wire)
            for segment, wire in places
            if segment in taken
        )
        withheld = next((each for each in causes if each is not None), None)
        if withheld is not None:
            found[plane.ref] = withheld
            continue
        for segment, _ in places:
            taken.setdefault(segment, _Taken()).add(plane, segment[3], pool[segment[3]])
    return found


def _sharing(
    planes: Iterable[Plane], wires_of: WiresOf
) -> Iterator[tuple[Plane, list[tuple[_Segment, Wire]]]]:
    """Yield planes on segments of other planes, in the order of creation, with these segments."""
    known: list[tuple[Plane, dict[_Segment, Wire]]] = []
    count: Counter[_Segment] = Counter()
    for plane in sorted(planes, key=lambda plane: (plane.created, plane.name)):
        if plane.ipam_mode is not IpamMode.PLANE or not plane.subnets:
            continue
        wires = {segment: wire for wire in wires_of(plane) for segment in _segments(wire)}
        wires = {segment: wire for segment, wire in wires.items() if segment[3] in plane.families}
        known.append((plane, wires))
        count.update(wires.keys())
    for plane, wires in known:
        shared = [(each, wires[each]) for each in sorted(wires) if count[each] > 1]
        if shared:
            yield plane, shared


def withheld_warnings(withheld: Mapping[NadRef, Withheld]) -> Iterator[Finding]:
    """Yield a warning about each plane that is not in force."""
    for each in withheld.values():
        yield each.finding(f"Plane/{each.plane.name}")


def pool_of(plane: Plane) -> Iterator[AddressRange]:
    """Yield the ranges of addresses that a plane may hand out, asked for or not, joined."""
    for version in sorted(plane.families):
        yield from _pool(plane, version)


def _pool(plane: Plane, version: int) -> Iterator[AddressRange]:
    spans: list[AddressRange] = []
    for subnet in plane.subnets:
        if subnet.version == version:
            spans += subnet.dynamic
            if plane.allow is Allow.ANY:
                spans += subnet.askable
    if plane.allow is not Allow.NEVER:
        for each in plane.reservations:
            if each.address.version == version:
                spans.append(AddressRange(each.address, each.address))
    joined = SpanSet(spans)
    for subnet in plane.subnets:
        if subnet.version == version:
            cidr = subnet.cidr
            yield from joined.within(AddressRange(cidr.network_address, cidr.broadcast_address))


def _segments(wire: Wire) -> Iterator[_Segment]:
    """Yield the segments of a wire that are known for sure, for each IP version.

    A moved device or a passthru interface (VLAN None) sends the pod's own address untagged. The
    parent of a link inside the pod is not known here.
    """
    if wire.kind is not WireKind.INNER:
        for version in (4, 6):
            yield wire.kind, wire.name, wire.vlan or 0, version


@dataclass(slots=True)
class _Taken:
    """The ranges and gateways of planes in force on a segment, in rising order, without overlap."""

    spans: list[tuple[int, int, str]] = field(default_factory=list)
    gateways: list[tuple[int, str]] = field(default_factory=list)

    def add(self, plane: Plane, version: int, pool: Iterable[AddressRange]) -> None:
        for span in pool:
            insort(self.spans, (int(span.first), int(span.last), plane.name))
        for gateway in _gateways(plane, version):
            insort(self.gateways, (int(gateway), plane.name))

    def holder(self, first: int, last: int) -> tuple[int, int, str] | None:
        """Return the last span that overlaps a range, None where there is none."""
        place = bisect_right(self.spans, last, key=lambda span: span[0]) - 1
        if place < 0 or self.spans[place][1] < first:
            return None
        return self.spans[place]

    def gateway_in(self, first: int, last: int) -> tuple[int, str] | None:
        """Return the last gateway within a range, None where there is none."""
        place = bisect_right(self.gateways, last, key=lambda gateway: gateway[0]) - 1
        return self.gateways[place] if place >= 0 and self.gateways[place][0] >= first else None


def _gateways(plane: Plane, version: int) -> Iterator[IPAddress]:
    for subnet in plane.subnets:
        if subnet.version == version and subnet.gateway is not None:
            yield subnet.gateway


def _clash(
    plane: Plane, pool: tuple[AddressRange, ...], taken: _Taken, wire: Wire
) -> Withheld | None:
    """Return the plane as withheld where one in force has its addresses; None otherwise."""
    for span in pool:
        first, last, family = int(span.first), int(span.last), type(span.first)
        held = taken.holder(first, last)
        if held is not None:
            shared = AddressRange(family(max(first, held[0])), family(min(last, held[1])))
            cause = f"it would hand out {shared}, which plane {held[2]} hands out on the same wire"
            return Withheld(plane, held[2], f"{cause} ({wire})")
        gateway = taken.gateway_in(first, last)
        if gateway is not None:
            cause = f"it would hand out {family(gateway[0])}, the gateway of plane {gateway[1]}"
            return Withheld(plane, gateway[1], f"{cause} on the same wire ({wire})")
    for address in _gateways(plane, pool[0].version) if pool else ():
        held = taken.holder(int(address), int(address))
        if held is not None:
            cause = f"plane {held[2]} hands out its gateway {address} on the same wire"
            return Withheld(plane, held[2], f"{cause} ({wire})")
    return None
