"""The policy for required planes on a real API server, where no webhook runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from planes.model.decide.decision import decide
from planes.model.errors import JsonObject
from planes.model.names import JOINED_LABEL, NETWORKS_ANNOTATION
from planes.model.objects import Pod
from planes.model.patch import apply
from tests.cluster.apiserver import ApiServer
from tests.cluster.policed import (
    LABELS,
    namespace_object,
    plain_pod,
    policed_server,
    world_store,
)
from tests.cluster.rest import Rest, pods, wait_for
from webhook.mutate import mutate
from webhook.review import Denied, Errored, Patched, Review
from webhook.validate import validate

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
    """What the policy says to a new pod, "" where it is admitted."""
    reply = rest.try_out(pods(pod["metadata"]["namespace"]), pod, **who)
    assert reply.status in {201, 403}, reply.message
    return reply.message


def test_no_pod_that_the_webhook_passes_is_refused(rest: Rest) -> None:
    store, count = world_store(), 0
    for namespace, text, labels in CORPUS:
        pod = plain_pod(namespace, text, **labels)
        answer = mutate(reviewed(pod), store)
        patched = apply(answer.patch, pod) if isinstance(answer, Patched) else pod
        if isinstance(validate(reviewed(patched), store), Denied | Errored):
            continue
        assert refusal(rest, patched) == "", (namespace, text, labels)
        count += 1
    assert count > 60


def test_without_the_webhook_a_pod_is_refused_exactly_where_it_would_add_a_required_plane(
    rest: Rest,
) -> None:
    store, refused = world_store(), 0
    for namespace, text, labels in CORPUS:
        if namespace in {"free", "outside"} or (text and "\\u" in text):
            continue
        pod = plain_pod(namespace, text, **labels)
        subject = store.namespace(namespace)
        assert subject is not None
        decision = decide(Pod.from_object(pod), subject, store.catalog)
        if decision.errors:
            continue
        required = store.catalog.membership(subject).required
        is_missing = any(each.injected and each.plane in required for each in decision.attachments)
        assert bool(refusal(rest, pod)) == is_missing, (namespace, text, labels)
        refused += is_missing
    assert refused > 20


def test_the_refusal_says_what_is_missing_and_what_to_do(rest: Rest) -> None:
    message = refusal(rest, plain_pod("shop"))
    assert "namespace shop requires plane business" in message
    assert "NAD netplane-system/business is not in its networks annotation" in message
    assert "create the pod again when it is back" in message


@pytest.mark.parametrize("namespace", ["free", "outside", "default"])
def test_namespaces_that_require_nothing_are_left_alone(rest: Rest, namespace: str) -> None:
    assert refusal(rest, plain_pod(namespace)) == ""


@pytest.mark.parametrize(
    "text",
    [
        '[{"name":"business"}]',
        "business",
        "[netplane-system/business]",
        '[{"name":"business-2","namespace":"netplane-system"}]',
        "netplane-system/business-2",
        "x/netplane-system/business",
    ],
)
def test_another_nad_is_no_substitute(rest: Rest, text: str) -> None:
    assert "requires plane business" in refusal(rest, plain_pod("shop", text))


def test_a_forged_record_is_no_substitute(rest: Rest) -> None:
    pod = plain_pod("shop", "")
    pod["metadata"]["annotations"]["netplane.io/injected"] = (
        '{"planes":[{"name":"business","generation":1,"interface":"net1"}],"hash":"0"}'
    )
    assert "requires plane business" in refusal(rest, pod)


def test_an_escaped_text_is_left_to_the_node(rest: Rest) -> None:
    assert refusal(rest, plain_pod("shop", '[{"name":"\\u0062usiness"}]')) == ""


def test_a_nad_of_the_own_namespace_needs_no_namespace(rest: Rest, server: ApiServer) -> None:
    rest.merge("/api/v1/namespaces/shop", labelled("by-hand", "required"))
    try:
        both = "eth.1,netplane-system/business"
        assert refusal(rest, plain_pod("shop", both)) == ""
        both = f'[{{"name":"eth.1"}},{RENDERED}]'
        assert refusal(rest, plain_pod("shop", both)) == ""
    finally:
        rest.merge("/api/v1/namespaces/shop", labelled("by-hand", None))


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


@pytest.mark.parametrize("namespace", ["kube-system", "netplane-system"])
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
    assert rest.create(pods("shop"), plain_pod("shop", f"[{RENDERED}]")).is_success
    path = f"{pods('shop')}/web"
    patch = {"metadata": {"annotations": {NETWORKS_ANNOTATION: None}, "labels": {"a": "b"}}}
    assert rest.merge(path, patch).message == ""
    assert rest.ask("DELETE", path).is_success


def test_a_required_plane_cannot_be_set_without_the_mark(rest: Rest) -> None:
    """Nobody runs here who would set it, and the policy looks at marked namespaces alone."""
    path = "/api/v1/namespaces/outside"
    message = rest.merge(path, labelled("business", "required")).message
    assert 'needs the label netplane.io/joined: "true" as well' in message
    patch = labelled("business", "required")
    patch["metadata"]["labels"][JOINED_LABEL] = "true"
    assert rest.merge(path, patch).is_success
    try:
        assert "requires plane business" in refusal(rest, plain_pod("outside"))
    finally:
        rest.merge(path, labelled("business", None))


@pytest.mark.parametrize("value", [None, "false"])
def test_the_mark_cannot_be_taken_from_a_namespace_that_requires_a_plane(
    rest: Rest, value: str | None
) -> None:
    patch = {"metadata": {"labels": {JOINED_LABEL: value}}}
    assert "needs the label" in rest.merge("/api/v1/namespaces/shop", patch).message
    assert rest.merge("/api/v1/namespaces/free?dryRun=All", patch).is_success


def test_a_namespace_from_before_the_policy_can_still_be_changed(rest: Rest) -> None:
    """The policy is taken away for a moment, as it was not there when the label was set."""
    binding = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"
    kept = dict(rest.ask("GET", f"{binding}/netplane-join").body)
    rest.ask("DELETE", f"{binding}/netplane-join")
    try:
        labels = {"plane.netplane.io/business": "required"}
        old = namespace_object("old")
        old["metadata"]["labels"] = labels
        wait_for(lambda: rest.create("/api/v1/namespaces", old), lambda reply: reply.is_success)
    finally:
        kept["metadata"] = {"name": "netplane-join"}
        rest.create(binding, kept)
    new = {**old, "metadata": {"name": "new", "labels": labels}}
    wait_for(lambda: rest.try_out("/api/v1/namespaces", new), lambda reply: not reply.is_success)
    patch = {"metadata": {"labels": {"team": "web"}}}
    assert rest.merge("/api/v1/namespaces/old", patch).message == ""


def test_pods_of_namespaces_without_the_mark_cost_nothing(server: ApiServer) -> None:
    """Not even a condition is evaluated: the server matches the namespace's labels itself."""
    policy = server.get("validatingadmissionpolicy", "netplane-required")
    selector = policy["spec"]["matchConstraints"]["namespaceSelector"]["matchExpressions"]
    assert {"key": JOINED_LABEL, "operator": "In", "values": ["true"]} in selector
