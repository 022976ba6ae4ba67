"""Planes by wire: whose wires a network stands on.

Looked up by name, so that a NAD costs the same beside one plane and beside a thousand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from planes.model.objects import NadRef
from planes.model.spec.plane_spec import Plane
from planes.model.state.wire import Wire, WireKind, above


class Footing(NamedTuple):
    """One wire of planes that a network reaches, and the planes on it, in their order."""

    wire: Wire
    planes: tuple[Plane, ...]


Stand = tuple[Footing, ...]
"""Where a network stands, as far as planes are concerned."""

NOWHERE: Final[Stand] = ()


Expand = Callable[[frozenset[Wire]], frozenset[Wire]]
"""Adds to wires all other names that they have."""
_MOST_REMEMBERED: Final = 4096


class WireIndex:
    """The wires of all planes.

    Args:
        owned: each plane, in the planes' order, with the wires of its NAD.
        expand: where wires have more names than configurations say.
    """

    def __init__(
        self,
        owned: Iterable[tuple[Plane, frozenset[Wire]]] = (),
        expand: Expand = frozenset,
    ) -> None:
        self.owned: tuple[tuple[Plane, frozenset[Wire]], ...] = tuple(owned)
        self._expand = expand
        self._stands: dict[NadRef, tuple[frozenset[Wire], Stand]] = {}
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
        """Tell whether any plane has a wire."""
        return bool(self._planes)

    def stand_of(self, ref: NadRef, wires: frozenset[Wire]) -> Stand:
        """Give where a NAD stands; worked out once for its wires as they are."""
        known = self._stands.get(ref)
        if known is not None and known[0] is wires:
            return known[1]
        stand = self.stand_on(wires, own=ref)
        if len(self._stands) >= _MOST_REMEMBERED:
            self._stands.clear()
        self._stands[ref] = wires, stand
        return stand

    def stand_above(self, inner: Iterable[Wire], lower: Iterable[Wire]) -> Stand:
        """Give where links inside a sandbox stand, on attachments of these lower wires."""
        return self.stand_on(above(inner, filter(self._knows, lower)))

    def stand_on(self, wires: Iterable[Wire], own: NadRef | None = None) -> Stand:
        """Give the planes on a network's wires; those whose NAD it is are left out.

        Planes of one wire stand together. A network without a master may be on any plane's.
        """
        if not self._planes:
            return NOWHERE
        reached: dict[Wire, None] = {}
        for wire in sorted(self._expand(frozenset(wires)), key=_order):
            for candidate in self._near(wire):
                if candidate.touches(wire):
                    reached[candidate] = None
        found: dict[tuple[str, ...], Footing] = {}
        for wire in reached:
            planes = self._planes[wire]
            if own is not None and any(plane.ref == own for plane in planes):
                planes = tuple([plane for plane in planes if plane.ref != own])
            if planes:
                names = tuple([plane.name for plane in planes])
                found.setdefault(names, Footing(wire, planes))
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


def planes_in(stand: Stand) -> tuple[Plane, ...]:
    """Give the planes of all wires, each once, in their order."""
    if len(stand) == 1:
        return stand[0].planes
    found = {plane.name: plane for footing in stand for plane in footing.planes}
    return tuple(sorted(found.values(), key=lambda plane: (plane.order, plane.name)))


def _order(wire: Wire) -> tuple[str, str, int, bool]:
    return wire.kind, wire.name, -1 if wire.vlan is None else wire.vlan, wire.is_bridge
