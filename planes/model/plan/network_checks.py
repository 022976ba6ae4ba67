"""What the networks of a plan have against each other, and against the cluster's own network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import combinations, islice
from typing import Final, NamedTuple

from planes.model.errors import Finding
from planes.model.plan.cluster_network import USUAL_UPLINK, PlanClusterNetwork
from planes.model.plan.network import PlannedNetwork
from planes.model.spec.plane_spec import Plane
from planes.model.state.overlaps import find_overlaps
from planes.model.state.wire import Wire, WireKind, link_wires

MOST_FINDINGS: Final = 256
"""Findings about pairs of networks: of a thousand networks there are half a million pairs."""


def check_networks(
    networks: list[PlannedNetwork],
    cluster: PlanClusterNetwork | None,
    faults: list[Finding],
    warnings: list[Finding],
) -> None:
    """Add what is wrong between networks to the findings."""
    faults += islice(_on_one_wire(networks), MOST_FINDINGS)
    for network in networks:
        faults += _uplink(network, cluster)
        faults += _in_cluster(network, cluster)
    sides = [_Side(network, _wires(network.plane)) for network in networks]
    faults += islice(_each_pair(sides, _taken), MOST_FINDINGS)
    warnings += islice(_each_pair(sides, _together), MOST_FINDINGS)


class _Side(NamedTuple):
    """A network of a pair, with its wires."""

    network: PlannedNetwork
    wires: list[Wire]


def _each_pair(
    sides: list[_Side], check: Callable[[_Side, _Side], Iterator[Finding]]
) -> Iterator[Finding]:
    for one, other in combinations(sides, 2):
        yield from check(one, other)


def _on_one_wire(networks: Iterable[PlannedNetwork]) -> Iterator[Finding]:
    """Yield the overlaps of addresses that the project finds in planes of one wire."""
    by_name = {network.plane.name: network for network in networks if network.plane.name}
    found = find_overlaps(network.plane for network in by_name.values())
    for name, texts in found.items():
        network = by_name[name]
        for text in texts:
            message = f"cannot hand out the same addresses twice: {text}"
            yield Finding(_subnets(network), message, "give each network addresses of its own")


def _uplink(network: PlannedNetwork, cluster: PlanClusterNetwork | None) -> Iterator[Finding]:
    """Yield a fault where the interface that moves into a pod is the one the node is reached by."""
    master = _moved(network.plane)
    named = cluster.uplink if cluster is not None else ""
    if master and master == (named or USUAL_UPLINK):
        where = cluster.path if cluster is not None else "the cluster's network"
        yield Finding(
            network.at("interface"),
            f"cannot move {master} into a pod: it is the node's uplink",
            "name another interface, or use macvlan; where the uplink is another one, name it as "
            f"interface of {where}",
        )


def _in_cluster(network: PlannedNetwork, cluster: PlanClusterNetwork | None) -> Iterator[Finding]:
    if cluster is None or cluster.cidr is None:
        return
    for subnet in network.plane.subnets:
        if subnet.version == cluster.cidr.version and subnet.cidr.overlaps(cluster.cidr):
            yield Finding(
                _subnets(network),
                f"cannot use {subnet.cidr}: it overlaps {cluster.cidr} of the cluster's own pods "
                f"({cluster.path})",
                "give the network addresses of its own",
            )


def _taken(one: _Side, other: _Side) -> Iterator[Finding]:
    """Yield a fault where a network takes away the interface that another one stands on."""
    for taker, loser in ((one, other), (other, one)):
        master = _moved(taker.network.plane)
        if master and any(wire.name == master for wire in loser.wires):
            yield Finding(
                taker.network.at("interface"),
                f"cannot move {master} into a pod: {loser.network.path} stands on it",
                "give each an interface of its own, or use macvlan for both",
            )


def _together(one: _Side, other: _Side) -> Iterator[Finding]:
    """Yield warnings about what works, but seldom as a planner means it."""
    if next(_taken(one, other), None) is not None:
        return
    here = one.network.path
    shared = next((a for a in one.wires for b in other.wires if a.touches(b)), None)
    if shared is not None:
        yield Finding(
            other.network.at("interface"),
            f"it is on {shared}, as {here} is: pods of both reach each other",
            "give each a VLAN or an interface of its own where they are to be apart",
        )
        return
    for subnet in other.network.plane.subnets:
        for known in one.network.plane.subnets:
            if known.version == subnet.version and known.cidr.overlaps(subnet.cidr):
                yield Finding(
                    _subnets(other.network),
                    f"{subnet.cidr} overlaps {known.cidr} of {here}: a pod on both reaches one of "
                    "them only",
                    "give each network addresses of its own",
                )


def _moved(plane: Plane) -> str:
    """Return the interface that a pod of the plane takes away from its node, "" for none."""
    network = plane.network
    if network is None or network.type != "host-device" or network.resource_name:
        return ""
    return network.master


def _wires(plane: Plane) -> list[Wire]:
    network = plane.network
    if network is None:
        return []
    if network.master:
        is_bridge = network.type == "bridge"
        return list(link_wires(network.master, network.vlan or 0, is_bridge=is_bridge))
    if network.resource_name:
        return [Wire(WireKind.RESOURCE, network.resource_name, network.vlan or 0)]
    return []


def _subnets(network: PlannedNetwork) -> str:
    return network.at("cidr" if network.is_flat else "subnets")
