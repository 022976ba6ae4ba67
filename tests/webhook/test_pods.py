"""Reviews of pods: which operations and users are judged, and what is never refused."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

import orjson
import pytest

from planes.model.errors import JsonObject
from planes.model.names import (
    INJECTED_ANNOTATION,
    NETPLANE_NAMESPACE,
    NETWORKS_ANNOTATION,
    STATIC_IPS_ANNOTATION,
    STATUS_ANNOTATION,
)
from planes.model.objects import CONFIG_MIRROR_ANNOTATION, Namespace
from tests.support.planes import make_plane
from tests.support.shop_store import shop_store
from tests.support.store import FakeStore
from tests.support.webhook.admission import pod_object, review_object
from webhook.mutate import mutate
from webhook.review import Allowed, Answer, Errored, Patched, Rejected, encode, parse
from webhook.validate import validate

BROKEN = {NETWORKS_ANNOTATION: "nonsense,,"}
KUBELET = {"username": "system:node:node-1", "groups": ["system:nodes", "system:authenticated"]}
DAEMON = {
    "username": "system:serviceaccount:netplane-system:netplane-cni",
    "extra": {"authentication.kubernetes.io/node-name": ["node-1"]},
}


def answers(
    obj: JsonObject | None, store: FakeStore | None = None, **request: Any
) -> tuple[Answer, Answer]:
    review = parse(orjson.dumps(review_object(obj, **request)))
    where = store or shop_store()
    return mutate(review, where), validate(review, where)


def running(annotations: dict[str, str] | None = None, node: str = "node-1") -> JsonObject:
    obj = pod_object(annotations=annotations)
    obj["spec"]["nodeName"] = node
    return obj


def test_a_pod_of_a_joined_namespace_gets_its_planes() -> None:
    patched, _ = answers(pod_object())
    assert isinstance(patched, Patched)
    (operation,) = patched.patch
    assert operation["path"] == "/metadata/annotations"
    names = [each["name"] for each in orjson.loads(operation["value"][NETWORKS_ANNOTATION])]
    assert names == ["business", "storage"]


def test_a_pod_elsewhere_is_left_alone() -> None:
    mutated, validated = answers(pod_object(namespace="plain"))
    assert mutated == Allowed(audit={"decision": "nothing to add"})
    assert validated == Allowed([], {"decision": "allowed"})


def test_the_namespace_of_the_request_stands_in_for_a_missing_one() -> None:
    obj = pod_object()
    del obj["metadata"]["namespace"]
    patched, _ = answers(obj, namespace="shop")
    assert isinstance(patched, Patched)


def test_a_pod_without_a_name_yet_is_judged_by_its_prefix() -> None:
    obj = pod_object(annotations=BROKEN)
    obj["metadata"].pop("name")
    obj["metadata"]["generateName"] = "web-"
    _, denied = answers(obj, name="")
    review = parse(orjson.dumps(review_object(obj, name="")))
    status = orjson.loads(encode(review, denied))["response"]["status"]
    assert status["details"]["name"] == "web-*"


def test_mutate_leaves_a_faulty_pod_to_validation() -> None:
    mutated, validated = answers(pod_object(annotations=BROKEN))
    assert mutated == Allowed(
        audit={"decision": "left to validation", "planes": "business,storage"}
    )
    assert isinstance(validated, Rejected)


def test_a_warning_is_given_once_by_validation() -> None:
    """The hooks run one after the other and kubectl shows what both say."""
    networks = '[{"name":"shop-net","odd":1}]'
    mutated, validated = answers(pod_object(annotations={NETWORKS_ANNOTATION: networks}))
    assert isinstance(mutated, Patched)
    assert not mutated.warnings
    assert isinstance(validated, Allowed)
    assert any("nobody knows this field" in warning for warning in validated.warnings)


def test_a_pod_that_asks_for_too_few_devices_is_warned_about() -> None:
    store = FakeStore(
        planes=[
            make_plane(
                "fast",
                network={"type": "macvlan", "master": "eth1", "resourceName": "example.com/vf"},
            )
        ],
        namespaces=[Namespace("shop", {"plane.netplane.io/fast": "enabled"})],
    )
    mutated, validated = answers(pod_object(), store)
    assert isinstance(mutated, Patched)
    assert mutated.patch[-1] == {
        "op": "add",
        "path": "/spec/containers/0/resources",
        "value": {"requests": {"example.com/vf": "1"}, "limits": {"example.com/vf": "1"}},
    }
    assert isinstance(validated, Allowed)
    assert "request 1 of example.com/vf" in validated.warnings[-1]


def test_a_dry_run_is_answered_like_any_other() -> None:
    assert answers(pod_object(), dryRun=True) == answers(pod_object(), dryRun=False)


def test_the_same_review_gives_the_same_bytes() -> None:
    review = parse(orjson.dumps(review_object(pod_object())))
    store = shop_store()
    assert encode(review, mutate(review, store)) == encode(review, mutate(review, store))


@pytest.mark.parametrize("namespace", ["kube-system", NETPLANE_NAMESPACE])
def test_namespaces_a_cluster_needs_to_come_up_are_exempt(namespace: str) -> None:
    """Even without a store: our own pods and the cluster's must never wait for us."""
    store = FakeStore(is_synced=False)
    for answer in answers(pod_object(namespace=namespace, annotations=BROKEN), store):
        assert isinstance(answer, Allowed)


