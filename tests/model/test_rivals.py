"""Which of two planes on one wire is in force, and what becomes of the other one's pods."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planes.model.decide.decision import decide
from planes.model.names import DEFAULT_NETWORK_ANNOTATION
from planes.model.objects import NadRef, Pod
from planes.model.spec.plane_spec import Plane
from planes.model.state.catalog import Catalog
from planes.model.state.rivals import pool_of
from tests.support.model import make_catalog, make_namespace, make_plane, pod_object

ETH1 = {"type": "macvlan", "master": "eth1"}
CIDR = "10.9.0.0/24"


def plane(name: str, network: dict[str, Any] | None = None, /, **more: Any) -> Plane:
    subnet = more.pop("subnet", {"cidr": CIDR})
    return make_plane(name, network=network or ETH1, subnets=[subnet], **more)


def withheld(*planes: Plane) -> list[str]:
    """Return the names of those that are not in force, sorted."""
    return sorted(each.plane.name for each in Catalog.build(planes).withheld.values())


def test_of_two_with_one_cidr_on_one_wire_the_later_one_is_not_in_force() -> None:
    early = replace(plane("zeta"), created="2026-11-01T00:00:00Z")
    late = replace(plane("alpha"), created="2026-11-01T00:00:01Z")
    for planes in ((early, late), (late, early)):
        catalog = Catalog.build(planes)
        assert [each.name for each in catalog.planes] == ["zeta"]
        (found,) = catalog.withheld.values()
        assert found.plane == late
        assert found.rival == "zeta"
        assert "10.9.0.1-10.9.0.254, which plane zeta hands out" in found.cause
        assert "interface eth1" in found.cause


def test_of_two_of_one_second_the_lower_name_is_in_force() -> None:
    assert withheld(plane("b"), plane("a")) == ["b"]


@pytest.mark.parametrize(
    "there",
    [
        {"type": "ipvlan", "master": "eth1"},
        {"type": "macvlan", "master": "eth1", "mode": "passthru"},
        {"type": "host-device", "master": "eth1"},
    ],
    ids=lambda network: network["type"],
)
def test_other_types_on_one_interface_are_one_wire(there: dict[str, Any]) -> None:
    assert withheld(plane("a"), plane("b", there)) == ["b"]


def test_a_vlan_is_the_same_wire_by_both_its_names() -> None:
    vlan = {"type": "vlan", "master": "eth1", "vlan": 5}
    assert withheld(plane("a", vlan), plane("b", {"type": "macvlan", "master": "eth1.5"})) == ["b"]


@pytest.mark.parametrize(
    ("here", "there"),
    [
        (ETH1, {"type": "macvlan", "master": "eth2"}),
        (ETH1, {"type": "vlan", "master": "eth1", "vlan": 5}),
        (
            {"type": "vlan", "master": "eth1", "vlan": 6},
            {"type": "vlan", "master": "eth1", "vlan": 5},
        ),
        ({"type": "bridge", "master": "br-a"}, {"type": "bridge", "master": "br-b"}),
        (
            {"type": "bridge", "master": "br-a", "vlan": 5},
            {"type": "bridge", "master": "br-a", "vlan": 6},
        ),
        (ETH1, {"type": "macvlan"}),
    ],
)
def test_other_wires_may_have_the_same_addresses(
    here: dict[str, Any], there: dict[str, Any]
) -> None:
    """The last case: which interface it is, only each node knows."""
    assert withheld(plane("a", here), plane("b", there)) == []


def test_ranges_apart_in_one_cidr_are_legal() -> None:
    low = {"cidr": CIDR, "gateway": "10.9.0.1", "ranges": ["10.9.0.2-10.9.0.99"]}
    high = {"cidr": CIDR, "gateway": "10.9.0.1", "ranges": ["10.9.0.100-10.9.0.200"]}
    assert withheld(plane("a", subnet=low), plane("b", subnet=high)) == []


def test_a_static_range_counts_where_pods_may_ask_for_it() -> None:
    low = {"cidr": CIDR, "ranges": ["10.9.0.2-10.9.0.99"], "staticRanges": ["10.9.0.150"]}
    high = {"cidr": CIDR, "ranges": ["10.9.0.100-10.9.0.200"]}
    asked = {"allow": "Any"}
    assert withheld(plane("a", subnet=low, staticIPs=asked), plane("b", subnet=high)) == ["b"]
    reserved = {"allow": "Reserved"}
    assert withheld(plane("a", subnet=low, staticIPs=reserved), plane("b", subnet=high)) == []


def test_a_reservation_counts_unless_no_pod_may_ask() -> None:
    high = {"cidr": CIDR, "ranges": ["10.9.0.100-10.9.0.200"]}
    low = {"cidr": CIDR, "ranges": ["10.9.0.2-10.9.0.99"]}
    entry = [{"ip": "10.9.0.150", "namespace": "shop"}]
    first = plane("a", subnet=high)
    assert withheld(first, plane("b", subnet=low, staticIPs={"reservations": entry})) == ["b"]
    never = {"reservations": entry, "allow": "Never"}
    assert withheld(first, plane("b", subnet=low, staticIPs=never)) == []


def test_handing_out_the_gateway_of_another_plane_counts() -> None:
    low = {"cidr": CIDR, "gateway": "10.9.0.1", "ranges": ["10.9.0.100-10.9.0.200"]}
    high = {"cidr": CIDR, "ranges": ["10.9.0.1-10.9.0.9"]}
    (found,) = Catalog.build([plane("a", subnet=low), plane("b", subnet=high)]).withheld.values()
    assert "10.9.0.1, the gateway of plane a" in found.cause
    (found,) = Catalog.build([plane("b", subnet=low), plane("a", subnet=high)]).withheld.values()
    assert "plane a hands out its gateway 10.9.0.1" in found.cause


def test_planes_that_hand_out_no_addresses_keep_nobody_out() -> None:
    bare = make_plane("a", network=ETH1, subnets=None, ipam={"mode": "None"})
    named = make_plane(
        "b",
        network={"nadRef": {"namespace": "infra", "name": "lan"}},
        subnets=[{"cidr": CIDR}],
        staticIPs=None,
        ipam={"mode": "NAD"},
    )
    assert withheld(bare, named, plane("c")) == []


def test_a_plane_not_in_force_keeps_no_other_out() -> None:
    """`b` meets both; without it `a` and `c` have nothing in common."""
    low, high = ("10.9.0.2-10.9.0.9", "10.9.0.20-10.9.0.29")
    planes = [
        plane("a", subnet={"cidr": CIDR, "ranges": [low]}),
        plane("b", subnet={"cidr": CIDR, "ranges": [low, high]}),
        plane("c", subnet={"cidr": CIDR, "ranges": [high]}),
    ]
    assert withheld(*planes) == ["b"]
    assert withheld(*planes[1:]) == ["c"]


@given(st.permutations(range(8)), st.lists(st.integers(0, 28), min_size=8, max_size=8))
def test_no_two_planes_in_force_hand_out_one_address_in_whatever_order_they_come(
    order: list[int], starts: list[int]
) -> None:
    planes = [
        plane(f"p{n}", subnet={"cidr": CIDR, "ranges": [f"10.9.0.{s + 1}-10.9.0.{s + 4}"]})
        for n, s in enumerate(starts)
    ]
    catalog = Catalog.build([planes[place] for place in order])
    assert catalog.withheld.keys() == Catalog.build(planes).withheld.keys()
    for one, other in combinations(catalog.planes, 2):
        assert not any(a.overlaps(b) for a in pool_of(one) for b in pool_of(other))
    for each in catalog.withheld.values():
        rival = catalog.plane(each.rival)
        assert rival is not None
        assert any(a.overlaps(b) for a in pool_of(rival) for b in pool_of(each.plane))


def test_an_enabled_namespace_is_warned_and_its_pods_start_without_the_plane() -> None:
    catalog = make_catalog(plane("a"), plane("b"))
    decision = decide(Pod.from_object(pod_object()), make_namespace(b="enabled"), catalog)
    assert not decision.errors
    assert not decision.attachments
    (warning,) = decision.warnings
    assert "plane b is not in force: it would hand out" in warning.message
    assert "plane a" in warning.message


def test_pods_of_a_namespace_that_requires_it_are_refused_with_both_names() -> None:
    catalog = make_catalog(plane("a"), plane("b"))
    decision = decide(Pod.from_object(pod_object()), make_namespace(b="required"), catalog)
    (error,) = decision.errors
    assert "cannot attach plane b, which is not in force" in error.message
    assert "plane a hands out" in error.message


def test_a_pod_that_names_its_nad_is_refused_with_both_names() -> None:
    catalog = make_catalog(plane("a"), plane("b"))
    pod = Pod.from_object(pod_object(networks="netplane-system/b"))
    decision = decide(pod, make_namespace(b="enabled"), catalog)
    (error,) = decision.errors
    assert "cannot attach plane b" in error.message
    assert "plane a hands out" in error.message


def test_a_pod_that_has_its_nad_in_place_of_the_default_network_is_told_the_same_once() -> None:
    catalog = make_catalog(plane("a"), plane("b"))
    wish = {DEFAULT_NETWORK_ANNOTATION: "netplane-system/b"}
    decision = decide(Pod.from_object(pod_object(annotations=wish)), make_namespace(), catalog)
    (error,) = decision.errors
    assert "cannot attach plane b" in error.message


def test_pods_that_its_pod_selector_leaves_out_hear_nothing() -> None:
    late = plane("b", podSelector={"matchLabels": {"app": "db"}})
    catalog = make_catalog(plane("a"), late)
    decision = decide(Pod.from_object(pod_object()), make_namespace(b="required"), catalog)
    assert not decision.errors
    assert not decision.warnings


def test_the_other_plane_of_a_namespace_is_attached_all_the_same() -> None:
    catalog = make_catalog(plane("a"), plane("b"))
    decision = decide(
        Pod.from_object(pod_object()), make_namespace(a="enabled", b="enabled"), catalog
    )
    assert [each.network for each in decision.attachments] == [NadRef("netplane-system", "a")]


def test_three_thousand_planes_on_one_wire_are_compared_at_one_go() -> None:
    """Each with addresses of its own: none is kept out."""
    planes = [
        replace(
            plane(f"p{n}", subnet={"cidr": f"10.{n >> 8}.{n & 255}.0/24"}),
            created="2026-11-01T00:00:00Z",
        )
        for n in range(3000)
    ]
    assert withheld(*planes) == []
