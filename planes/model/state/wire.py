"""A wire: one L2 segment that a network attaches to.

It is a link of the host with a VLAN (a bridge is a link), a device, or a device plugin's resource.
Names are compared as written; the node adds names that only it knows (alternative names, the parent
of a VLAN interface called `storage0`, the ports of a bridge).

An interface `eth1.100` is VLAN 100 of eth1, as in the kernel's own naming. A macvlan on `eth1`
itself is on the untagged network of eth1 and not on its VLANs, since the kernel gives it none of
their frames while the node has an interface for them; one in mode `passthru` and a moved device
get everything (`vlan` None). On a bridge no VLAN is apart from the untagged ports, because whoever
makes the bridge first decides whether it filters VLANs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

MAX_VLAN: Final = 4094
_SUBINTERFACE: Final = re.compile(r"(.+)\.([0-9]{1,4})", re.DOTALL)
_PCI: Final = re.compile(r"(?:[0-9a-f]{4}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
_LONGEST_NAME: Final = 128  # of an alternative name, its final zero byte included


class WireKind(StrEnum):
    """What the name of a wire refers to."""

    LINK = "interface"
    INNER = "interface of the pod"
    """A link inside the sandbox (`linkInContainer`), on the wire of another attachment."""
    PCI = "device"
    MAC = "device with MAC"
    PATH = "device at"
    RESOURCE = "resource"
    NETWORK = "network"
    """The network of an unknown plugin: its type and the network's name."""


@dataclass(frozen=True, slots=True)
class Wire:
    """One segment.

    Attributes:
        name: of a LINK "" for the one of the node's default route, which may be any.
        vlan: 0 for the untagged network, None for all of them.
        is_bridge: True where VLANs are kept apart only if each side names one.
    """

    kind: WireKind
    name: str
    vlan: int | None = 0
    is_bridge: bool = False

    def touches(self, other: Wire) -> bool:
        """Report whether frames of one wire may reach the other."""
        if self.kind is not other.kind or not self._may_be(other):
            return False
        if self.vlan is None or other.vlan is None or self.vlan == other.vlan:
            return True
        return (self.is_bridge or other.is_bridge) and 0 in (self.vlan, other.vlan)

    def _may_be(self, other: Wire) -> bool:
        if self.name == other.name:
            return True
        return self.kind is WireKind.LINK and not (self.name and other.name)

    def __str__(self) -> str:
        name = self.name or "of the node's default route"
        what = "bridge" if self.is_bridge and self.kind is WireKind.LINK else str(self.kind)
        return f"{what} {name}" + (f" VLAN {self.vlan}" if self.vlan else "")


def device_wire(device: str, vlan: int | None = None) -> Wire:
    """Return the wire of a device named by PCI address or by an auxiliary device's name."""
    name = device.strip().lower()
    return Wire(WireKind.PCI, f"0000:{name}" if _is_short_pci(name) else name, vlan)


def above(inner: Iterable[Wire], lower: Iterable[Wire]) -> frozenset[Wire]:
    """Return the wires of links inside a sandbox, from those of the attachments they may be on.

    A VLAN on an untagged network of the host is that VLAN there; inside a VLAN it stays in it.
    """
    return frozenset(
        replace(wire, vlan=each.vlan) if wire.vlan == 0 else wire
        for each in inner
        for wire in lower
        if wire.kind is not WireKind.INNER
    )


def link_wires(
    name: str, vlan: int | None = 0, *, is_bridge: bool = False, kind: WireKind = WireKind.LINK
) -> Iterator[Wire]:
    """Yield the wires of a link by its name; `eth1.100` is VLAN 100 of eth1 as well."""
    name = name.partition("\0")[0][:_LONGEST_NAME]  # the kernel reads no further
    inner = _SUBINTERFACE.fullmatch(name)
    if inner is None or not 0 < int(inner[2]) <= MAX_VLAN:
        yield Wire(kind, name, vlan, is_bridge)
        return
    if vlan != 0:
        yield Wire(kind, name, vlan, is_bridge)
    yield from link_wires(inner[1], int(inner[2]), kind=kind)


def _is_short_pci(name: str) -> bool:
    return _PCI.fullmatch(name) is not None and name.count(":") == 1