def test_a_pod_on_the_host_network_never_waits_for_the_store() -> None:
    obj = pod_object()
    obj["spec"]["hostNetwork"] = True
    for answer in (*answers(obj, FakeStore(is_synced=False)), *answers(obj)):
        assert isinstance(answer, Allowed)


def test_a_mirror_pod_of_a_kubelet_is_exempt() -> None:
    obj = running({CONFIG_MIRROR_ANNOTATION: "hash", **BROKEN})
    for answer in answers(obj, FakeStore(is_synced=False), userInfo=KUBELET):
        assert isinstance(answer, Allowed)


def test_a_pod_that_only_claims_to_be_a_mirror_pod_is_judged() -> None:
    _, validated = answers(running({CONFIG_MIRROR_ANNOTATION: "hash", **BROKEN}))
    assert isinstance(validated, Rejected)


def test_before_the_store_is_read_the_answer_is_to_try_again() -> None:
    for answer in answers(pod_object(), FakeStore(is_synced=False)):
        assert isinstance(answer, Errored)
        assert answer.error.status == 503
        assert "try again" in str(answer.error)


def test_an_unknown_namespace_is_not_taken_for_one_without_planes() -> None:
    for answer in answers(pod_object(namespace="new")):
        assert isinstance(answer, Errored)
        assert (answer.error.status, "namespace new is not known" in str(answer.error)) == (
            503,
            True,
        )


def test_rules_that_send_something_else_are_told_apart() -> None:
    resource = {"group": "apps", "resource": "deployments"}
    for answer in answers(pod_object(), resource=resource):
        assert isinstance(answer, Errored)
        assert "apps/deployments" in str(answer.error)


def test_a_pod_of_the_wrong_shape_is_told_where() -> None:
    obj = pod_object()
    obj["metadata"]["annotations"] = {"a": 1}
    _, validated = answers(obj)
    assert isinstance(validated, Errored)
    assert "metadata.annotations[a]" in str(validated.error)


@pytest.mark.parametrize(
    ("operation", "subresource"),
    [
        ("DELETE", ""),
        ("CONNECT", "exec"),
        ("CREATE", "eviction"),
        ("UPDATE", "ephemeralcontainers"),
    ],
)
def test_operations_that_change_no_network_are_never_refused(
    operation: str, subresource: str
) -> None:
    store = FakeStore(is_synced=False)
    obj = None if operation == "DELETE" else pod_object(annotations=BROKEN)
    for answer in answers(obj, store, operation=operation, subResource=subresource):
        assert isinstance(answer, Allowed)


