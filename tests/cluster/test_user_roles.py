"""Who may see, write and join planes, on a real API server with nothing but the roles we ship."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from planes.model.errors import JsonObject
from tests.cluster.apiserver import ApiServer
from tests.cluster.policed import namespace_object, policed_server
from tests.cluster.rest import MANIFESTS, NAMESPACES, PLANES, Reply, Rest, wait_for
from tests.support.plane_corpus import corpus_plane

MARK = "netplane.io/joined"
BUSINESS = "plane.netplane.io/business"
STORAGE = "plane.netplane.io/storage"

TEAM: dict[str, Any] = {"user": "tom", "groups": ("shop",)}
"""May join business, by the example's role."""
LABELLER: dict[str, Any] = {"user": "lee"}
"""May write namespaces, and no more."""
VIEWER: dict[str, Any] = {"user": "vera"}
"""Has planes-viewer."""
PLANNER: dict[str, Any] = {"user": "pat"}
"""Has planes-admin, and may write namespaces."""


def binding(role: str, *users: str) -> JsonObject:
    group = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{group}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": f"test-{role}"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": group, "kind": "User", "name": user} for user in users],
    }


LABELLING: JsonObject = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRole",
    "metadata": {"name": "labelling"},
    "rules": [
        {
            "apiGroups": [""],
            "resources": ["namespaces", "namespaces/status", "namespaces/finalize"],
            "verbs": ["get", "create", "update", "patch"],
        }
    ],
}


@pytest.fixture(scope="module")
def rest() -> Iterator[Rest]:
    with policed_server() as server:
        _grant(server)
        rest = Rest(server)
        probe = corpus_plane({}, "probe")
        wait_for(lambda: rest.try_out(PLANES, probe, **PLANNER), lambda reply: reply.is_success)
        wait_for(lambda: join(rest, "probe", {BUSINESS: "enabled"}, **TEAM), lambda r: r.is_success)
        yield rest
        rest.close()


def _grant(server: ApiServer) -> None:
    server.kubectl("apply", "--server-side", "-f", str(MANIFESTS / "examples/join-role.yaml"))
    server.apply(
        LABELLING,
        binding("labelling", "tom", "lee", "pat"),
        binding("planes-viewer", "vera"),
        binding("planes-admin", "pat"),
    )


def join(rest: Rest, name: str, labels: dict[str, str], **who: Any) -> Reply:
    """Ask whether a namespace with labels could be created."""
    obj = namespace_object(name)
    obj["metadata"]["labels"] = {MARK: "true", **labels}
    return rest.try_out(NAMESPACES, obj, **who)


@pytest.fixture
def namespace(rest: Rest) -> Iterator[str]:
    """The path of a namespace that requires business and has joined storage."""
    name = "labels"
    obj = namespace_object(name, {"business": "required", "storage": "enabled"})
    path = f"{NAMESPACES}/{name}"
    rest.create(NAMESPACES, obj)
    yield path
    rest.merge(path, {"metadata": {"labels": {BUSINESS: "required", STORAGE: "enabled"}}})


def relabel(rest: Rest, path: str, labels: Mapping[str, str | None], **who: Any) -> Reply:
    """Ask whether labels of a namespace could be changed."""
    return rest.merge(f"{path}?dryRun=All", {"metadata": {"labels": labels}}, **who)


def test_who_has_the_verb_may_create_a_namespace_in_the_plane(rest: Rest) -> None:
    assert join(rest, "new", {BUSINESS: "enabled"}, **TEAM).message == ""


@pytest.mark.parametrize("value", ["enabled", "required", "whatever"])
def test_who_has_it_not_may_not_whatever_the_value(rest: Rest, value: str) -> None:
    reply = join(rest, "new", {BUSINESS: value}, **LABELLER)
    assert reply.status == 403
    assert "user lee may not put namespaces into or out of plane business" in reply.message
    assert "verb join on planes.netplane.io, resourceNames business" in reply.message


def test_of_several_planes_each_needs_it(rest: Rest) -> None:
    message = join(rest, "new", {BUSINESS: "enabled", STORAGE: "enabled"}, **TEAM).message
    assert re.search("all of the planes (business, storage|storage, business):", message), message


def test_a_plane_that_does_not_exist_yet_needs_it(rest: Rest) -> None:
    message = join(rest, "new", {"plane.netplane.io/later": "enabled"}, **TEAM).message
    assert "plane later" in message


