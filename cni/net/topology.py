"""All names that a wire has on this node: alternative names, VLAN interfaces, ports of bridges.

Two netconfs may name one segment by different names: `eth1`, an alternative name of it, the bridge
whose port it is, or `storage0`, a VLAN interface of VLAN 100 on it. Each wire gets all of its names
here, so that equal wires have a name in common.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from cni.net.host_links import HostLink
from planes.model.state.wire import Wire, WireKind

_SWITCH: Final = "openvswitch"
"""Kind of the bridges of Open vSwitch, and of the one device that all ports of all of them have as
their master. The kernel does not show which port is of which bridge: all count as one segment."""
_JOINING: Final = frozenset({"bridge", "bond", "team", _SWITCH})
"""Kinds whose ports are one segment with them."""
_ON_PARENT: Final = frozenset({"macvlan", "macvtap", "ipvlan", "ipvtap"})
"""Kinds that share the segment of their parent."""
_OF_PODS: Final = frozenset({"veth", "tun"})
"""Kinds of bridge ports that lead to pods: their names are no other names of the bridge."""

_Place = tuple[int, int | None]
"""A link's index, and the VLAN on it."""


class Topology:
    """The host's links.

    Args:
        links: all of them.
        default: index of the link of the default route, 0 where it was not asked for.
        devices: names of the links of devices (by PCI address or path) that were asked for.
    """

    def __init__(
        self,
        links: Iterable[HostLink] = (),
        default: int = 0,
        devices: Mapping[Wire, tuple[str, ...]] | None = None,
    ) -> None:
        self._by_index = {link.index: link for link in links}
        self._by_name: dict[str, int] = {}
        self._by_mac: dict[str, list[int]] = {}
        self._vlans: dict[_Place, list[int]] = {}
        self._ports: dict[int, list[int]] = {}
        self._switches = [index for index, link in self._by_index.items() if link.kind == _SWITCH]
        for index, link in self._by_index.items():
            self._by_name.update(dict.fromkeys(link.names, index))
            self._by_mac.setdefault(link.mac, []).append(index)
            if link.kind == "vlan":
                self._vlans.setdefault((link.parent, link.vlan), []).append(index)
            elif link.master and link.kind not in _OF_PODS:
                self._ports.setdefault(link.master, []).append(index)
        self._default = default
        self._devices = devices or {}

    def expand(self, wires: frozenset[Wire]) -> frozenset[Wire]:
        """Return the wires with all other names that they have on this node.

        The link of the default route, where it is known, gets its name.
        """
        found = set(wires)
        for wire in wires:
            places = self._reached(self._indexes(wire), wire.vlan)
            if places and wire.kind is WireKind.LINK and not wire.name:
                found.discard(wire)
            for place in places:
                found.update(self._names_of(place))
        return frozenset(found)

    def _indexes(self, wire: Wire) -> list[int]:
        """Return the links that a wire names."""
        if wire.kind is WireKind.MAC:
            return self._by_mac.get(wire.name, [])
        if wire.kind is not WireKind.LINK:
            names = self._devices.get(wire, ())
            return [self._by_name[name] for name in names if name in self._by_name]
        index = self._by_name.get(wire.name, 0) if wire.name else self._default
        return [index] if index else []

    def _reached(self, starts: Iterable[int], vlan: int | None) -> set[_Place]:
        """Return every place that is one segment with these links on a VLAN."""
        seen: set[_Place] = set()
        left = [(index, vlan) for index in starts]
        while left:
            place = left.pop()
            link = self._by_index.get(place[0])
            if link is not None and place not in seen:
                seen.add(place)
                left += self._beside(link, place[1])
        return seen

    def _beside(self, link: HostLink, vlan: int | None) -> Iterator[_Place]:
        if link.kind == "vlan":
            yield link.parent, link.vlan
        elif link.kind in _ON_PARENT or link.kind == "veth":
            yield link.parent, vlan
        master = self._by_index.get(link.master)
        if master is not None and master.kind in _JOINING:
            yield master.index, vlan
        if link.kind in _JOINING:
            yield from ((port, vlan) for port in self._ports.get(link.index, ()))
        if link.kind == _SWITCH:
            yield from ((switch, vlan) for switch in self._switches)
        if vlan:
            yield from ((above, 0) for above in self._vlans.get((link.index, vlan), ()))

    def _names_of(self, place: _Place) -> Iterator[Wire]:
        link = self._by_index[place[0]]
        for name in link.names:
            yield Wire(WireKind.LINK, name, place[1], link.kind == "bridge")
