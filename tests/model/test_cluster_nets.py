"""Networks of the cluster itself: what a plane is told to overlap, and who stated it."""

from __future__ import annotations

import pytest

from planes.model.addresses import parse_network
from planes.model.spec.plane import parse_plane
from planes.model.state.cluster_nets import ClusterNets
from tests.support.planes import plane_object

HONEST = [(parse_network(f"10.244.{number}.0/24"), f"n{number}") for number in range(8)]
PLANE = plane_object("business")


def told(plane_cidr: str, *liars: tuple[str, str]) -> tuple[str, ...]:
    pods = [*HONEST, *((parse_network(cidr), node) for cidr, node in liars)]
    obj = {**PLANE, "spec": {**PLANE["spec"], "subnets": [{"cidr": plane_cidr}]}}
    return ClusterNets.of(pods, [], []).overlaps(parse_plane(obj))


def test_networks_of_nodes_that_touch_are_told_of_as_one() -> None:
    (text,) = told("10.244.0.0/16")
    assert "overlaps 10.244.0.0/21" in text
    assert "spec.podCIDRs of node n0" in text


@pytest.mark.parametrize("liar", ["a", "zz"])
@pytest.mark.parametrize("cidr", ["0.0.0.0/1", "10.0.0.0/8", "10.244.0.0/16"])
def test_a_node_that_states_a_wide_network_is_named_where_it_is_told_of(
    cidr: str, liar: str
) -> None:
    """A kubelet may write its own node's podCIDRs while they are empty."""
    (text,) = told("10.244.3.0/24", (cidr, liar))
    assert f"overlaps {cidr}" in text
    assert f"(spec.podCIDRs of node {liar})" in text


def test_what_other_nodes_state_is_no_matter_of_a_plane_elsewhere() -> None:
    assert told("10.1.0.0/24", ("fd00::/8", "x"), ("10.128.0.0/9", "x")) == ()
