"""What pods show of their interfaces, as a map has it: cleaned, bounded, in groups.

A tenant writes names and network-status. So each text is cut and cleaned, and networks, interfaces
and addresses beyond a bound are counted and not kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from planes.cli.map.facts import (
    MapAddress,
    MapGroup,
    MapNetwork,
    MapPod,
    MapStop,
    NetworkKind,
)
from planes.model.annotations.selection import read_selections
from planes.model.bounds import MAX_STATUS_CHARACTERS
from planes.model.errors import BadInput, JsonObject
from planes.model.lines import one_line
from planes.model.names import NETWORKS_ANNOTATION, STATIC_IPS_ANNOTATION, STATUS_ANNOTATION
from planes.model.objects import NadRef
from planes.model.state.static_ips import read_static_ips
from planes.model.wire.status import NetworkStatus, parse_status

MOST_PODS: Final = 2000
MOST_STOPS: Final = 16_000
MOST_GROUPS: Final = 300
MOST_OTHER_NETWORKS: Final = 24
"""Networks that are no planes and have a line of their own."""
_MOST_STOPS_OF_POD: Final = 40
_MOST_ADDRESSES: Final = 4
_LONGEST_NAME: Final = 253
_LONGEST_INTERFACE: Final = 15
_LONGEST_ADDRESS: Final = 45
_REST: Final = (NetworkKind.REST, "")

Line = tuple[NetworkKind, str]
"""Kind and name of a network before it has an index."""


class StaticCheck:
    """Which addresses of one pod are static.

    Args:
        annotations: of the pod.
        namespace: of the pod.
        is_kept: reports whether a plane keeps an address for certain pods.
    """

    def __init__(
        self, annotations: Mapping[str, Any], namespace: str, is_kept: Callable[[str, str], bool]
    ) -> None:
        self._is_kept = is_kept
        text = annotations.get(NETWORKS_ANNOTATION)
        self._asked: set[tuple[NadRef, str]] = set()
        if isinstance(text, str) and '"ips"' in text:
            for one in read_selections(text, namespace).selections:
                self._asked |= {(one.ref, ip.partition("/")[0]) for ip in one.ips}
        static = annotations.get(STATIC_IPS_ANNOTATION)
        lists = read_static_ips(static).lists if isinstance(static, str) else {}
        self._planes = frozenset(lists)

    def holds(self, line: Line, network: str, address: str) -> bool:
        """Report whether an address of a network, `namespace/name`, is static."""
        kind, name = line
        if kind is NetworkKind.PLANE and (name in self._planes or self._is_kept(name, address)):
            return True
        namespace, _, nad = network.partition("/")
        return (NadRef(namespace, nad), address) in self._asked


@dataclass(slots=True)
class _Group:
    pods: list[tuple[MapPod, tuple[Line, ...]]] = field(default_factory=list)
    count: int = 0
    interfaces: Counter[Line] = field(default_factory=Counter)


class PodCollection:
    """Collects pods one by one, and makes lines and groups of them.

    Args:
        by: `node` or `namespace`.
        planes: the line of each plane by its NAD, `namespace/name`.
        is_kept: reports whether a plane, by name, keeps an address for certain pods.
        node_of: returns the node of a pod, `namespace/name`, whose object has none.
    """

    def __init__(
        self,
        by: str,
        planes: Mapping[str, MapNetwork],
        is_kept: Callable[[str, str], bool],
        node_of: Callable[[str], str],
    ) -> None:
        self._by = by
        self._planes = planes
        self._is_kept = is_kept
        self._node_of = node_of
        self._groups: dict[str, _Group] = {}
        self._others: dict[str, None] = {}
        self._default_names: dict[str, None] = {}
        self._has_rest = False
        self._pods = self._stops = 0
        self.unreadable = 0
        self.undrawn = 0

    def add(self, obj: JsonObject) -> None:
        """Take a pod as the API server has it, its metadata at least."""
        meta: Mapping[str, Any] = obj["metadata"]
        annotations = meta.get("annotations") or {}
        namespace, name = str(meta.get("namespace") or ""), str(meta["name"])
        spec = obj.get("spec")
        node = str(spec.get("nodeName") or "") if isinstance(spec, dict) else ""
        node = node or self._node_of(f"{namespace}/{name}")
        static = StaticCheck(annotations, namespace, self._is_kept)
        stops: list[MapStop] = []
        lines: list[Line] = []
        more = 0
        group = self._groups.setdefault(_clean(node if self._by == "node" else namespace), _Group())
        for status in self._statuses(annotations):
            line = self._line(status)
            group.interfaces[line] += 1
            if len(stops) < _MOST_STOPS_OF_POD:
                stops.append(_stop(status, line, static))
                lines.append(line)
            else:
                more += 1
        group.count += 1
        if self._pods >= MOST_PODS or self._stops + len(stops) > MOST_STOPS:
            self.undrawn += 1
            return
        self._pods += 1
        self._stops += len(stops)
        pod = MapPod(_clean(namespace), _clean(name), _clean(node), tuple(stops), more)
        group.pods.append((pod, tuple(lines)))

    def _statuses(self, annotations: Mapping[str, Any]) -> Iterable[NetworkStatus]:
        text = annotations.get(STATUS_ANNOTATION)
        if not text:
            return ()
        if not isinstance(text, str) or len(text) > MAX_STATUS_CHARACTERS:
            self.unreadable += 1
            return ()
        try:
            return [status for status in parse_status(text) if status.interface or status.ips]
        except BadInput:
            self.unreadable += 1
            return ()

    def _line(self, status: NetworkStatus) -> Line:
        plane = self._planes.get(status.name)
        if plane is not None:
            return plane.kind, plane.name
        name = _clean(status.name) or "without name"
        if status.default:
            if len(self._default_names) < _MOST_ADDRESSES:
                self._default_names.setdefault(name)
            return NetworkKind.CLUSTER, ""
        if name not in self._others and len(self._others) >= MOST_OTHER_NETWORKS:
            self._has_rest = True
            return _REST
        self._others.setdefault(name)
        return NetworkKind.OTHER, name

    def networks(self) -> tuple[MapNetwork, ...]:
        """Return all lines in order: the cluster network, planes, other networks."""
        found = list(self._planes.values())
        if self._default_names:
            about = (", ".join(self._default_names),)
            found.insert(0, MapNetwork(NetworkKind.CLUSTER, "cluster network", about))
        found += [MapNetwork(NetworkKind.OTHER, name) for name in sorted(self._others)]
        if self._has_rest:
            found.append(MapNetwork(NetworkKind.REST, "other networks", ("too many for a line",)))
        return tuple(found)

    def groups(self) -> tuple[MapGroup, ...]:
        """Return all groups by name, pods by namespace and name; what has no name is last."""
        unnamed = {NetworkKind.CLUSTER, NetworkKind.REST}
        index = {
            (network.kind, "" if network.kind in unnamed else network.name): number
            for number, network in enumerate(self.networks())
        }
        return tuple(
            _group(name, self._groups[name], index)
            for name in sorted(self._groups, key=lambda name: (not name, name))
        )


def _group(name: str, group: _Group, index: Mapping[Line, int]) -> MapGroup:
    pods = []
    for pod, lines in group.pods:
        found = zip(pod.stops, lines, strict=True)
        stops = [replace(stop, network=index[line]) for stop, line in found]
        stops.sort(key=lambda stop: stop.network)
        pods.append(replace(pod, stops=tuple(stops)))
    pods.sort(key=lambda pod: (pod.namespace, pod.name))
    counts = {index[line]: count for line, count in group.interfaces.items()}
    return MapGroup(name, tuple(pods), group.count, dict(sorted(counts.items())))


def _stop(status: NetworkStatus, line: Line, static: StaticCheck) -> MapStop:
    shown = [
        MapAddress(one_line(ip, _LONGEST_ADDRESS), static.holds(line, status.name, ip))
        for ip in status.ips[:_MOST_ADDRESSES]
    ]
    more = len(status.ips) - len(shown)
    return MapStop(0, one_line(status.interface, _LONGEST_INTERFACE), tuple(shown), more)


def _clean(text: str) -> str:
    return one_line(text, _LONGEST_NAME)