@pytest.mark.parametrize("key", [NETWORKS_ANNOTATION, STATIC_IPS_ANNOTATION, INJECTED_ANNOTATION])
@pytest.mark.parametrize(("before", "after"), [("a", "b"), ("a", None), (None, "b")])
def test_the_networks_of_a_pod_are_frozen(key: str, before: str | None, after: str | None) -> None:
    obj, old = (running({key: text} if text else None) for text in (after, before))
    _, answer = answers(obj, operation="UPDATE", old=old)
    assert isinstance(answer, Rejected)
    (finding,) = answer.findings
    assert (finding.path, finding.status) == (f"metadata.annotations[{key}]", 403)


def test_other_changes_pass_whatever_today_s_planes_say() -> None:
    """A pod with networks that would be refused now can still be labelled, and needs no store."""
    obj, old = running(BROKEN), running(BROKEN)
    obj["metadata"]["labels"] = {"new": "label"}
    _, answer = answers(obj, FakeStore(is_synced=False), operation="UPDATE", old=old)
    assert isinstance(answer, Allowed)


def test_a_label_on_a_pod_without_annotations_passes() -> None:
    obj, old = running(), running()
    obj["metadata"]["labels"] = {"new": "label"}
    _, answer = answers(obj, operation="UPDATE", old=old)
    assert isinstance(answer, Allowed)


@pytest.mark.parametrize("subresource", ["", "status"])
@pytest.mark.parametrize("user", [KUBELET, DAEMON])
def test_the_node_of_a_pod_writes_its_network_status(user: JsonObject, subresource: str) -> None:
    obj, old = running({STATUS_ANNOTATION: "[]"}), running()
    _, answer = answers(obj, operation="UPDATE", old=old, userInfo=user, subResource=subresource)
    assert isinstance(answer, Allowed)


@pytest.mark.parametrize("subresource", ["", "status"])
@pytest.mark.parametrize(
    "user",
    [
        {"username": "alice", "groups": ["system:masters"]},
        {"username": "system:node:node-2", "groups": ["system:nodes"]},
        {"username": "system:node:node-1", "groups": []},
        {"username": DAEMON["username"]},
        {
            "username": DAEMON["username"],
            "extra": {"authentication.kubernetes.io/node-name": ["n"]},
        },
        {"username": "system:serviceaccount:shop:web", "extra": DAEMON["extra"]},
    ],
)
def test_nobody_else_writes_it(user: JsonObject, subresource: str) -> None:
    obj, old = running({STATUS_ANNOTATION: "[]"}), running()
    _, answer = answers(obj, operation="UPDATE", old=old, userInfo=user, subResource=subresource)
    assert isinstance(answer, Rejected)


def test_a_new_pod_cannot_bring_its_own_network_status_past_the_mutating_hook() -> None:
    _, answer = answers(pod_object(annotations={STATUS_ANNOTATION: "[]"}))
    assert isinstance(answer, Rejected)
    assert answer.findings[0].status == 403


def test_a_patch_that_was_undone_by_others_is_a_warning_and_the_node_repairs_it() -> None:
    _, answer = answers(pod_object())
    assert isinstance(answer, Allowed)
    assert list(answer.warnings) == [
        "the pod's planes are not written into it; the node attaches them"
    ]


def test_a_patch_never_touches_what_others_wrote() -> None:
    patched, _ = answers(pod_object(annotations={"example.com/x": "y"}))
    review = parse(orjson.dumps(review_object(pod_object(annotations={"example.com/x": "y"}))))
    patch = orjson.loads(b64decode(orjson.loads(encode(review, patched))["response"]["patch"]))
    assert {operation["path"] for operation in patch} == {
        "/metadata/annotations/k8s.v1.cni.cncf.io~1networks",
        "/metadata/annotations/netplane.io~1injected",
    }


def test_annotations_over_kubernetes_own_limit_are_refused_unread() -> None:
    for answer in answers(pod_object(annotations={NETWORKS_ANNOTATION: "a," * 200_000})):
        assert isinstance(answer, Rejected)
        assert "larger than 256 KiB" in answer.findings[0].message
