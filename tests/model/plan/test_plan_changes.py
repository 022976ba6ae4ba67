"""What applying a plan changes."""

from __future__ import annotations

from typing import Any

from planes.model.plan.changes import PlannedObject, namespace_changes, plane_changes
from tests.support.planes import plane_object
from tests.support.plans import network, plan_of


def changes(words: dict[str, Any], *planes: dict[str, Any]) -> list[PlannedObject]:
    known = {str(obj["metadata"]["name"]): obj for obj in planes}
    return list(plane_changes(plan_of(business=words).networks, known))


def told(found: list[PlannedObject]) -> list[tuple[str, str, Any, Any]]:
    return [(f.sign, f.path, f.old, f.new) for change in found for f in change.fields]


def test_a_plane_as_planned_does_not_change() -> None:
    assert changes(network(), plane_object()) == []


def test_what_an_api_server_fills_in_is_no_difference() -> None:
    stored = plane_object(attachment="Always", staticIPs={"allow": "Reserved"})
    assert changes(network(), stored) == []


def test_another_value_a_new_field_and_one_that_goes_are_told() -> None:
    known = plane_object(order=3, subnets=[{"cidr": "10.9.0.0/24", "gateway": "10.9.0.9"}])
    assert set(told(changes(network(mtu=1400), known))) == {
        ("-", "spec.order", 3, None),
        ("+", "spec.network.mtu", None, 1400),
        ("~", "spec.subnets[0].gateway", "10.9.0.9", "10.9.0.1"),
    }


def test_a_plane_that_is_not_there_is_new_with_all_its_fields() -> None:
    (found,) = changes(network())
    assert found.is_new
    assert ("+", "spec.network.type", None, "macvlan") in told([found])


def test_a_subnet_more_is_told_field_by_field() -> None:
    words = {key: value for key, value in network().items() if key not in {"cidr", "gateway"}}
    words["subnets"] = [*plane_object()["spec"]["subnets"], {"cidr": "10.8.0.0/24"}]
    found = told(changes(words, plane_object()))
    assert found == [("+", "spec.subnets[1].cidr", None, "10.8.0.0/24")]


def test_a_label_of_the_plane_is_told_and_one_of_others_is_not() -> None:
    known = plane_object()
    known["metadata"]["labels"] = {"team": "a", "theirs": "x"}
    found = told(changes(network(metadata={"labels": {"team": "b"}}), known))
    assert found == [("~", "metadata.labels[team]", "a", "b")]


KEY = "plane.netplane.io/business"


def test_labels_of_namespaces_are_compared() -> None:
    plan = plan_of(business=network(namespaces={"a": "enabled", "b": "required", "c": "enabled"}))
    there = {"a": {KEY: "enabled"}, "b": {KEY: "enabled"}, "d": {KEY: "enabled"}}
    found = list(namespace_changes(plan.networks, there))
    path = f"metadata.labels[{KEY}]"
    assert [(change.name, change.is_new) for change in found] == [
        ("b", False),
        ("c", True),
        ("d", False),
    ]
    assert told(found) == [
        ("~", path, "enabled", "required"),
        ("+", path, None, "enabled"),
        ("-", path, "enabled", None),
    ]


def test_a_network_that_names_no_namespaces_changes_none() -> None:
    found = namespace_changes(plan_of(business=network()).networks, {"a": {KEY: "enabled"}})
    assert list(found) == []
