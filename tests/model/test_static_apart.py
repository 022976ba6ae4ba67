"""On a cluster static addresses come from static ranges and reservations alone."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from planes.model.objects import Pod
from planes.model.spec.address_policy import askable_by, refusal
from planes.model.spec.plane_spec import Plane
from planes.model.state.catalog import Catalog
from planes.model.state.claim_index import ClaimIndex
from tests.support.planes import make_plane

RANGES = make_plane(
    subnets=[{"cidr": "10.9.0.0/24", "staticRanges": ["10.9.0.200-10.9.0.210"]}],
    staticIPs={"allow": "Any", "reservations": [{"ip": "10.9.0.9", "namespace": "ns"}]},
)
NONE = make_plane(subnets=[{"cidr": "10.9.0.0/24"}], staticIPs={"allow": "Any"})
POD = Pod("ns", "p", "uid")


def on_cluster(plane: Plane) -> Plane:
    found = Catalog.build([plane], static_needs_ranges=True).plane(plane.name)
    assert found is not None
    return found


@pytest.mark.parametrize("text", ["10.9.0.200", "10.9.0.210", "10.9.0.9"])
def test_static_ranges_and_reservations_may_be_asked_for(text: str) -> None:
    assert refusal(on_cluster(RANGES), POD, ip_address(text)) is None


def test_what_nodes_hand_out_may_not_be_asked_for() -> None:
    refused = refusal(on_cluster(RANGES), POD, ip_address("10.9.0.50"))
    assert refused is not None
    assert "in none of its staticRanges" in refused.cause
    assert refused.remedy == "ask for one of 10.9.0.200-10.9.0.210"


def test_a_plane_without_static_ranges_is_told_to_have_some() -> None:
    refused = refusal(on_cluster(NONE), POD, ip_address("10.9.0.50"))
    assert refused is not None
    assert "give 10.9.0.0/24 staticRanges" in refused.remedy


def test_candidates_are_static_addresses_alone() -> None:
    allowed = askable_by(on_cluster(NONE), POD)
    assert allowed is not None
    assert ip_address("10.9.0.50") not in allowed


def test_without_the_flag_the_whole_subnet_may_be_asked_for() -> None:
    found = Catalog.build([NONE]).plane("business")
    assert found is not None
    assert refusal(found, POD, ip_address("10.9.0.50")) is None


def test_other_claims_leave_the_flag() -> None:
    catalog = Catalog.build([NONE], static_needs_ranges=True).with_claims(ClaimIndex())
    assert catalog.static_needs_ranges
    found = catalog.plane("business")
    assert found is not None
    assert refusal(found, POD, ip_address("10.9.0.50")) is not None


def test_a_plane_whose_nad_assigns_addresses_is_left_alone() -> None:
    nad = make_plane(
        network={"nadRef": {"namespace": "ns", "name": "nad"}},
        subnets=[{"cidr": "10.9.0.0/24"}],
        staticIPs={"allow": "Any"},
    )
    assert refusal(on_cluster(nad), POD, ip_address("10.9.0.50")) is None


def test_what_is_outside_is_told_what_may_be_asked_for_not_the_whole_subnet() -> None:
    refused = refusal(on_cluster(RANGES), POD, ip_address("10.8.0.1"))
    assert refused is not None
    assert refused.remedy == "ask for one of 10.9.0.200-10.9.0.210"
    refused = refusal(on_cluster(NONE), POD, ip_address("10.8.0.1"))
    assert refused is not None
    assert refused.remedy.startswith("ask an administrator to give 10.9.0.0/24 staticRanges")


def test_of_many_ranges_a_few_are_named() -> None:
    ranges = [f"10.9.0.{10 * n}-10.9.0.{10 * n + 5}" for n in range(1, 20)]
    many = make_plane(
        subnets=[{"cidr": "10.9.0.0/24", "staticRanges": ranges}], staticIPs={"allow": "Any"}
    )
    refused = refusal(on_cluster(many), POD, ip_address("10.8.0.1"))
    assert refused is not None
    assert refused.remedy.endswith("10.9.0.40-10.9.0.45 and 15 more")


def test_where_only_reservations_are_given_out_they_are_named() -> None:
    entry = {"ip": "10.9.0.9", "namespace": "ns"}
    plane = make_plane(
        subnets=[{"cidr": "10.9.0.0/24"}], staticIPs={"allow": "Reserved", "reservations": [entry]}
    )
    refused = refusal(plane, POD, ip_address("10.8.0.1"))
    assert refused is not None
    assert refused.remedy == "reserved for this pod: 10.9.0.9"
