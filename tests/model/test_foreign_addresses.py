"""Objects of whereabouts and annotations of Calico are read as they are; what is odd is skipped."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planes.model.decide.adoption import AddressUser, Fact, Source
from planes.model.decide.foreign_addresses import (
    annotation_facts,
    pod_ip_facts,
    pool_facts,
    reservation_facts,
)
from planes.model.objects import Pod

CONTAINER = "0" * 64


def pool(allocations: dict[str, Any], range_: str = "10.9.0.0/24") -> dict[str, Any]:
    spec = {"range": range_, "allocations": allocations}
    return {"metadata": {"name": "10.9.0.0-24"}, "spec": spec}


def entry(**more: Any) -> dict[str, Any]:
    return {"id": CONTAINER, "podref": "shop/web-0", "ifname": "net1", **more}


def addresses(facts: Any) -> list[str]:
    return [str(fact.address) for fact in facts]


def test_an_offset_counts_from_the_network_address() -> None:
    (one,) = pool_facts(pool({"7": entry()}))
    assert str(one.address) == "10.9.0.7"
    assert one.user == AddressUser(CONTAINER, "net1", "shop", "web-0")
    assert (one.source, one.network) == (Source.WHEREABOUTS, "10.9.0.0-24")


def test_ipv6_pools_have_large_offsets() -> None:
    found = pool_facts(pool({"4294967296": entry()}, "fd00:9::/64"))
    assert addresses(found) == ["fd00:9::1:0:0"]


@pytest.mark.parametrize("key", ["18446463705355360228", "-1", "x", "", "٣", "9" * 5000])
def test_an_offset_outside_of_the_range_is_skipped(key: str) -> None:
    assert addresses(pool_facts(pool({key: entry()}))) == []


@pytest.mark.parametrize("podref", ["", "web", "Shop/web", "shop/", "a/b/c", None, 7, "../x/y"])
def test_an_allocation_without_a_pod_is_skipped(podref: Any) -> None:
    assert addresses(pool_facts(pool({"7": entry(podref=podref)}))) == []


def test_what_an_older_release_left_out_is_unknown() -> None:
    (one,) = pool_facts(pool({"7": entry(id="", ifname="")}))
    assert one.user == AddressUser("", "", "shop", "web-0")


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("10.9.0.7", ["10.9.0.7"]),
        ("blue-net-10.9.0.7", ["10.9.0.7"]),
        ("fd00-9--7", ["fd00:9::7", "9::7"]),
        ("blue-fd00-9--7", ["fd00:9::7", "9::7"]),
        ("nothing", []),
        ("-" * 200, []),
    ],
)
def test_a_reservation_has_its_address_in_its_name(name: str, found: list[str]) -> None:
    reservation = {"metadata": {"name": name}, "spec": {"podref": "shop/web-0", "ifname": "net1"}}
    assert addresses(reservation_facts(reservation)) == found


def test_wishes_of_calico_are_read_as_wishes() -> None:
    wish = {"cni.projectcalico.org/ipAddrs": '["10.9.0.7", 3, "x", "10.9.0.8/32"]'}
    pod = Pod("shop", "web", uid="u1", annotations=wish)
    user = AddressUser("", "", "shop", "web", "u1")
    assert [(one.source, one.user) for one in annotation_facts(pod)] == [
        (Source.ANNOTATION, user)
    ] * 2
    assert addresses(annotation_facts(pod)) == ["10.9.0.7", "10.9.0.8"]


@pytest.mark.parametrize("text", ["", "{", "7", '{"a": 1}', "[" * 5000])
def test_a_wish_that_is_no_list_is_none(text: str) -> None:
    pod = Pod("shop", "web", annotations={"cni.projectcalico.org/ipAddrs": text})
    assert list(annotation_facts(pod)) == []


def test_the_kubelet_s_addresses_of_a_pod_are_read() -> None:
    obj = {"status": {"podIPs": [{"ip": "10.244.1.7"}, {"ip": 3}, "x", {"ip": "fd00::7"}]}}
    found = list(pod_ip_facts(obj, Pod("shop", "web", uid="u1")))
    assert addresses(found) == ["10.244.1.7", "fd00::7"]
    assert {fact.source for fact in found} == {Source.POD_IP}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)


@given(
    JSON,
    st.sampled_from(["10.9.0.0/24", "fd00::/64", "x", ""]),
    st.dictionaries(st.text(max_size=4) | st.just("7"), JSON),
)
def test_no_object_is_too_odd(whole: Any, range_: str, allocations: Any) -> None:
    found: list[Fact] = []
    for obj in (
        whole if isinstance(whole, dict) else {},
        {"metadata": whole, "spec": whole},
        {"metadata": {"name": whole}, "spec": {"range": range_, "allocations": allocations}},
    ):
        found += [*pool_facts(obj), *reservation_facts(obj), *pod_ip_facts(obj, Pod("a", "b"))]
    assert all(fact.user.pod for fact in found)
