"""Devices that attachments need: requested once, in the first container; who lacks one, is told."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planes.model.decide.decision import Decision, decide
from planes.model.errors import JsonObject
from planes.model.names import DEFAULT_NETWORK_ANNOTATION, RESOURCE_NAME_ANNOTATION
from planes.model.objects import Nad, Pod
from planes.model.patch import apply, pod_patch, resource_patch
from tests.support.model import make_catalog, make_namespace, make_plane, pod_object

VF = "example.com/vf"
PATH = "/spec/containers/0/resources"
JOINED = make_namespace(fast="enabled")
FAST = make_plane("fast", network={"type": "macvlan", "master": "eth1", "resourceName": VF})
OWN = Nad(
    "shop",
    "own",
    '{"type":"ipvlan","master":"eth2"}',
    {RESOURCE_NAME_ANNOTATION: "example.com/other~vf"},
)
CATALOG = make_catalog(FAST, nads=[OWN])


def with_containers(*resources: Any, networks: str | None = None) -> JsonObject:
    containers = [
        {"name": f"c{number}"} if each is None else {"name": f"c{number}", "resources": each}
        for number, each in enumerate(resources)
    ]
    return {**pod_object(networks=networks), "spec": {"containers": containers}}


def decided(pod: JsonObject) -> Decision:
    return decide(Pod.from_object(pod), JOINED, CATALOG)


def test_each_attachment_needs_a_device_of_its_nad() -> None:
    decision = decided(pod_object(networks="own,own,netplane-system/fast"))
    assert decision.resources == {"example.com/other~vf": 2, VF: 1}


def test_a_network_in_place_of_the_default_one_needs_a_device_too() -> None:
    pod = pod_object(networks="own", annotations={DEFAULT_NETWORK_ANNOTATION: "shop/own"})
    assert decided(pod).resources["example.com/other~vf"] == 2


def test_nothing_is_added_to_a_pod_with_resource_claims_and_its_author_is_told() -> None:
    pod = pod_object(networks="own")
    pod["spec"]["resourceClaims"] = [{"name": "nic", "resourceClaimTemplateName": "nic"}]
    decision = decided(pod)
    assert not decision.resources
    (warning,) = [one for one in decision.warnings if one.path == "spec.resourceClaims"]
    assert '"example.com/other~vf"' in warning.message


def test_a_refused_pod_needs_none() -> None:
    assert not decided(pod_object(networks="own,none")).resources


@pytest.mark.parametrize(
    ("own", "patch"),
    [
        (None, [("add", PATH, {"requests": {VF: "2"}, "limits": {VF: "2"}})]),
        ({}, [("add", f"{PATH}/requests", {VF: "2"}), ("add", f"{PATH}/limits", {VF: "2"})]),
        (
            {"requests": {"cpu": "1"}, "limits": {VF: "1"}},
            [
                ("add", f"{PATH}/requests/example.com~1vf", "2"),
                ("replace", f"{PATH}/limits/example.com~1vf", "2"),
            ],
        ),
        ({"limits": {VF: 2}}, []),
        ({"requests": {VF: "3"}}, []),
        ({"requests": {VF: "1k"}}, []),
    ],
)
def test_requests_and_limits_are_set_where_they_are_too_low(own: Any, patch: Any) -> None:
    found = resource_patch(with_containers(own), {VF: 2})
    assert [(each["op"], each["path"], each["value"]) for each in found] == patch


def test_another_container_that_asks_for_enough_is_left_alone() -> None:
    assert resource_patch(with_containers(None, {"requests": {VF: "2"}}), {VF: 2}) == []


@pytest.mark.parametrize("spec", [{}, {"containers": []}, {"containers": "x"}, {"containers": [1]}])
def test_a_pod_without_containers_is_left_to_the_api_server(spec: JsonObject) -> None:
    assert resource_patch({"spec": spec}, {VF: 1}) == []


AMOUNTS = st.none() | st.sampled_from(
    [{}, {VF: "1"}, {VF: 7}, {VF: "x"}, {"cpu": "1"}, {"example.com/other~vf": "1"}]
)
RESOURCES = st.none() | st.fixed_dictionaries({}, optional={"requests": AMOUNTS, "limits": AMOUNTS})


@given(
    resources=st.lists(RESOURCES, max_size=3),
    networks=st.sampled_from([None, "own", "own,own", "netplane-system/fast@a,own"]),
)
def test_applying_the_patch_and_deciding_again_gives_no_patch(
    resources: list[Any], networks: str | None
) -> None:
    pod = with_containers(*resources, networks=networks)
    decision = decided(pod)
    after = apply(pod_patch(pod, decision.annotations, decision.resources), pod)
    again = decided(after)
    assert pod_patch(after, again.annotations, again.resources) == []
    assert [each["name"] for each in after["spec"]["containers"]] == [
        each["name"] for each in pod["spec"]["containers"]
    ]