def test_a_namespace_without_planes_needs_no_consent(rest: Rest) -> None:
    assert join(rest, "new", {"team": "web", "x.plane.netplane.io/a": "b"}, **LABELLER).is_success


@pytest.mark.parametrize("subresource", ["", "/status"])
def test_a_label_cannot_be_set_by_any_request(rest: Rest, namespace: str, subresource: str) -> None:
    patch = {"plane.netplane.io/by-hand": "enabled"}
    reply = relabel(rest, namespace + subresource, patch, **LABELLER)
    assert "plane by-hand" in reply.message


def test_a_label_cannot_be_set_through_finalize(rest: Rest, namespace: str) -> None:
    obj = dict(rest.ask("GET", namespace).body)
    obj["metadata"]["labels"]["plane.netplane.io/by-hand"] = "enabled"
    reply = rest.ask("PUT", f"{namespace}/finalize?dryRun=All", obj, **LABELLER)
    assert "plane by-hand" in reply.message


def test_a_changed_value_needs_consent(rest: Rest, namespace: str) -> None:
    assert "plane business" in relabel(rest, namespace, {BUSINESS: "enabled"}, **LABELLER).message
    assert relabel(rest, namespace, {BUSINESS: "enabled"}, **TEAM).is_success


def test_a_required_plane_is_not_left_without_consent(rest: Rest, namespace: str) -> None:
    assert "plane business" in relabel(rest, namespace, {BUSINESS: None}, **LABELLER).message
    assert relabel(rest, namespace, {BUSINESS: None}, **TEAM).is_success


def test_a_plane_that_was_joined_freely_is_left_freely(rest: Rest, namespace: str) -> None:
    assert relabel(rest, namespace, {STORAGE: None}, **LABELLER).is_success


def test_other_labels_of_a_joined_namespace_change_freely(rest: Rest, namespace: str) -> None:
    assert relabel(rest, namespace, {"team": "web", BUSINESS: "required"}, **LABELLER).is_success


def test_the_mark_may_be_set_by_anybody(rest: Rest) -> None:
    """The webhook sets it within the request of whoever labels the namespace."""
    assert relabel(rest, f"{NAMESPACES}/outside", {MARK: "true"}, **LABELLER).is_success


def test_a_cluster_admin_may_join_everything(rest: Rest) -> None:
    assert join(rest, "new", {BUSINESS: "required", STORAGE: "enabled"}).is_success


def test_planes_admin_writes_planes_and_joins_them(rest: Rest) -> None:
    path = f"{PLANES}/made"
    assert rest.create(PLANES, corpus_plane({}, "made"), **PLANNER).is_success
    assert rest.merge(path, {"spec": {"mtu": 1400}}, **PLANNER).is_success
    assert rest.ask("GET", path, **PLANNER).is_success
    assert join(rest, "new", {STORAGE: "enabled", BUSINESS: "enabled"}, **PLANNER).is_success
    assert rest.ask("DELETE", path, **PLANNER).is_success


def test_planes_admin_does_not_write_what_the_controller_counts(rest: Rest) -> None:
    patch = {"status": {"inUse": 0}}
    assert rest.merge(f"{PLANES}/business/status", patch, **PLANNER).status == 403


def test_planes_admin_sees_blocks_and_leaves_them_to_the_nodes(rest: Rest) -> None:
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
    for verb, is_allowed in (("list", True), ("create", False), ("delete", False)):
        attributes = {"group": "netplane.io", "resource": "ipblocks", "verb": verb}
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        answer = rest.create(
            path, {**review, "spec": {"resourceAttributes": attributes}}, **PLANNER
        )
        assert answer.body["status"]["allowed"] is is_allowed, verb


def test_planes_viewer_reads_and_does_no_more(rest: Rest) -> None:
    assert rest.ask("GET", PLANES, **VIEWER).is_success
    assert rest.ask("GET", f"{PLANES}/business", **VIEWER).is_success
    assert rest.try_out(PLANES, corpus_plane({}, "new"), **VIEWER).status == 403
    assert rest.merge(f"{PLANES}/business", {"spec": {"mtu": 1400}}, **VIEWER).status == 403
    assert rest.ask("DELETE", f"{PLANES}/business", **VIEWER).status == 403


def test_who_may_join_one_plane_sees_that_one_alone(rest: Rest) -> None:
    assert rest.ask("GET", f"{PLANES}/business", **TEAM).is_success
    assert rest.ask("GET", f"{PLANES}/by-hand", **TEAM).status == 403
    assert rest.ask("GET", PLANES, **TEAM).status == 403
