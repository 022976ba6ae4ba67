"""Somebody who has taken a node writes events: with the daemon's token, or with the webhook's."""

from __future__ import annotations

from typing import Any

import pytest

from planes.model.errors import JsonObject
from planes.model.events import Event, about_node, to_object
from tests.attacks.apiserver.shipped import Shipped, by_policy

NOW = "2026-11-21T08:23:36Z"
EVENTS = "/api/v1/namespaces/default/events"


def pod_event(name: str, host: str = "n1") -> JsonObject:
    """Return an event as the daemon of a node writes it."""
    event = Event("AddedInterface", "Add net1 [10.9.0.1/24]", "Normal", "default", "web", "u")
    return to_object(event, name=name, now_rfc3339=NOW, host=host)


def plane_event(name: str) -> JsonObject:
    """Return an event as the webhook's controller writes it."""
    plane = {"apiVersion": "netplane.io/v1alpha1", "kind": "Plane", "name": "business", "uid": "u"}
    return {
        **pod_event(name, ""),
        "involvedObject": plane,
        "source": {"component": "netplane"},
        "reportingInstance": "",
    }


FORGED: dict[str, dict[str, Any]] = {
    "of another node": {"source": {"component": "netplane", "host": "n2"}},
    "of the kubelet": {"source": {"component": "kubelet", "host": "n1"}},
    "reported by another": {"reportingComponent": "kubelet"},
    "reported from elsewhere": {"reportingInstance": "n2"},
    "about another node": {"involvedObject": {"kind": "Node", "name": "n2"}},
}


def test_node_daemon_tells_of_pods_and_counts_it(shipped: Shipped) -> None:
    """The control: what the daemon does goes on working."""
    assert (made := shipped.n1.create(EVENTS, pod_event("own"))).is_success, made.message
    reply = shipped.n1.merge(f"{EVENTS}/own", {"count": 2, "lastTimestamp": NOW})
    assert reply.is_success, reply.message


def test_node_daemon_tells_of_its_own_node(shipped: Shipped) -> None:
    """What becomes of Multus' settings after a takeover: `kubectl describe node` shows it."""
    event = about_node("n1", "MultusSettings", "followed: delegates", warns=False)
    obj = to_object(event, name="node", now_rfc3339=NOW, host="n1")
    assert (made := shipped.n1.create(EVENTS, obj)).is_success, made.message
    other = about_node("n2", "MultusSettings", "forged", warns=True)
    forged = to_object(other, name="other-node", now_rfc3339=NOW, host="n1")
    assert by_policy(shipped.n1.create(EVENTS, forged))


@pytest.mark.parametrize("change", FORGED.values(), ids=FORGED)
def test_node_daemon_speaks_in_no_other_name(shipped: Shipped, change: dict[str, Any]) -> None:
    assert by_policy(shipped.n1.create(EVENTS, {**pod_event("forged"), **change}))


@pytest.mark.parametrize("key", ["labels", "annotations", "finalizers", "ownerReferences"])
def test_node_daemon_gives_events_no_further_metadata(shipped: Shipped, key: str) -> None:
    owner = {"apiVersion": "v1", "kind": "Node", "name": "n2", "uid": "u"}
    more: Any = {"finalizers": ["a.b/c"], "ownerReferences": [owner]}.get(key, {"a": "b"})
    obj = pod_event("more")
    assert by_policy(shipped.n1.create(EVENTS, {**obj, "metadata": {**obj["metadata"], key: more}}))


def test_node_daemon_rewrites_no_event_of_others(shipped: Shipped) -> None:
    """Whatever a component had said of any object could be rewritten, before."""
    for name, obj in (
        ("of-n2", pod_event("of-n2", "n2")),
        ("of-kubelet", {**pod_event("of-kubelet"), "source": {"component": "kubelet"}}),
    ):
        assert shipped.admin.create(EVENTS, obj).is_success
        own = {"message": "forged", **{key: pod_event(name)[key] for key in ("source",)}}
        assert by_policy(shipped.n1.merge(f"{EVENTS}/{name}", own))
        assert by_policy(shipped.n1.merge(f"{EVENTS}/{name}", {"message": "forged"}))
        assert shipped.read(f"{EVENTS}/{name}")["message"] == obj["message"]


def test_node_token_that_is_bound_to_no_pod_tells_of_nothing(shipped: Shipped) -> None:
    assert by_policy(shipped.unbound.create(EVENTS, pod_event("unbound", "")))


def test_node_webhook_token_tells_of_planes_alone(shipped: Shipped) -> None:
    made = shipped.webhook.create(EVENTS, plane_event("plane"))
    assert made.is_success, made.message
    assert by_policy(shipped.webhook.create(EVENTS, pod_event("pod")))
    kubelets = {**plane_event("kubelets"), "source": {"component": "kubelet"}}
    assert by_policy(shipped.webhook.create(EVENTS, kubelets))
