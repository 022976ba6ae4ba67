"""Exporting planes and importing the plan again is the identity."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planes.model.errors import JsonObject
from planes.model.plan.effective import effective_spec, plane_value
from planes.model.plan.network import planned_labels
from planes.model.plan.network_plan import NetworkPlan
from planes.model.plan.writing import write_plan
from planes.model.spec.plane import find_plane_faults
from tests.support.plane_corpus import ACCEPTED, corpus_plane
from tests.support.planes import plane_object
from tests.support.plans import plan_of_text

Labels = Mapping[str, Mapping[str, str]]


def imported(planes: list[JsonObject], labels: Labels) -> NetworkPlan:
    """Return the plan that is exported and read again, as text."""
    return plan_of_text(json.dumps(write_plan(planes, labels)))


@pytest.mark.parametrize("case", ACCEPTED)
def test_each_field_of_a_plane_comes_back(case: str) -> None:
    obj = corpus_plane(ACCEPTED[case])
    plan = imported([obj], {})
    assert (plan.faults, plan.missing) == ([], [])
    (back,) = plan.objects()
    assert plane_value(back) == plane_value(obj)


OCTET = st.integers(2, 250)


@st.composite
def subnets(draw: st.DrawFn, number: int) -> JsonObject:
    """Return a subnet of its own for each number, of either family."""
    if draw(st.booleans()):
        prefix, cidr = f"10.{number}.0.", f"10.{number}.0.0/24"
    else:
        prefix, cidr = f"fd00:{number + 1:x}::", f"fd00:{number + 1:x}::/64"
    found: JsonObject = {"cidr": cidr}
    if draw(st.booleans()):
        found["gateway"] = f"{prefix}1"
    low, high = sorted(draw(st.tuples(OCTET, OCTET)))
    if draw(st.booleans()):
        found["ranges"] = [f"{prefix}{low}-{prefix}{high}"]
    if draw(st.booleans()):
        found["staticRanges"] = [f"{prefix}{high}"]
    if draw(st.booleans()):
        found["routes"] = [{"dst": "10.200.0.0/16"}]
    return found


TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), max_size=20).filter(
    str.isprintable
)
NAMESPACES = st.dictionaries(
    st.sampled_from(["shop", "bank", "kube-system"]), st.sampled_from(["enabled", "required"])
)


@st.composite
def specs(draw: st.DrawFn, number: int) -> JsonObject:
    """Return the spec of a sound plane on an interface of its own."""
    type_ = draw(st.sampled_from(["macvlan", "ipvlan", "vlan", "bridge", "sriov", "host-device"]))
    network: JsonObject = {"type": type_, "master": f"eth{number + 1}"}
    if type_ == "vlan" or (type_ in {"bridge", "sriov"} and draw(st.booleans())):
        network["vlan"] = draw(st.integers(0, 4094))
    if type_ == "sriov":
        network["resourceName"] = f"example.com/pool{number}"
    elif type_ in {"macvlan", "bridge"} and draw(st.booleans()):
        del network["master"]
    optional: dict[str, st.SearchStrategy[Any]] = {
        "purpose": TEXT,
        "order": st.integers(-9, 9),
        "interface": st.sampled_from([f"net{number}", "storage0"]),
        "attachment": st.sampled_from(["Always", "OnRequest"]),
        "podSelector": st.just({"matchLabels": {"tier": "front"}}),
        "namespaceSelector": st.just({"matchLabels": {"team": "a"}}),
        "staticIPs": st.fixed_dictionaries(
            {"allow": st.sampled_from(["Never", "Reserved", "Any"]), "perOrdinal": st.booleans()}
        ),
        "ipam": st.fixed_dictionaries(
            {"borrow": st.booleans(), "cooldownSeconds": st.integers(0, 99)}
        ),
        "quota": st.fixed_dictionaries({"addressesPerNamespace": st.integers(0, 9)}),
        "enforcement": st.fixed_dictionaries({"pods": st.sampled_from(["Deny", "Warn", "Audit"])}),
        "deletionPolicy": st.sampled_from(["Block", "Orphan"]),
        "sysctls": st.just({"net.ipv4.conf.IFNAME.arp_filter": "1"}),
    }
    fields = draw(st.fixed_dictionaries({}, optional=optional))
    several = [draw(subnets(10 * number + at)) for at in range(draw(st.integers(1, 3)))]
    return {"network": network, "subnets": several, **fields}


@pytest.mark.timeout(300)  # it has many steps, and no step waits for anything
@settings(max_examples=50)
@given(st.data(), st.integers(1, 3))
def test_export_then_import_is_the_identity(data: st.DataObject, count: int) -> None:
    """Planes are the same values, namespaces have the same labels; a second export is the same."""
    planes, labels = [], dict[str, dict[str, str]]()
    for number in range(count):
        name = f"plane-{number}"
        planes.append(plane_object(name, **data.draw(specs(number))))
        for namespace, value in data.draw(NAMESPACES).items():
            labels.setdefault(namespace, {})[f"plane.netplane.io/{name}"] = value
    sound = [obj for obj in planes if not find_plane_faults(obj)[1]]
    names = {f"plane.netplane.io/{obj['metadata']['name']}" for obj in sound}
    labels = {
        namespace: kept
        for namespace, own in labels.items()
        if (kept := {key: value for key, value in own.items() if key in names})
    }
    exported = write_plan(sound, labels)
    plan = plan_of_text(json.dumps(exported))
    assert (plan.faults, plan.missing) == ([], [])
    assert [plane_value(each.obj) for each in plan.networks] == [*map(plane_value, sound)]
    assert planned_labels(plan.networks) == labels
    again = write_plan([network.obj for network in plan.networks], planned_labels(plan.networks))
    assert again == exported


def test_defaults_of_an_api_server_are_not_written() -> None:
    stored = plane_object(
        attachment="Always",
        ipam={"cooldownSeconds": 0},
        staticIPs={"allow": "Reserved", "perOrdinal": True},
        mac={"allowRequest": True},
        enforcement={"pods": "Deny"},
    )
    assert effective_spec(stored) == plane_object()["spec"]


def test_labels_and_annotations_of_people_are_carried_and_those_of_kubectl_are_not() -> None:
    obj = plane_object()
    note = {"note": "call ops", "kubectl.kubernetes.io/last-applied-configuration": "{}"}
    obj["metadata"] |= {"uid": "1", "labels": {"team": "a"}, "annotations": note}
    (back,) = imported([obj], {}).objects()
    assert back["metadata"] == {
        "name": "business",
        "labels": {"team": "a"},
        "annotations": {"note": "call ops"},
    }


def test_a_plane_with_faults_is_exported_as_it_is() -> None:
    obj = plane_object(subnets=[{"cidr": "10.9.0.0/24", "gateway": "10.8.0.1"}])
    words = write_plan([obj], {})["networks"]["business"]
    assert words["gateway"] == "10.8.0.1"
    assert imported([obj], {}).faults


def test_a_field_that_no_plane_has_stays_to_be_found() -> None:
    obj = plane_object(colour="red")
    assert effective_spec(obj)["colour"] == "red"
    assert [fault.path for fault in imported([obj], {}).faults] == ["networks.business.spec.colour"]
