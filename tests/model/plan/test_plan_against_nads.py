"""A plan beside the NADs that are there: what they lend, and what they say differently."""

from __future__ import annotations

from typing import Any

import pytest

from planes.model.objects import Nad
from tests.support.plans import nad, network, paths, plan_of

IPAM = {
    "type": "host-local",
    "subnet": "10.9.0.0/24",
    "rangeStart": "10.9.0.10",
    "rangeEnd": "10.9.0.20",
    "gateway": "10.9.0.254",
}


def test_a_nad_lends_the_facts_that_the_plan_does_not_have() -> None:
    bare = {"cni": "macvlan", "cidr": "10.9.0.0/24"}
    plan = plan_of(business=bare, nads=(nad("business-network", mode="bridge", ipam=IPAM),))
    assert plan.is_sound
    plane, namespace = plan.objects()
    assert plane["spec"]["network"] == {"type": "macvlan", "master": "eth1", "mode": "bridge"}
    assert plane["spec"]["subnets"] == [
        {"cidr": "10.9.0.0/24", "gateway": "10.9.0.254", "ranges": ["10.9.0.10-10.9.0.20"]}
    ]
    assert namespace["metadata"]["name"] == "shop"
    assert [note.message for note in plan.notes] == [
        "interface, mode, ranges, gateway of NAD shop/business-network",
        "namespaces of its NADs",
    ]


def test_each_namespace_with_a_nad_of_the_network_joins() -> None:
    nads = nad("a", "shop"), nad("a", "bank"), nad("a", "default")
    _, *namespaces = plan_of(a=network(), nads=nads).objects()
    assert [obj["metadata"]["name"] for obj in namespaces] == ["bank", "shop"]


def test_a_nad_whose_configuration_is_a_file_of_the_node_says_nothing() -> None:
    plan = plan_of(a=network(namespaces=[]), nads=(Nad("shop", "a"),))
    assert (plan.is_sound, plan.notes) == (True, [])


def test_a_subnet_in_another_spelling_is_the_same() -> None:
    ipam = {"type": "host-local", "subnet": "fd00:9::/64"}
    words = network(cidr="FD00:0009::/64", gateway="fd00:9::1")
    assert plan_of(a=words, nads=(nad("old", ipam=ipam),)).is_sound


def test_a_nad_of_a_system_namespace_joins_nobody() -> None:
    found = plan_of(a=network(), nads=(nad("a", "kube-system", ipam=IPAM),))
    assert [obj["kind"] for obj in found.objects()] == ["Plane"]


@pytest.mark.parametrize(
    ("config", "word"),
    [
        ({"type": "ipvlan"}, "cni"),
        ({"master": "eth5"}, "interface"),
        ({"ipam": {**IPAM, "subnet": "10.9.0.0/25"}}, "cidr"),
    ],
)
def test_a_nad_that_says_something_else_contradicts_the_plan(config: Any, word: str) -> None:
    plan = plan_of(a=network(), nads=(nad("a", **config),))
    assert paths(plan.faults) == [f"networks.a.{word}"]
    assert "NAD shop/a says" in plan.faults[0].message


def test_what_is_set_decides_between_plan_and_nad() -> None:
    plan = plan_of("a.interface=eth1", a=network(), nads=(nad("a", master="eth5"),))
    assert plan.is_sound
    assert paths(plan.warnings) == ["networks.a.interface"]


def test_a_nad_belongs_to_a_network_by_its_subnet_too() -> None:
    plan = plan_of(a=network(), nads=(nad("old", master="eth5", ipam=IPAM),))
    assert paths(plan.faults) == ["networks.a.interface"]


def test_a_nad_of_something_else_is_left_alone() -> None:
    plan = plan_of(a=network(), nads=(nad("b", master="eth5"),))
    assert plan.is_sound
    assert plan.notes == []


def test_the_mode_of_another_type_is_not_lent() -> None:
    beside = nad("a", type="ipvlan", mode="l2", ipam=IPAM)
    plan = plan_of("a.cni=macvlan", a=network(), nads=(beside,))
    assert plan.is_sound
    assert "mode" not in plan.objects()[0]["spec"]["network"]
