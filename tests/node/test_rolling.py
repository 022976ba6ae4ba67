"""Two pods with one address on a NAD that is no plane's: both run, as under Multus."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from planes.model.names import NETWORKS_ANNOTATION
from tests.node.manifests import nad_object
from tests.support.node.netns import Namespace
from tests.support.node.node import NAMESPACE, LiveNode, addresses_in, eventually

pytestmark = pytest.mark.kernel

OWN = {
    "cniVersion": "1.0.0",
    "name": "own",
    "type": "bridge",
    "bridge": "cni1",
    "capabilities": {"ips": True},
    "ipam": {"type": "static"},
}


def warnings_of(node: LiveNode, pod: str) -> list[str]:
    return [
        event["message"]
        for event in node.events()
        if event["involvedObject"]["name"] == pod and event["reason"] == "NetworkWarning"
    ]


def test_the_next_pod_with_the_address_starts_and_its_event_names_the_other(
    own_node: LiveNode, sandboxes: Callable[[int], list[Namespace]]
) -> None:
    node = own_node
    first, next_one = sandboxes(2)
    node.put(nad_object("own", NAMESPACE, OWN))
    asked = [{"name": "own", "interface": "own0", "ips": ["10.0.0.9/24"]}]
    pods = {"one": first, "two": next_one}  # of two that only ask, the lower name goes first
    for pod in pods:
        node.put_pod(pod, {NETWORKS_ANNOTATION: json.dumps(asked)})
    node.start()
    for pod, sandbox in pods.items():
        assert node.call("ADD", f"c-{pod}", sandbox, pod=pod).status == 0
        assert addresses_in(sandbox)["own0"] == ["10.0.0.9/24"]
    eventually(lambda: any("shop/one" in text for text in warnings_of(node, "two")))
    assert warnings_of(node, "one") == []
    for pod, sandbox in pods.items():
        assert node.call("DEL", f"c-{pod}", sandbox, pod=pod).status == 0


def test_a_misspelt_annotation_is_an_event_of_the_pod(node: LiveNode, sandbox: Namespace) -> None:
    node.put_pod("typo", {"k8s.v1.cni.cncf.io/network": "lab"})
    assert node.call("ADD", "c1", sandbox, pod="typo").status == 0
    near = f"did you mean {NETWORKS_ANNOTATION}?"
    eventually(lambda: any(near in text for text in warnings_of(node, "typo")))
    assert node.call("DEL", "c1", sandbox, pod="typo").status == 0
