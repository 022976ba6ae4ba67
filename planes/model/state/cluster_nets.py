"""The cluster's own networks, of pods, Services and nodes, which planes should not overlap.

Pods of a plane that overlaps the network of pods or Services send traffic for those to the plane's
interface. A plane that hands out a node's address hands it out a second time. Both are warnings, as
the cluster's networks may be known in part only, and the administrator may know better (issue 10).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, collapse_addresses

from planes.model.addresses import IPAddress, IPNetwork
from planes.model.spec.plane_spec import Plane
from planes.model.state.rivals import pool_of

MOST_TOLD = 8
_MOST_NETWORKS = 256
"""Networks of pods that are compared, joined where they touch: a cluster has one or a few."""


@dataclass(frozen=True, slots=True)
class ClusterNets:
    """The cluster's own networks, as far as they are known.

    Attributes:
        pods: networks of nodes' pods, joined where they touch, each with the node that reports the
            widest part of it: a kubelet may report the first one of its node itself, and a wrong
            report is found by the node's name.
        services: networks of Services.
        nodes: node addresses in rising order by IP version, each as a number with the node's name.
    """

    pods: tuple[tuple[IPNetwork, str], ...] = ()
    services: tuple[IPNetwork, ...] = ()
    nodes: Mapping[int, tuple[tuple[int, str], ...]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        pods: Iterable[tuple[IPNetwork, str]],
        services: Iterable[IPNetwork],
        nodes: Iterable[tuple[IPAddress, str]],
    ) -> ClusterNets:
        """Index networks and node addresses; those of pods and nodes with the nodes' names."""
        known = sorted({(each.version, int(each), name) for each, name in nodes})
        by_version = {
            version: tuple((number, name) for kind, number, name in known if kind == version)
            for version in (4, 6)
        }
        return cls(_with_reporter(pods), _joined(services), by_version)

    def overlaps(self, plane: Plane) -> tuple[str, ...]:
        """Return texts about a plane's overlaps, at most `MOST_TOLD` of them and "and more"."""
        texts: list[str] = []
        for text in self._texts(plane):
            if len(texts) == MOST_TOLD:
                return (*texts, "and more")
            texts.append(text)
        return tuple(texts)

    def _texts(self, plane: Plane) -> Iterator[str]:
        for subnet in plane.subnets:
            for network, node in self.pods:
                if network.version == subnet.version and network.overlaps(subnet.cidr):
                    whose = f"the cluster's pods (spec.podCIDRs of node {node})"
                    yield f"{subnet.cidr} overlaps {network}, which is of {whose}"
            for network in self.services:
                if network.version == subnet.version and network.overlaps(subnet.cidr):
                    yield f"{subnet.cidr} overlaps {network}, which is of the cluster's Services"
        for span in pool_of(plane):
            known = self.nodes.get(span.version, ())
            place = bisect_left(known, (int(span.first), ""))
            while place < len(known) and known[place][0] <= int(span.last):
                address = type(span.first)(known[place][0])
                yield f"{address}, which it hands out, is the address of node {known[place][1]}"
                place += 1


def _with_reporter(networks: Iterable[tuple[IPNetwork, str]]) -> tuple[tuple[IPNetwork, str], ...]:
    """Join networks where they touch; each with the node that reports its widest part."""
    known = set(networks)
    joined = sorted(_joined(network for network, _ in known), key=_place)
    places = [_place(network) for network in joined]
    widest: dict[IPNetwork, tuple[int, str]] = {}
    for network, node in known:
        whole = joined[bisect_right(places, _place(network)) - 1]
        if whole.version == network.version and network.overlaps(whole):
            so_far = widest.get(whole, (network.max_prefixlen + 1, ""))
            widest[whole] = min(so_far, (network.prefixlen, node))
    return tuple((network, widest[network][1]) for network in joined)


def _place(network: IPNetwork) -> tuple[int, int]:
    return network.version, int(network.network_address)


def _joined(networks: Iterable[IPNetwork]) -> tuple[IPNetwork, ...]:
    known = set(networks)
    four = [network for network in known if isinstance(network, IPv4Network)]
    six = [network for network in known if isinstance(network, IPv6Network)]
    found: list[IPNetwork] = [*collapse_addresses(four), *collapse_addresses(six)]
    return tuple(found[:_MOST_NETWORKS])
