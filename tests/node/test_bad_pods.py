"""Pods that admission never saw and policy forbids: the node refuses each, and nothing is left."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest

from planes.model.names import NETWORKS_ANNOTATION, STATIC_IPS_ANNOTATION
from tests.support.netns import Namespace
from tests.support.node import LiveNode, addresses_in, eventually

pytestmark = pytest.mark.kernel


@dataclass(frozen=True, slots=True)
class Case:
    """An annotation, and what its refusal must name and advise."""

    annotations: Mapping[str, str]
    named: str
    remedy: str

    def __str__(self) -> str:
        return self.named


def _networks(text: str, named: str, remedy: str) -> Case:
    return Case({NETWORKS_ANNOTATION: text}, named, remedy)


def _business(keys: Mapping[str, object], named: str, remedy: str) -> Case:
    element = {"name": "business", "namespace": "netplane-system", **keys}
    return _networks(json.dumps([element]), named, remedy)


CASES = {
    "JSON cut off": _networks('[{"name": "hunter2"', "line 1, column 20", "write a JSON list"),
    "JSON of another type": _networks(
        '[{"name": 5}]', "[0].name: cannot read it: it must be a string", ""
    ),
    "an object for a list": _networks('{"name": "lab"}', "it must be a list", "put it in [ ]"),
    "comma syntax garbled": _networks("lab,a//b@@c", '[1]: cannot read "a//b@@c"', "[namespace/]"),
    "unknown NAD": _networks("labb", "cannot find a NAD labb in namespace shop", "shop/lab"),
    "wrong namespace": _networks(
        "plain/lab", "cannot find a NAD lab in namespace plain", "exists as shop/lab"
    ),
    "outside the plane": _business(
        {"ips": ["10.1.1.1"]}, "10.1.1.1: it is outside plane business", "192.168.0.0/16"
    ),
    "network address": _business(
        {"ips": ["192.168.0.0"]}, "192.168.0.0: it is the network address", "192.168.100.0"
    ),
    "broadcast address": _business(
        {"ips": ["192.168.255.255"]}, "192.168.255.255: it is the broadcast address", "ask for"
    ),
    "gateway address": _business(
        {"ips": ["192.168.0.1"]}, "192.168.0.1: it is the gateway", "ask for"
    ),
    "wrong prefix length": _business(
        {"ips": ["192.168.100.10/24"]}, "prefix length /24", "write 192.168.100.10/16"
    ),
    "no address": _business({"ips": ["192.168.100.300"]}, '"192.168.100.300"', "write an address"),
    "static outside the plane": Case(
        {STATIC_IPS_ANNOTATION: '{"business": ["10.1.1.1"]}'}, "10.1.1.1", "ask for one of"
    ),
    "static garbled": Case(
        {STATIC_IPS_ANNOTATION: '{"business": "hunter2'}, "static-ips]: cannot read", "write {"
    ),
    "static of an unknown plane": Case(
        {STATIC_IPS_ANNOTATION: '{"nope": ["10.1.1.1"]}'}, "static-ips].nope", "name a plane"
    ),
    "interface name too long": _business(
        {"interface": "much-too-long-name"}, '"much-too-long-name"', "at most 15 bytes"
    ),
    "interface name too long, comma": _networks(
        "lab@much-too-long-name", '"much-too-long-name"', "at most 15 bytes"
    ),
    "interface name with a slash": _business({"interface": "a/b"}, '"a/b"', "without /"),
    "interface eth0": _business({"interface": "eth0"}, "eth0", "a name of its own"),
    "interface named twice": _networks("lab@x0,lab@x0", "[1].interface", "a name of its own"),
    "no hardware address": _business({"mac": "zz"}, '"zz"', "write it like"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_pod_that_policy_forbids_is_refused_with_field_and_remedy(
    node: LiveNode, sandbox: Namespace, name: str
) -> None:
    case = CASES[name]
    pod = f"bad{list(CASES).index(name)}"
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
            event["reason"] == "PlaneDenied" and "nowhere" in event["message"]
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
    assert "another address" in error["details"]
    assert addresses_in(second) == {}
    assert node.call("DEL", "c1", first, pod="holder").status == 0


def test_an_interface_name_that_is_taken_is_refused(node: LiveNode, sandbox: Namespace) -> None:
    sandbox.ip("link", "add", "san0", "type", "veth", "peer", "name", "peer")
    node.put_pod("late")
    error = node.call("ADD", "c1", sandbox, pod="late").error
    assert error["code"] == 111
    assert '"san0"' in error["msg"]
    assert addresses_in(sandbox) == {"san0": [], "peer": []}


def test_a_pod_created_anew_is_not_attached_to_the_old_ones_sandbox(
    node: LiveNode, sandbox: Namespace
) -> None:
    node.put_pod("anew")
    args = "K8S_POD_NAMESPACE=shop;K8S_POD_NAME=anew;K8S_POD_UID=another"
    error = node.call("ADD", "c1", sandbox, CNI_ARGS=args).error
    assert error["code"] == 11
    assert "uid-anew" in error["msg"]
