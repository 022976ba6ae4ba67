"""Which planes share addresses on one wire, and what is said of it."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network
from itertools import combinations
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from planes.model.state.overlaps import MOST_TOLD, find_overlaps
from tests.support.model import make_plane

HERE = {"type": "macvlan", "master": "eth1"}


def overlaps(*networks: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    subnets = [{"cidr": "10.0.0.0/16"}], [{"cidr": "10.0.9.0/24"}]
    planes = [
        make_plane(f"p{n}", network=network, subnets=subnet)
        for n, (network, subnet) in enumerate(zip(networks, subnets, strict=False))
    ]
    return find_overlaps(planes)


def test_two_planes_on_one_wire_name_each_other() -> None:
    assert overlaps(HERE, {"type": "ipvlan", "master": "eth1"}) == {
        "p0": ("10.0.0.0/16 overlaps 10.0.9.0/24 of plane p1, also on eth1",),
        "p1": ("10.0.9.0/24 overlaps 10.0.0.0/16 of plane p0, also on eth1",),
    }


def test_another_wire_or_vlan_is_no_overlap() -> None:
    here = {"type": "vlan", "master": "eth1", "vlan": 5}
    assert not overlaps(here, {"type": "vlan", "master": "eth1", "vlan": 6})
    assert not overlaps(here, {"type": "macvlan", "master": "eth1"})
    assert not overlaps(here, {"type": "macvlan", "master": "eth2"})


def test_a_vlan_interface_is_that_vlan() -> None:
    here = {"type": "vlan", "master": "eth1", "vlan": 5}
    assert "p0" in overlaps(here, {"type": "macvlan", "master": "eth1.5"})


CIDRS = st.builds(
    lambda number, bits: str(ip_network((number << 20, bits), strict=False)),
    st.integers(0, 7),
    st.integers(9, 12),
)


@given(st.lists(CIDRS, max_size=7))
def test_every_pair_that_overlaps_is_told_to_both(cidrs: list[str]) -> None:
    planes = [
        make_plane(f"p{n}", network=HERE, subnets=[{"cidr": cidr}]) for n, cidr in enumerate(cidrs)
    ]
    wanted: dict[str, set[str]] = {}
    for one, other in combinations(planes, 2):
        mine, theirs = one.subnets[0].cidr, other.subnets[0].cidr
        if mine.version == theirs.version and mine.overlaps(theirs):
            for plane, own, rival, its in ((one, mine, other, theirs), (other, theirs, one, mine)):
                text = f"{own} overlaps {its} of plane {rival.name}, also on eth1"
                wanted.setdefault(plane.name, set()).add(text)
    assert {name: set(texts) for name, texts in find_overlaps(planes).items()} == wanted


def test_of_very_many_only_some_are_told() -> None:
    """All on one wire with one CIDR: what is compared and said must not grow with their square."""
    plane = make_plane("p", network=HERE, subnets=[{"cidr": "10.0.0.0/16"}])
    found = find_overlaps(replace(plane, name=f"p{number:04}") for number in range(3000))
    assert len(found) == 3000
    assert {len(texts) for texts in found.values()} == {MOST_TOLD + 1}
