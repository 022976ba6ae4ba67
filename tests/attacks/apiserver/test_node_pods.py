"""Somebody who has taken a node, with its daemon's token, writes to pods."""

from __future__ import annotations

from typing import Any

import pytest

from planes.model.errors import JsonObject
from tests.attacks.apiserver.shipped import STATUS, Shipped, by_policy
from tests.cluster.rest import pods

SPOILT: dict[str, JsonObject] = {
    "podIP": {"status": {"podIP": "10.244.9.9", "podIPs": [{"ip": "10.244.9.9"}]}},
    "phase": {"status": {"phase": "Failed"}},
    "conditions": {"status": {"conditions": [{"type": "Ready", "status": "True"}]}},
    "no status": {"status": None},
    "labels": {"metadata": {"labels": {"app": "database"}}},
    "no labels": {"metadata": {"labels": None}},
    "another annotation": {"metadata": {"annotations": {"netplane.io/static-ips": "{}"}}},
    "finalizers": {"metadata": {"finalizers": ["example.com/stay"]}},
    "status and more": {
        "metadata": {"annotations": {STATUS: "[]"}},
        "status": {"podIP": "10.244.9.9", "podIPs": [{"ip": "10.244.9.9"}]},
    },
}


def status_path(name: str) -> str:
    return f"{pods('default')}/{name}/status"


@pytest.fixture(scope="module")
def ours(shipped: Shipped) -> str:
    return str(shipped.pod("ours", "n1")["metadata"]["name"])


@pytest.fixture(scope="module")
def theirs(shipped: Shipped) -> str:
    return str(shipped.pod("theirs", "n2")["metadata"]["name"])


def test_node_daemon_writes_the_network_status_of_its_own_pods(shipped: Shipped, ours: str) -> None:
    """The control: what the daemon is for goes on working, also the second time and away again."""
    for text in ('[{"name":"a"}]', "[]", None):
        patch = {"metadata": {"annotations": {STATUS: text}}}
        reply = shipped.n1.merge(status_path(ours), patch)
        assert reply.is_success, reply.message
        annotations = reply.body["metadata"].get("annotations") or {}
        assert annotations.get(STATUS) == text


@pytest.mark.parametrize("patch", SPOILT.values(), ids=SPOILT)
def test_node_changes_nothing_else_of_its_own_pods(shipped: Shipped, ours: str, patch: Any) -> None:
    path = f"{pods('default')}/{ours}"
    before = shipped.read(path)
    assert by_policy(shipped.n1.merge(status_path(ours), patch))
    assert shipped.read(path) == before


@pytest.mark.parametrize(
    "patch",
    [*SPOILT.values(), {"metadata": {"annotations": {STATUS: "[]"}}}],
    ids=[*SPOILT, "network-status"],
)
def test_node_changes_nothing_of_pods_of_other_nodes(
    shipped: Shipped, theirs: str, patch: Any
) -> None:
    path = f"{pods('default')}/{theirs}"
    before = shipped.read(path)
    assert by_policy(shipped.n1.merge(status_path(theirs), patch))
    assert shipped.read(path) == before


def test_node_writes_nothing_of_a_pod_that_is_on_no_node_yet(shipped: Shipped) -> None:
    obj = {"metadata": {"name": "waits"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    assert shipped.admin.create(pods("default"), obj).is_success
    patch = {"metadata": {"annotations": {STATUS: "[]"}}}
    assert by_policy(shipped.n1.merge(status_path("waits"), patch))


def test_node_takes_no_pod_over_by_writing_where_it_runs(shipped: Shipped, theirs: str) -> None:
    """The server keeps the spec in a write of the status; the policy goes by what was there."""
    patch = {"metadata": {"annotations": {STATUS: "[]"}}, "spec": {"nodeName": "n1"}}
    assert by_policy(shipped.n1.merge(status_path(theirs), patch))


def test_node_changes_no_spec_through_the_status(shipped: Shipped, ours: str) -> None:
    """The policy need not compare it: the server itself keeps it in a write of the status."""
    before = shipped.read(f"{pods('default')}/{ours}")["spec"]
    spec = {"nodeName": "n2", "serviceAccountName": "x", "containers": []}
    shipped.n1.merge(status_path(ours), {"spec": spec})
    assert shipped.read(f"{pods('default')}/{ours}")["spec"] == before


def test_node_token_that_is_bound_to_no_pod_writes_nothing(shipped: Shipped, ours: str) -> None:
    patch = {"metadata": {"annotations": {STATUS: "[]"}}}
    reply = shipped.unbound.merge(status_path(ours), patch)
    assert by_policy(reply)
    assert "bound to no node" in reply.message


@pytest.mark.parametrize("subresource", ["", "/ephemeralcontainers", "/resize"])
def test_node_cannot_write_to_a_pod_in_any_other_way(
    shipped: Shipped, ours: str, subresource: str
) -> None:
    patch = {"metadata": {"annotations": {STATUS: "[]"}}}
    assert shipped.n1.merge(f"{pods('default')}/{ours}{subresource}", patch).status == 403


def test_node_deletes_no_pod(shipped: Shipped, ours: str) -> None:
    assert shipped.n1.ask("DELETE", f"{pods('default')}/{ours}").status == 403
