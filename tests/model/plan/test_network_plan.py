"""What of a plan contradicts itself, and what is missing."""

from __future__ import annotations

from typing import Any

import pytest

from planes.model.errors import BadInput
from planes.model.plan.network_checks import MOST_FINDINGS
from planes.model.spec.plane import parse_plane
from tests.support.plans import network, paths, plan_of


def test_a_complete_network_becomes_a_plane() -> None:
    plan = plan_of(business=network(purpose="business traffic", ranges=["10.9.0.10-10.9.0.20"]))
    assert plan.is_sound
    (obj,) = plan.objects()
    plane = parse_plane(obj)
    assert (plane.name, plane.purpose) == ("business", "business traffic")
    assert plane.network is not None
    assert (plane.network.type, plane.network.master) == ("macvlan", "eth1")
    assert [str(span) for span in plane.subnets[0].ranges] == ["10.9.0.10-10.9.0.20"]


def test_namespaces_become_labels_of_namespaces() -> None:
    plan = plan_of(
        a=network(namespaces=["shop"]),
        b=network(
            interface="eth2", cidr="10.8.0.0/24", gateway=None, namespaces={"shop": "required"}
        ),
    )
    (namespace,) = [obj for obj in plan.objects() if obj["kind"] == "Namespace"]
    assert namespace["metadata"] == {
        "name": "shop",
        "labels": {"plane.netplane.io/a": "enabled", "plane.netplane.io/b": "required"},
    }


CONTRADICTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "no plane's name": ({"My_Net": network()}, "networks.My_Net"),
    "a type nobody knows": ({"a": network(cni="vxlan")}, "networks.a.cni"),
    "a VLAN of a macvlan": ({"a": network(vlan=5)}, "networks.a.vlan"),
    "a VLAN out of range": ({"a": network(cni="vlan", vlan=4095)}, "networks.a.vlan"),
    "an MTU out of range": ({"a": network(mtu=70000)}, "networks.a.mtu"),
    "an MTU of a device": ({"a": network(cni="host-device", mtu=1400)}, "networks.a.spec.mtu"),
    "a mode of another type": ({"a": network(mode="l2")}, "networks.a.mode"),
    "a CIDR with host bits": ({"a": network(cidr="10.9.0.5/24")}, "networks.a.cidr"),
    "a CIDR that is a number": ({"a": network(cidr=10)}, "networks.a.cidr"),
    "a gateway outside": ({"a": network(gateway="10.8.0.1")}, "networks.a.gateway"),
    "a range outside": ({"a": network(ranges=["10.8.0.1-10.8.0.9"])}, "networks.a.ranges[0]"),
    "ranges that overlap": (
        {"a": network(ranges=["10.9.0.10-10.9.0.20", "10.9.0.15"])},
        "networks.a.ranges[1]",
    ),
    "IPv6 in an IPv4 subnet": ({"a": network(gateway="fd00::1")}, "networks.a.gateway"),
    "an IPv6 range outside": (
        {"a": network(cidr="fd00:9::/64", gateway=None, ranges=["fd00:8::1-fd00:8::9"])},
        "networks.a.ranges[0]",
    ),
    "an address of an app outside": (
        {"a": network(reservations=[{"ip": "10.8.0.7", "namespace": "shop", "owner": "db"}])},
        "networks.a.reservations[0].ip",
    ),
    "an address of two apps": (
        {"a": network(reservations=[{"ip": "10.9.0.7", "namespace": n} for n in ("x", "y")])},
        "networks.a.reservations[1].ip",
    ),
    "the gateway of an app": (
        {"a": network(reservations=[{"ip": "10.9.0.1", "namespace": "shop"}])},
        "networks.a.reservations[0].ip",
    ),
    "a pod's interface eth0": ({"a": network(podInterface="eth0")}, "networks.a.podInterface"),
    "no namespace's name": ({"a": network(namespaces=["Shop"])}, "networks.a.namespaces[0]"),
    "a namespace twice": ({"a": network(namespaces=["x", "x"])}, "networks.a.namespaces[1]"),
    "a label nobody knows": ({"a": network(namespaces={"x": "on"})}, "networks.a.namespaces.x"),
    "namespaces in one text": ({"a": network(namespaces="x")}, "networks.a.namespaces"),
    "a slip": ({"a": network(gatway="10.9.0.1")}, "networks.a.gatway"),
    "a field said twice": (
        {"a": network(spec={"network": {"type": "ipvlan"}})},
        "networks.a.spec.network.type",
    ),
    "a field of no plane": ({"a": network(spec={"colour": "red"})}, "networks.a.spec.colour"),
    "a spec that is a list": ({"a": network(spec=[])}, "networks.a.spec"),
    "a cidr beside subnets": ({"a": network(subnets=[{"cidr": "10.8.0.0/24"}])}, "networks.a.cidr"),
    "metadata of the server": ({"a": network(metadata={"uid": "1"})}, "networks.a.metadata.uid"),
    "labels that are no texts": (
        {"a": network(metadata={"labels": {"x": 1}})},
        "networks.a.metadata.labels",
    ),
    "a label that is none": (
        {"a": network(metadata={"labels": {"x": "-"}})},
        "networks.a.metadata.labels.x",
    ),
    "an annotation whose key is none": (
        {"a": network(metadata={"annotations": {"a b": "x"}})},
        'networks.a.metadata.annotations["a b"]',
    ),
    "a default route without gateway": (
        {"a": network(gateway=None, defaultRoute=True)},
        "networks.a.defaultRoute",
    ),
    "the same addresses on one wire": (
        {"a": network(), "b": network(cidr="10.9.0.0/25")},
        "networks.b.cidr",
    ),
    "the same addresses on one VLAN": (
        {"a": network(cni="vlan", vlan=20), "b": network(interface="eth1.20")},
        "networks.b.cidr",
    ),
    "an interface taken from another": (
        {"a": network(), "b": network(cni="host-device", cidr="10.8.0.0/24", gateway=None)},
        "networks.b.interface",
    ),
    "the node's uplink": (
        {"a": network(cni="host-device", interface="eth0")},
        "networks.a.interface",
    ),
    "addresses of the cluster's pods": (
        {"default": {"cni": "flannel", "cidr": "10.0.0.0/8"}, "a": network()},
        "networks.a.cidr",
    ),
    "two networks of the cluster": (
        {"default": {"cni": "flannel"}, "other": {"cni": "calico"}},
        "networks.other",
    ),
    "a CIDR of the cluster that is none": (
        {"default": {"cni": "flannel", "cidr": 10}},
        "networks.default.cidr",
    ),
    "a network that is a text": ({"a": "macvlan"}, "networks.a"),
}


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_a_contradiction_is_found_at_its_field(case: str) -> None:
    networks, path = CONTRADICTIONS[case]
    plan = plan_of(**networks)
    assert path in paths(plan.faults)
    assert all(finding.remedy for finding in plan.faults)


MISSING: dict[str, tuple[dict[str, Any], str, str]] = {
    "type": ({"cidr": "10.9.0.0/24", "gateway": "10.9.0.1"}, "cni", "--set a.cni=macvlan"),
    "subnet": ({"cni": "macvlan", "interface": "eth1"}, "cidr", "--set a.cidr=192.168.0.0/16"),
    "interface": (
        {"cni": "ipvlan", "cidr": "10.9.0.0/24", "gateway": None},
        "interface",
        "--master a=eth1",
    ),
    "device": (
        {"cni": "host-device", "cidr": "10.9.0.0/24", "ranges": None},
        "interface",
        "--master a=",
    ),
    "resource": (network(cni="sriov"), "resourceName", "--set a.resourceName="),
    "VLAN": (network(cni="vlan"), "vlan", "--set a.vlan=100"),
    "free addresses": (
        {"cni": "macvlan", "interface": "eth1", "cidr": "10.9.0.0/24"},
        "ranges",
        "--set a.ranges=",
    ),
}


@pytest.mark.parametrize("case", MISSING)
def test_a_missing_fact_is_asked_for_with_the_option_that_gives_it(case: str) -> None:
    words, word, option = MISSING[case]
    plan = plan_of(a=words)
    assert paths(plan.missing) == [f"networks.a.{word}"]
    assert option in plan.missing[0].remedy
    assert plan.faults == []


