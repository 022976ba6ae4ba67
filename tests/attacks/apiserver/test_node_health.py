"""Somebody who has taken a node, or may write pods, says how planes do on other nodes."""

from __future__ import annotations

from typing import Any

import pytest

from planes.model.errors import JsonObject
from planes.model.names import PLANE_HEALTH_ANNOTATION
from planes.model.state.node_use import NodeUse
from planes.model.state.plane_health import MOST_CHARACTERS, Health, encode_report
from tests.attacks.apiserver.shipped import DAEMON, STATUS, SYSTEM, Shipped, by_policy, pod_object
from tests.cluster.rest import Reply, Rest, pods, wait_for

FAILS = {"business": Health(failures=9, failed_at=1_800_000_000, reason="cannot find eth2")}
OWN = encode_report("n1", FAILS)
OTHERS = encode_report("n2", FAILS)


def patch(text: str | None) -> JsonObject:
    return {"metadata": {"annotations": {PLANE_HEALTH_ANNOTATION: text}}}


def say(who: Rest, text: str | None, name: str = f"{DAEMON}-n1", space: str = SYSTEM) -> Reply:
    return who.merge(f"{pods(space)}/{name}/status", patch(text))


@pytest.fixture(scope="module", autouse=True)
def _in_force(shipped: Shipped) -> None:
    """A policy takes a moment to be obeyed after it was applied."""
    probe = f"{pods(SYSTEM)}/{DAEMON}-n1/status?dryRun=All"
    wait_for(lambda: shipped.n1.merge(probe, patch(OTHERS)), by_policy)
    wait_for(lambda: shipped.admin.merge(probe, patch(OWN)), by_policy)


def test_node_says_on_its_own_daemon_s_pod_how_planes_do_there(shipped: Shipped) -> None:
    """The control; it may change it and take it back."""
    counted = encode_report("n1", FAILS, {"business": NodeUse(3, 1)})
    for text in (OWN, counted, encode_report("n1", {}), None):
        reply = say(shipped.n1, text)
        assert reply.is_success, reply.message
        annotations = reply.body["metadata"].get("annotations") or {}
        assert annotations.get(PLANE_HEALTH_ANNOTATION) == text


@pytest.mark.parametrize(
    "text",
    [OTHERS, "x", '{"planes":{},"node":"n1"}', '{"node":"n1"}', OWN + " " * MOST_CHARACTERS],
    ids=["another node's", "no report", "another order", "a prefix of it", "too long"],
)
def test_node_speaks_in_its_own_name_and_within_bounds(shipped: Shipped, text: str) -> None:
    assert by_policy(say(shipped.n1, text))


def test_node_says_it_nowhere_else(shipped: Shipped) -> None:
    """Neither on another daemon's pod, nor on its node's pods of other namespaces."""
    shipped.pod("health-ours", "n1")
    shipped.pod("health-system", "n1", SYSTEM)
    for name, space in (
        (f"{DAEMON}-n2", SYSTEM),
        ("health-ours", "default"),
        ("health-system", SYSTEM),
    ):
        for text in (OWN, OTHERS):
            assert by_policy(say(shipped.n1, text, name, space))


def test_node_writes_nothing_else_of_its_daemon_s_pod(shipped: Shipped) -> None:
    spoilt: list[Any] = [
        {"labels": {"app.kubernetes.io/name": "other"}},
        {"annotations": {PLANE_HEALTH_ANNOTATION: OWN, "example.com/a": "b"}},
        {"annotations": {PLANE_HEALTH_ANNOTATION: OWN}, "finalizers": ["example.com/stay"]},
    ]
    for metadata in spoilt:
        path = f"{pods(SYSTEM)}/{DAEMON}-n1/status"
        assert by_policy(shipped.n1.merge(path, {"metadata": metadata}))
    reply = shipped.n1.merge(
        f"{pods(SYSTEM)}/{DAEMON}-n1/status", {"metadata": {"annotations": {STATUS: "[]"}}}
    )
    assert reply.is_success, reply.message


def test_nobody_else_says_it(shipped: Shipped) -> None:
    """A kubelet writes the status of its node's pods, and creates mirror pods anywhere."""
    for who in (shipped.admin, shipped.unbound, shipped.n2):
        assert by_policy(say(who, OWN))
    assert say(shipped.webhook, OWN).status == 403
    kubelet = Rest(shipped.server, "system:node:node1")
    try:
        obj = pod_object("health-mirror", SYSTEM, "node1")
        obj["metadata"]["annotations"] = {
            "kubernetes.io/config.mirror": "x",
            PLANE_HEALTH_ANNOTATION: OTHERS,
        }
        assert by_policy(kubelet.create(pods(SYSTEM), obj))
    finally:
        kubelet.close()
    obj = pod_object("health-made", SYSTEM, "n1", DAEMON)
    obj["metadata"]["annotations"] = {PLANE_HEALTH_ANNOTATION: OTHERS}
    assert by_policy(shipped.admin.create(pods(SYSTEM), obj))


@pytest.mark.parametrize("path", ["pods/health-bound/binding", "bindings"])
def test_who_may_bind_pods_says_nothing_of_nodes(shipped: Shipped, path: str) -> None:
    """A scheduler, one of a tenant's own too: annotations of a binding become the pod's."""
    obj = pod_object("health-bound", SYSTEM, "n1", DAEMON)
    del obj["spec"]["nodeName"]
    made = shipped.admin.create(pods(SYSTEM), obj)
    assert made.is_success or made.status == 409, made.message
    binding: JsonObject = {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": "health-bound", "annotations": {PLANE_HEALTH_ANNOTATION: OTHERS}},
        "target": {"kind": "Node", "name": "n1"},
    }
    where = f"{pods(SYSTEM).removesuffix('pods')}{path}?dryRun=All"
    wait_for(lambda: shipped.admin.create(where, binding), by_policy)
    del binding["metadata"]["annotations"]
    reply = shipped.admin.create(where, binding)
    assert reply.is_success, reply.message


def test_others_go_on_changing_a_pod_that_carries_a_report(shipped: Shipped) -> None:
    """Its kubelet writes its status, an administrator its labels, and may take the report off."""
    assert say(shipped.n1, OWN).is_success
    path = f"{pods(SYSTEM)}/{DAEMON}-n1"
    status = {"status": {"phase": "Running", "podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}]}}
    assert shipped.admin.merge(f"{path}/status", status).is_success
    assert shipped.admin.merge(path, {"metadata": {"labels": {"tier": "node"}}}).is_success
    assert shipped.read(path)["metadata"]["annotations"][PLANE_HEALTH_ANNOTATION] == OWN
    assert say(shipped.admin, None).is_success
