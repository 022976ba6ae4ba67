"""Addresses that several planes have on the same wire.

CIDRs are nested or apart, never half in each other: sorted, whatever contains one stands before
it. So each is compared with those that contain it only, and thousands of planes take milliseconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from planes.model.addresses import IPNetwork
from planes.model.spec.plane_spec import Plane

MOST_TOLD = 8
"""So many overlaps of a plane are told one by one; then there is enough to mend."""
_SUBINTERFACE = re.compile(r"(.+)\.([0-9]{1,4})")
_Wire = tuple[str, int]
_Entry = tuple[IPNetwork, str]
"""A CIDR, and the name of the plane that has it."""


@dataclass(slots=True)
class _Texts:
    """What is told of each plane."""

    wire: _Wire
    found: dict[str, list[str]] = field(default_factory=dict)

    def tell(self, mine: _Entry, theirs: _Entry) -> bool:
        """Add an overlap to what is told of the first one's plane; False where that is enough."""
        texts = self.found.setdefault(mine[1], [])
        if len(texts) == MOST_TOLD:
            texts.append("and more")
        elif len(texts) < MOST_TOLD:
            where = self.wire[0] + (f" VLAN {self.wire[1]}" if self.wire[1] else "")
            texts.append(f"{mine[0]} overlaps {theirs[0]} of plane {theirs[1]}, also on {where}")
        return len(texts) <= MOST_TOLD


def find_overlaps(planes: Iterable[Plane]) -> dict[str, tuple[str, ...]]:
    """Tell of addresses that two planes have on the same wire: plane name to texts.

    The wire is the master and the VLAN, `eth1.20` being VLAN 20 of eth1; planes over a NAD that
    somebody else wrote are not compared.
    """
    by_wire: dict[tuple[_Wire, int], list[_Entry]] = {}
    for plane in planes:
        wire = _wire(plane)
        if wire is None:
            continue
        for subnet in plane.subnets:
            by_wire.setdefault((wire, subnet.version), []).append((subnet.cidr, plane.name))
    found: dict[str, tuple[str, ...]] = {}
    for (wire, _), entries in by_wire.items():
        for name, texts in _compared(wire, entries).items():
            found[name] = (*found.get(name, ()), *texts)
    return found


def _compared(wire: _Wire, entries: list[_Entry]) -> Mapping[str, list[str]]:
    texts = _Texts(wire)
    around: list[_Entry] = []  # what contains the entry at hand
    asking: list[_Entry] = []  # those of them of which more can be told
    for entry in sorted(entries, key=_place):
        while around and not _is_in(entry[0], around[-1][0]):
            gone = around.pop()
            if asking and asking[-1] is gone:
                asking.pop()
        for other in around:
            if other[1] != entry[1] and not texts.tell(entry, other):
                break
        asking = [other for other in asking if other[1] == entry[1] or texts.tell(other, entry)]
        around.append(entry)
        asking.append(entry)
    return texts.found


def _is_in(inner: IPNetwork, outer: IPNetwork) -> bool:
    """Tell whether a CIDR of the same version that is not before another one lies in it."""
    return int(inner.network_address) <= int(outer.broadcast_address)


def _place(entry: _Entry) -> tuple[int, int, str]:
    """Sort a CIDR before those in it, and the same one of several planes by their names."""
    cidr, name = entry
    return int(cidr.network_address), cidr.prefixlen, name


def _wire(plane: Plane) -> _Wire | None:
    network = plane.network
    if network is None:
        return None
    master = network.master or network.resource_name
    if not network.vlan and (inner := _SUBINTERFACE.fullmatch(master)):
        return inner[1], int(inner[2])
    return (master, network.vlan or 0) if master else None
