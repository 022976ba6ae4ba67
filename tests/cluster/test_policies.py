"""The policy for required planes on a real API server, where no webhook runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from planes.model.errors import JsonObject
from planes.model.names import JOINED_LABEL, NETWORKS_ANNOTATION, REVIEWED_ANNOTATION
from planes.model.patch import apply
from planes.model.spec.plane_spec import REQUIRED
from planes.model.state.membership import required_by_label
from tests.cluster.apiserver import ApiServer
from tests.cluster.policed import (
    LABELS,
    namespace_object,
    plain_pod,
    policed_server,
    policed_store,
)
from tests.cluster.rest import MANIFESTS, NAMESPACES, Rest, pods, wait_for
from webhook.mutate import mutate
from webhook.review import Patched, Review

RENDERED = '{"name":"business","namespace":"netplane-system"}'
TEXTS: tuple[str | None, ...] = (
    None,
    "",
    " ",
    "[]",
    f"[{RENDERED}]",
    ' [ {"interface" : "net7", "namespace" :"netplane-system", "name": "business"} ] ',
    '[{"Name":"business","NAMESPACE":"netplane-system","cni-args":{"a":{"b":"}"}}}]',
    '[{"name":"busi\\u006eess","namespace":"netplane-system"}]',
    '[{"name":"eth.1","namespace":"shop","ips":null}]',
    '[{"name":"eth.1","namespace":"shop"},{"name":"business","namespace":"netplane-system"}]',
    "netplane-system/business",
    " netplane-system/business@net7 , shop/eth.1",
    "shop/eth.1",
    "shop/eth.1@data",
)
POD_LABELS: tuple[dict[str, str], ...] = (
    {},
    {"tier": "web"},
    {"tier": "web", "app": "x", "zone": "a"},
    {"tier": "web", "app": "x", "zone": "b", "track": "stable"},
    {"tier": "web", "app": "x", "zone": "b", "track": "canary"},
    {"tier": "web", "app": "x", "zone": "a", "legacy": ""},
    {"tier": "web", "app": "x", "zone": "c"},
    {"tier": "none"},
)
CORPUS = [
    *((namespace, text, {}) for namespace in LABELS for text in TEXTS),
    *((namespace, None, labels) for namespace in ("chosen", "covered") for labels in POD_LABELS),
]


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    with policed_server() as server:
        yield server


@pytest.fixture(scope="module")
def rest(server: ApiServer) -> Iterator[Rest]:
    rest = Rest(server)
    yield rest
    rest.close()


def reviewed(pod: JsonObject) -> Review:
    namespace = pod["metadata"]["namespace"]
    return Review("1", "CREATE", "pods", namespace=namespace, name="web", obj=pod)


def refusal(rest: Rest, pod: JsonObject, **who: object) -> str:
    """Return what the policy says to a new pod, "" where it is admitted."""
    reply = rest.try_out(pods(pod["metadata"]["namespace"]), pod, **who)
    assert reply.status in {201, 403}, reply.message
    return reply.message


def test_no_pod_that_the_webhook_has_seen_is_refused(rest: Rest) -> None:
    """One at fault neither: what is wrong with it the webhook says itself, after the policy."""
    store, count = policed_store(), 0
    for namespace, text, labels in CORPUS:
        pod = plain_pod(namespace, text, **labels)
        answer = mutate(reviewed(pod), store)
        patched = apply(answer.patch, pod) if isinstance(answer, Patched) else pod
        assert refusal(rest, patched) == "", (namespace, text, labels)
        count += patched != pod
    assert count > 100


def test_without_the_webhook_no_pod_starts_where_a_plane_is_required(rest: Rest) -> None:
    store, refused = policed_store(), 0
    for namespace, text, labels in CORPUS:
        subject = store.namespace(namespace)
        assert subject is not None
        is_refused = bool(required_by_label(subject))
        message = refusal(rest, plain_pod(namespace, text, **labels))
        assert bool(message) == is_refused, (namespace, text, labels)
        refused += is_refused
    assert refused > 100


def test_the_refusal_says_what_is_required_and_what_to_do(rest: Rest) -> None:
    message = refusal(rest, plain_pod("two"))
    # In either order: CEL's maps have none.
    assert "namespace two requires planes " in message
    assert all(plane in message for plane in ("business", "by-hand"))
    assert "was not asked about this one" in message
    assert "create the pod again when it is back" in message


@pytest.mark.parametrize("namespace", ["free", "outside", "default"])
def test_namespaces_that_require_nothing_are_left_alone(rest: Rest, namespace: str) -> None:
    assert refusal(rest, plain_pod(namespace)) == ""


@pytest.mark.parametrize("text", ["", " ", "asked", "business-2", "business,", "BUSINESS"])
def test_a_review_by_other_planes_is_no_substitute(rest: Rest, text: str) -> None:
    pod = plain_pod("two", "netplane-system/business")
    pod["metadata"]["annotations"][REVIEWED_ANNOTATION] = text
    assert "by-hand" in refusal(rest, pod)


def wait_until_held(rest: Rest) -> None:
    """Wait until the policy, which was applied a moment ago, is in force."""
    wait_for(
        lambda: rest.try_out(pods("held"), plain_pod("held")),
        lambda reply: "requires plane" in reply.message,
    )


def labelled(plane: str, value: str | None) -> JsonObject:
    return {"metadata": {"labels": {f"plane.netplane.io/{plane}": value}}}


def test_a_pod_on_the_hosts_network_is_admitted(rest: Rest) -> None:
    pod = plain_pod("shop")
    pod["spec"]["hostNetwork"] = True
    assert refusal(rest, pod) == ""


def test_a_mirror_pod_is_admitted_from_a_node_alone(rest: Rest) -> None:
    pod = plain_pod("shop")
    pod["metadata"]["annotations"] = {"kubernetes.io/config.mirror": "abc"}
    pod["spec"]["nodeName"] = "node1"
    node = {"user": "system:node:node1", "groups": ("system:nodes", "system:masters")}
    assert refusal(rest, pod, **node) == ""
    assert "requires plane business" in refusal(rest, pod)


@pytest.mark.parametrize("namespace", ["kube-system", "kube-public", "netplane-system"])
def test_what_the_cluster_needs_to_come_up_is_not_asked(rest: Rest, namespace: str) -> None:
    rest.create(
        "/api/v1/namespaces",
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
    )
    assert rest.merge(
        f"/api/v1/namespaces/{namespace}", labelled("business", "required")
    ).is_success
    assert refusal(rest, plain_pod(namespace)) == ""


def test_a_running_pod_can_still_be_changed_and_deleted(rest: Rest) -> None:
    pod = plain_pod("shop", f"[{RENDERED}]")
    pod["metadata"]["annotations"][REVIEWED_ANNOTATION] = "business"
    assert rest.create(pods("shop"), pod).is_success
    path = f"{pods('shop')}/web"
    gone = {NETWORKS_ANNOTATION: None, REVIEWED_ANNOTATION: None}
    patch = {"metadata": {"annotations": gone, "labels": {"a": "b"}}}
    assert rest.merge(path, patch).message == ""
    assert rest.ask("DELETE", path).is_success


@pytest.mark.parametrize("value", [None, "false"])
def test_a_namespace_without_the_mark_is_held_to_its_required_planes(
    rest: Rest, value: str | None
) -> None:
    """The mark brings the webhook in; it does not decide what is required."""
    path = "/api/v1/namespaces/shop"
    assert rest.merge(path, {"metadata": {"labels": {JOINED_LABEL: value}}}).is_success
    try:
        assert "requires plane business" in refusal(rest, plain_pod("shop"))
    finally:
        rest.merge(path, {"metadata": {"labels": {JOINED_LABEL: "true"}}})


def test_planes_that_are_gone_refuse_no_pod_of_other_namespaces(own_api_server: ApiServer) -> None:
    """Neither do those that were never defined: the policies are applied alone."""
    own_api_server.kubectl("apply", "-k", str(MANIFESTS / "base" / "policies"))
    rest = Rest(own_api_server)
    try:
        for name, planes in (("held", {"business": REQUIRED}), ("free", {"business": "enabled"})):
            assert rest.create(NAMESPACES, namespace_object(name, planes)).is_success
        wait_until_held(rest)
        assert refusal(rest, plain_pod("free")) == ""
    finally:
        rest.close()


def test_a_server_that_has_just_started_asks_for_required_planes_alone(
    own_api_server: ApiServer,
) -> None:
    """No pod with a review is refused, from the first request on."""
    rest = Rest(own_api_server)
    own_api_server.kubectl("apply", "-k", str(MANIFESTS / "base" / "policies"))
    assert rest.create(NAMESPACES, namespace_object("held", {"business": REQUIRED})).is_success
    wait_until_held(rest)
    rest.close()
    own_api_server.stop_server()
    own_api_server.start_server()
    rest = Rest(own_api_server)
    pod = plain_pod("held", "")
    pod["metadata"]["annotations"][REVIEWED_ANNOTATION] = "business"
    try:
        assert refusal(rest, pod) == ""
    finally:
        rest.close()
