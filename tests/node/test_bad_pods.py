"""Pods that admission never saw and policy forbids: the node refuses each, nothing is left."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from planes.model.names import NETWORKS_ANNOTATION, STATIC_IPS_ANNOTATION
from tests.node.refused import REFUSED
from tests.support.node.netns import Namespace
from tests.support.node.node import LiveNode, addresses_in, eventually

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize("name", REFUSED)
def test_a_pod_that_policy_forbids_is_refused_with_field_and_remedy(
    node: LiveNode, sandbox: Namespace, name: str
) -> None:
    case = REFUSED[name]
    pod = f"bad{list(REFUSED).index(name)}"
    node.put_pod(pod, case.annotations)
    error = node.call("ADD", "c1", sandbox, pod=pod).error
    assert error["code"] == 7
    assert error["msg"].startswith(f"cannot attach pod shop/{pod}: metadata.annotations[")
    assert case.named in error["msg"]
    assert case.remedy in error.get("details", "")
    assert "hunter2" not in json.dumps(error)
    assert addresses_in(sandbox) == {}
    assert node.remains() == []


def test_a_refusal_leaves_an_event_that_says_why(node: LiveNode, sandbox: Namespace) -> None:
    node.put_pod("denied", {NETWORKS_ANNOTATION: "nowhere"})
    node.call("ADD", "c1", sandbox, pod="denied")

    def told() -> bool:
        return any(
            event["reason"] == "NetworkDenied" and "nowhere" in event["message"]
            for event in node.events()
            if event["involvedObject"]["name"] == "denied"
        )

    eventually(told)


def test_an_address_that_a_pod_holds_is_refused_with_its_holder(
    node: LiveNode, sandboxes: Callable[[int], list[Namespace]]
) -> None:
    first, second = sandboxes(2)
    static = {STATIC_IPS_ANNOTATION: '{"business": ["192.168.100.7"]}'}
    node.put_pod("holder", static)
    node.put_pod("latecomer", static)
    node.call("ADD", "c1", first, pod="holder")
    assert addresses_in(first)["net1"] == ["192.168.100.7/16"]
    error = node.call("ADD", "c2", second, pod="latecomer").error
    assert error["code"] == 111
    assert "192.168.100.7" in error["msg"]
    assert "shop/holder" in error["msg"]
    assert error["details"]
    assert addresses_in(second) == {}
    assert node.call("DEL", "c1", first, pod="holder").status == 0


def test_an_interface_name_that_is_taken_is_refused(node: LiveNode, sandbox: Namespace) -> None:
    sandbox.ip("link", "add", "san0", "type", "veth", "peer", "name", "peer")
    node.put_pod("late")
    error = node.call("ADD", "c1", sandbox, pod="late").error
    assert error["code"] == 111
    assert error["msg"].startswith("cannot attach san0 to plane storage ")
    assert "the sandbox has one of that name" in error["msg"]
    assert addresses_in(sandbox) == {"san0": [], "peer": []}


def test_a_pod_created_anew_is_not_attached_to_the_old_ones_sandbox(
    node: LiveNode, sandbox: Namespace
) -> None:
    node.put_pod("anew")
    args = "K8S_POD_NAMESPACE=shop;K8S_POD_NAME=anew;K8S_POD_UID=another"
    error = node.call("ADD", "c1", sandbox, CNI_ARGS=args).error
    assert error["code"] == 11
    assert "uid-anew" in error["msg"]
