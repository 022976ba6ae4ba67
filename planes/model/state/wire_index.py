"""The index of planes by wire: finds the planes on whose wires a network is.

Wires are looked up by name, so that a NAD costs the same with one plane and with a thousand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from planes.model.objects import NadRef
from planes.model.spec.plane_spec import Plane
from planes.model.state.wire import Wire, WireKind, above


class PlaneWire(NamedTuple):
    """One wire of planes that a network is on, and the planes on it, in their order."""

    wire: Wire
    planes: tuple[Plane, ...]


PlaneWires = tuple[PlaneWire, ...]
"""The wires of planes that a network is on."""

Expand = Callable[[frozenset[Wire]], frozenset[Wire]]
"""Adds all other names of wires."""
_MOST_REMEMBERED: Final = 4096


class WireIndex:
    """The wires of all planes.

    Args:
        owned: each plane, in the planes' order, with the wires of its NAD.
        expand: adds names that wires have on this node.
    """

    def __init__(
        self,
        owned: Iterable[tuple[Plane, frozenset[Wire]]] = (),
        expand: Expand = frozenset,
    ) -> None:
        self.owned: tuple[tuple[Plane, frozenset[Wire]], ...] = tuple(owned)
        self._expand = expand
        self._by_nad: dict[NadRef, tuple[frozenset[Wire], PlaneWires]] = {}
        planes: dict[Wire, list[Plane]] = {}
        for plane, wires in self.owned:
            for wire in expand(wires):
                planes.setdefault(wire, []).append(plane)
        self._planes = {wire: tuple(found) for wire, found in planes.items()}
        by_name: dict[tuple[WireKind, str], list[Wire]] = {}
        for wire in sorted(self._planes, key=_order):
            by_name.setdefault((wire.kind, wire.name), []).append(wire)
        self._by_name: Mapping[tuple[WireKind, str], list[Wire]] = by_name
        self._links = [wire for key, found in by_name.items() if key[0] is _LINK for wire in found]

    def __bool__(self) -> bool:
        """Report whether any plane has a wire."""
        return bool(self._planes)

    def of_nad(self, ref: NadRef, wires: frozenset[Wire]) -> PlaneWires:
        """Return the wires of planes that a NAD is on; cached for its wires as they are."""
        known = self._by_nad.get(ref)
        if known is not None and known[0] is wires:
            return known[1]
        plane_wires = self.match(wires, own=ref)
        if len(self._by_nad) >= _MOST_REMEMBERED:
            self._by_nad.clear()
        self._by_nad[ref] = wires, plane_wires
        return plane_wires

    def match_inner(self, inner: Iterable[Wire], lower: Iterable[Wire]) -> PlaneWires:
        """Return the matches of links inside a sandbox, on attachments of these lower wires."""
        return self.match(above(inner, filter(self._knows, lower)))

    def match(self, wires: Iterable[Wire], own: NadRef | None = None) -> PlaneWires:
        """Return the wires of planes that match a network's wires, without planes of NAD `own`.

        Planes of one wire come together. A network without a master may be on any plane's wire.
        """
        if not self._planes:
            return ()
        reached: dict[Wire, None] = {}
        for wire in sorted(self._expand(frozenset(wires)), key=_order):
            for candidate in self._near(wire):
                if candidate.touches(wire):
                    reached[candidate] = None
        found: dict[tuple[str, ...], PlaneWire] = {}
        for wire in reached:
            planes = self._planes[wire]
            if own is not None and any(plane.ref == own for plane in planes):
                planes = tuple([plane for plane in planes if plane.ref != own])
            if planes:
                names = tuple([plane.name for plane in planes])
                found.setdefault(names, PlaneWire(wire, planes))
        return tuple(found.values())

    def _knows(self, wire: Wire) -> bool:
        return next(iter(self._near(wire)), None) is not None

    def _near(self, wire: Wire) -> Iterable[Wire]:
        if wire.kind is not _LINK:
            return self._by_name.get((wire.kind, wire.name), ())
        if not wire.name:
            return self._links
        named = self._by_name.get((_LINK, wire.name), [])
        return [*named, *self._by_name.get((_LINK, ""), ())]


_LINK: Final = WireKind.LINK


def planes_in(plane_wires: PlaneWires) -> tuple[Plane, ...]:
    """Return the planes of all wires, each once, in their order."""
    if len(plane_wires) == 1:
        return plane_wires[0].planes
    found = {plane.name: plane for each in plane_wires for plane in each.planes}
    return tuple(sorted(found.values(), key=lambda plane: (plane.order, plane.name)))


def _order(wire: Wire) -> tuple[str, str, int, bool]:
    return wire.kind, wire.name, -1 if wire.vlan is None else wire.vlan, wire.is_bridge
