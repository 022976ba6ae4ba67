"""Overlaps of planes: addresses that several planes have on the same wire.

CIDRs are nested or disjoint. Sorted, each comes after those that contain it and is compared with
them alone, so that thousands of planes take milliseconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from planes.model.addresses import IPNetwork
from planes.model.spec.plane_spec import Plane

MOST_TOLD = 8
"""Overlaps of a plane that are listed one by one."""
_SUBINTERFACE = re.compile(r"(.+)\.([0-9]{1,4})")
_Wire = tuple[str, int]
_Entry = tuple[IPNetwork, str]
"""A CIDR, and the name of the plane that has it."""


@dataclass(slots=True)
class _Texts:
    """The texts about each plane."""

    wire: _Wire
    found: dict[str, list[str]] = field(default_factory=dict)

    def add(self, entry: _Entry, other: _Entry) -> bool:
        """Add an overlap to the texts about the first plane; return False where it is full."""
        texts = self.found.setdefault(entry[1], [])
        if len(texts) == MOST_TOLD:
            texts.append("and more")
        elif len(texts) < MOST_TOLD:
            where = self.wire[0] + (f" VLAN {self.wire[1]}" if self.wire[1] else "")
            texts.append(f"{entry[0]} overlaps {other[0]} of plane {other[1]}, also on {where}")
        return len(texts) <= MOST_TOLD


def find_overlaps(planes: Iterable[Plane]) -> dict[str, tuple[str, ...]]:
    """Return texts about addresses that two planes have on the same wire, by plane name.

    The wire is the master and the VLAN, `eth1.20` being VLAN 20 of eth1; planes with `nadRef`
    are not compared.
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
    around: list[_Entry] = []  # entries that contain the current one
    open_entries: list[_Entry] = []  # those of them with room for more texts
    for entry in sorted(entries, key=_place):
        while around and not _is_in(entry[0], around[-1][0]):
            gone = around.pop()
            if open_entries and open_entries[-1] is gone:
                open_entries.pop()
        for other in around:
            if other[1] != entry[1] and not texts.add(entry, other):
                break
        open_entries = [
            other for other in open_entries if other[1] == entry[1] or texts.add(other, entry)
        ]
        around.append(entry)
        open_entries.append(entry)
    return texts.found


def _is_in(inner: IPNetwork, outer: IPNetwork) -> bool:
    """Report whether a CIDR lies in another one of its version that is not sorted after it."""
    return int(inner.network_address) <= int(outer.broadcast_address)


def _place(entry: _Entry) -> tuple[int, int, str]:
    """Return a sort key: a CIDR before those in it, equal ones by plane name."""
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