def test_null_is_an_answer() -> None:
    """A macvlan without master is on the interface of the node's default route."""
    plan = plan_of(a={"cni": "macvlan", "interface": None, "cidr": "10.9.0.0/24", "ranges": None})
    assert plan.is_sound


def test_a_fact_that_is_set_replaces_what_the_plan_says() -> None:
    plan = plan_of("a.cni=vlan", "a.vlan=7", "a.ranges=10.9.0.9,10.9.0.11", a=network())
    assert plan.is_sound
    (obj,) = plan.objects()
    assert obj["spec"]["network"] == {"type": "vlan", "master": "eth1", "vlan": 7}
    assert obj["spec"]["subnets"][0]["ranges"] == ["10.9.0.9", "10.9.0.11"]


def test_a_fact_below_spec_is_set() -> None:
    plan = plan_of("a.spec.ipam.cooldownSeconds=60", a=network())
    assert plan.networks[0].plane.cooldown_seconds == 60


@pytest.mark.parametrize("text", ["a", "a=1", "a.=1", ".cni=1", "a.cin=macvlan", "b.cni=macvlan"])
def test_a_fact_of_nothing_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="cannot"):
        plan_of(text, a=network())


@pytest.mark.parametrize("value", ["NaN", "\x1b", "[" * 40 + "]" * 40])
def test_a_fact_that_is_set_is_bounded_as_the_plan_is(value: str) -> None:
    assert plan_of(f"a.purpose={value}", a=network()).faults


def test_a_remark_of_somebodys_is_a_warning() -> None:
    plan = plan_of(a=network(ticket="NET-7", contact="ops"))
    assert plan.is_sound
    assert paths(plan.warnings) == ["networks.a.ticket", "networks.a.contact"]


def test_two_networks_on_one_wire_are_a_warning_where_their_addresses_differ() -> None:
    plan = plan_of(a=network(), b=network(cidr="10.8.0.0/24", gateway=None))
    assert plan.is_sound
    assert paths(plan.warnings) == ["networks.b.interface"]


def test_the_same_addresses_on_two_wires_are_a_warning() -> None:
    plan = plan_of(a=network(), b=network(interface="eth2"))
    assert plan.is_sound
    assert paths(plan.warnings) == ["networks.b.cidr"]


def test_the_uplink_is_what_the_plan_says() -> None:
    host = network(cni="host-device", interface="eth0")
    assert plan_of(default={"cni": "flannel", "interface": "ens3"}, a=host).is_sound
    ens3 = {**host, "interface": "ens3"}
    assert not plan_of(default={"cni": "flannel", "interface": "ens3"}, a=ens3).is_sound


def test_findings_about_pairs_are_bounded() -> None:
    networks: dict[str, Any] = {f"n{n}": network(cidr="10.9.0.0/24") for n in range(60)}
    plan = plan_of(**networks)
    assert 0 < len(plan.faults) <= 60 * 9
    assert len(plan.warnings) <= MOST_FINDINGS


@pytest.mark.parametrize(
    ("words", "path", "remedy"),
    [
        ({"purpose": "x" * 257}, "networks.zone.purpose", "use at most 256"),
        ({"interface": "e" * 129}, "networks.zone.interface", "use at most 128"),
        ({"interface": ""}, "networks.zone.interface", "leave it out, or write null"),
        ({"resourceName": "x" * 318}, "networks.zone.resourceName", "use at most 317"),
        ({"resourceName": ""}, "networks.zone.resourceName", "leave it out, or write null"),
        ({"mode": ""}, "networks.zone.mode", "leave it out, or write null"),
        ({"podInterface": ""}, "networks.zone.podInterface", "leave it out, or write null"),
    ],
)
def test_a_text_that_api_servers_refuse_for_its_length_is_a_fault(
    words: dict[str, str], path: str, remedy: str
) -> None:
    (fault,) = plan_of(zone=network(**words)).faults
    assert (fault.path, fault.remedy) == (path, remedy)


@pytest.mark.parametrize("words", [{"purpose": "é" * 256}, {"purpose": ""}, {"mode": None}])
def test_a_text_of_a_length_that_they_take_is_none(words: dict[str, str]) -> None:
    assert plan_of(zone=network(**words)).is_sound
