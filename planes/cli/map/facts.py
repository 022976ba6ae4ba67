"""What a map shows: networks, pods in groups, their interfaces, and the addresses of planes.

Values only. Invariant: every text in them is one printable line of bounded length.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from planes.model.addresses import AddressRange, IPAddress, IPNetwork
from planes.model.errors import JsonObject
from planes.model.lines import first_few

_MOST_UNUSED: Final = 8


class NetworkKind(StrEnum):
    """What a line of the map is."""

    CLUSTER = "cluster network"
    PLANE = "plane"
    OTHER = "network"
    REST = "other networks"


@dataclass(frozen=True, slots=True)
class MapNetwork:
    """A line of the map.

    Attributes:
        about: short facts, e.g. `macvlan on eth1` and `192.168.0.0/16`.
        purpose: of a plane.
    """

    kind: NetworkKind
    name: str
    about: tuple[str, ...] = ()
    purpose: str = ""

    @property
    def short(self) -> str:
        """The name where there is little room."""
        if self.kind is NetworkKind.CLUSTER:
            return "cluster"
        return self.name.rpartition("/")[2] or self.name


@dataclass(frozen=True, slots=True)
class MapAddress:
    """An address of an interface; a static one was asked for, or is kept for its pod."""

    text: str
    is_static: bool = False


@dataclass(frozen=True, slots=True)
class MapStop:
    """An interface of a pod.

    Attributes:
        network: index in `PlaneMap.networks`.
        more: addresses that are not listed.
    """

    network: int
    interface: str
    addresses: tuple[MapAddress, ...] = ()
    more: int = 0

    @property
    def is_static(self) -> bool:
        """Whether it has a static address."""
        return any(address.is_static for address in self.addresses)


@dataclass(frozen=True, slots=True)
class MapPod:
    """A card of the map.

    Attributes:
        more: interfaces that are not listed.
    """

    namespace: str
    name: str
    node: str
    stops: tuple[MapStop, ...] = ()
    more: int = 0


@dataclass(frozen=True, slots=True)
class MapGroup:
    """The pods of a node or namespace.

    Attributes:
        name: "" for pods without node.
        count: of all its pods; `pods` may be fewer.
        interfaces: how many all its pods have, by index of the network.
    """

    name: str
    pods: tuple[MapPod, ...]
    count: int
    interfaces: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MapStrip:
    """The addresses of one subnet of a plane.

    Attributes:
        network: index in `PlaneMap.networks`.
        ranges: handed out; all of the subnet where the plane names none.
        kept: single addresses that are reserved for certain pods, and for whom.
        used: addresses that somebody has, rising.
        free: how many are left to be handed out unasked.
    """

    network: int
    cidr: IPNetwork
    gateway: IPAddress | None = None
    ranges: tuple[AddressRange, ...] = ()
    static: tuple[AddressRange, ...] = ()
    excluded: tuple[AddressRange, ...] = ()
    kept: tuple[tuple[IPAddress, str], ...] = ()
    used: tuple[IPAddress, ...] = ()
    free: int = 0


@dataclass(frozen=True, slots=True)
class PlaneMap:
    """All that a map shows.

    Attributes:
        place: names where it was read.
        by: `node` or `namespace`.
        namespace: the only one that is shown; "" for all.
        when: RFC 3339 in UTC.
        groups: in order; there may be fewer than there are.
        more_groups, more_pods: groups that are not listed, and the pods in them.
        notes: what is missing or could not be read, a sentence each.
        problems: manifests that are ignored, and why.
    """

    place: str
    by: str
    networks: tuple[MapNetwork, ...]
    groups: tuple[MapGroup, ...]
    strips: tuple[MapStrip, ...]
    namespace: str = ""
    when: str = ""
    more_groups: int = 0
    more_pods: int = 0
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """All that whoever looks at the map should know."""
        return (*self.notes, *self.problems)

    @property
    def pods(self) -> int:
        """How many pods there are, listed or not."""
        return sum(group.count for group in self.groups) + self.more_pods

    @property
    def planes(self) -> int:
        """How many lines are planes."""
        return sum(network.kind is NetworkKind.PLANE for network in self.networks)

    @property
    def unused(self) -> str:
        """A line that names the planes whose lines have no stop; "" where there are none."""
        if self.more_groups:  # theirs are not known
            return ""
        used = {index for group in self.groups for index in group.interfaces}
        names = [
            network.name
            for index, network in enumerate(self.networks)
            if network.kind is NetworkKind.PLANE and index not in used
        ]
        where = f" of namespace {self.namespace}" if self.namespace else ""
        listed = first_few(names, _MOST_UNUSED)
        return f"planes without pods{where}: {listed}" if names else ""

    def title(self, group: MapGroup) -> str:
        """Return the heading of a group."""
        return group.name or f"no {self.by} yet"

    def as_json(self) -> JsonObject:
        """Return it as a document for programs."""
        return {
            "place": self.place,
            "namespace": self.namespace,
            "when": self.when,
            "by": self.by,
            "networks": [_network_json(network) for network in self.networks],
            "groups": [self._group_json(group) for group in self.groups],
            "moreGroups": self.more_groups,
            "morePods": self.more_pods,
            "addresses": [self._strip_json(strip) for strip in self.strips],
            "warnings": list(self.warnings),
        }

    def _group_json(self, group: MapGroup) -> JsonObject:
        return {
            "name": group.name,
            "count": group.count,
            "interfaces": {self.networks[i].name: n for i, n in group.interfaces.items()},
            "pods": [self._pod_json(pod) for pod in group.pods],
        }

    def _pod_json(self, pod: MapPod) -> JsonObject:
        stops = [
            {
                "network": self.networks[stop.network].name,
                "interface": stop.interface,
                "addresses": [
                    {"address": one.text, "static": one.is_static} for one in stop.addresses
                ],
                "moreAddresses": stop.more,
            }
            for stop in pod.stops
        ]
        return {
            "namespace": pod.namespace,
            "name": pod.name,
            "node": pod.node,
            "interfaces": stops,
            "moreInterfaces": pod.more,
        }

    def _strip_json(self, strip: MapStrip) -> JsonObject:
        return {
            "plane": self.networks[strip.network].name,
            "cidr": str(strip.cidr),
            "gateway": None if strip.gateway is None else str(strip.gateway),
            "ranges": [str(span) for span in strip.ranges],
            "staticRanges": [str(span) for span in strip.static],
            "exclude": [str(span) for span in strip.excluded],
            "reserved": [{"address": str(ip), "for": whom} for ip, whom in strip.kept],
            "used": [str(ip) for ip in strip.used],
            "free": strip.free,
        }


def _network_json(network: MapNetwork) -> JsonObject:
    return {
        "kind": network.kind.value,
        "name": network.name,
        "about": list(network.about),
        "purpose": network.purpose,
    }
