"""Somebody who has taken the node that a webhook runs on, with the webhook's token."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from planes.model.errors import JsonObject
from planes.model.names import JOINED_LABEL
from tests.attacks.apiserver.shipped import (
    SYSTEM,
    WEBHOOK,
    Shipped,
    by_policy,
)
from tests.attacks.apiserver.test_node_blocks import MANAGER
from tests.cluster.apiserver import ApiServer, KubectlError
from tests.cluster.rest import MANIFESTS, NAMESPACES, wait_for

SHOP = f"{NAMESPACES}/shop"
SPOILT: dict[str, JsonObject] = {
    "another label": {"metadata": {"labels": {"plane.netplane.io/business": "enabled"}}},
    "pod security": {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}},
    "its name label": {"metadata": {"labels": {"team": None}}},
    "an annotation": {"metadata": {"annotations": {"a": "b"}}},
    "a finalizer": {"metadata": {"finalizers": ["a.b/c"]}},
    "managers that own much": {"metadata": {"managedFields": [{**MANAGER, "apiVersion": "v1"}]}},
    "managers that own many labels": {
        "metadata": {
            "managedFields": [
                {
                    **MANAGER,
                    "apiVersion": "v1",
                    "fieldsV1": {"f:metadata": {"f:labels": {"f:a": {}, "f:b": {}}}},
                }
            ]
        }
    },
    "mark and more": {"metadata": {"labels": {JOINED_LABEL: "true", "a": "b"}}},
}


@pytest.fixture(scope="module", autouse=True)
def a_label(shipped: Shipped) -> None:
    assert shipped.admin.merge(SHOP, {"metadata": {"labels": {"team": "web"}}}).is_success


def test_node_webhook_sets_and_removes_its_mark(shipped: Shipped) -> None:
    """The control: what it is for."""
    owned = {"metadata": {"labels": {JOINED_LABEL: "true", "tier": "web"}}}
    for given in (owned, {"metadata": {"labels": {JOINED_LABEL: "yes", "tier": None}}}):
        assert shipped.admin.merge(SHOP, given).is_success
    for value in ("true", None, "true", None):
        reply = shipped.webhook.merge(SHOP, {"metadata": {"labels": {JOINED_LABEL: value}}})
        assert reply.is_success, reply.message
        assert reply.body["metadata"]["labels"].get(JOINED_LABEL) == value


def test_node_webhook_marks_what_many_have_written(shipped: Shipped) -> None:
    """The control: the API server makes one of the oldest managers when there are more than ten."""
    for number in range(24):
        patch: JsonObject = {
            "metadata": {
                "labels": {f"l{number % 7}": str(number), JOINED_LABEL: str(number)},
                "annotations": {f"a{number}": "b"},
            }
        }
        reply = shipped.admin.merge(f"{SHOP}?fieldManager=hand-{number}", patch)
        assert reply.is_success, reply.message
        for value in ("true", None):
            mark = {"metadata": {"labels": {JOINED_LABEL: value}}}
            reply = shipped.webhook.merge(SHOP, mark)
            assert reply.is_success, reply.message


@pytest.mark.parametrize("patch", SPOILT.values(), ids=SPOILT)
def test_node_webhook_token_changes_nothing_else_of_namespaces(
    shipped: Shipped, patch: Any
) -> None:
    before = shipped.read(SHOP)
    assert by_policy(shipped.webhook.merge(SHOP, patch))
    assert shipped.read(SHOP) == before


def test_node_webhook_token_makes_no_pod_and_reads_no_secret_of_others(shipped: Shipped) -> None:
    for path in ("/api/v1/secrets", "/api/v1/namespaces/shop/secrets"):
        assert shipped.webhook.ask("GET", path).status == 403
    pods = "/api/v1/namespaces/shop/pods"
    assert shipped.webhook.create(pods, {"metadata": {"name": "x"}}).status == 403


@pytest.mark.parametrize("name", ["shop-lease", "kube-scheduler", "netplane-cni"])
def test_node_webhook_token_writes_no_lease_but_its_own(shipped: Shipped, name: str) -> None:
    leases = "/apis/coordination.k8s.io/v1/namespaces/netplane-system/leases"
    lease = {"metadata": {"name": name}, "spec": {"holderIdentity": "somebody"}}
    assert by_policy(shipped.webhook.create(leases, lease))
    assert shipped.admin.create(leases, lease).is_success
    patch = {"spec": {"holderIdentity": "webhook"}}
    assert by_policy(shipped.webhook.merge(f"{leases}/{name}", patch))
    assert by_policy(shipped.webhook.ask("DELETE", f"{leases}/{name}"))


@pytest.mark.parametrize("name", ["netplane-webhook", "netplane-webhook-pod-1"])
def test_node_webhook_writes_its_own_leases(shipped: Shipped, name: str) -> None:
    """The control: who leads, and what each replica shows."""
    leases = "/apis/coordination.k8s.io/v1/namespaces/netplane-system/leases"
    lease = {"metadata": {"name": name}, "spec": {"holderIdentity": "one"}}
    reply = shipped.webhook.create(leases, lease)
    assert reply.is_success, reply.message


RISKY = [
    ("create", "customresourcedefinitions"),
    ("create", "secrets"),
    ("list", "secrets"),
    ("create", "mutatingwebhookconfigurations"),
    ("create", "pods"),
    ("patch", "pods/status"),
    ("create", "ipblocks"),
    ("deletecollection", "ipblocks"),
    ("update", "planes"),
    ("update", "validatingadmissionpolicies"),
    ("impersonate", "users"),
    ("create", "serviceaccounts/token"),
    ("bind", "clusterroles"),
    ("escalate", "clusterroles"),
]
OWN_CONFIGURATIONS = [
    (verb, f"{kind}webhookconfigurations/netplane")
    for verb in ("get", "update")
    for kind in ("mutating", "validating")
]


def can(server: ApiServer, verb: str, what: str, space: str = SYSTEM) -> bool:
    """Return what the API server says the webhook's account may do."""
    account = f"system:serviceaccount:{SYSTEM}:{WEBHOOK}"
    try:
        server.kubectl("auth", "can-i", verb, what, "-n", space, f"--as={account}")
    except KubectlError:
        return False
    return True


@pytest.mark.parametrize(("verb", "what"), RISKY, ids=" ".join)
def test_node_webhook_token_has_no_verb_that_it_does_not_need(
    shipped: Shipped, verb: str, what: str
) -> None:
    assert not can(shipped.server, verb, what)


def test_node_webhook_token_writes_webhook_configurations_with_its_own_certificates(
    shipped: Shipped,
) -> None:
    """What the default overlay costs, as SECURITY.md says: the hardened ones have none of it."""
    for verb, what in OWN_CONFIGURATIONS:
        assert can(shipped.server, verb, what)


def test_node_webhook_token_of_the_hardened_overlays_writes_no_configuration_and_no_secret(
    own_api_server: ApiServer,
) -> None:
    for overlay in ("files", "cert-manager"):
        text = own_api_server.kubectl("kustomize", str(MANIFESTS / "overlays" / overlay))
        objects = [obj for obj in yaml.safe_load_all(text) if obj]
        assert not [obj for obj in objects if obj["kind"] == "Secret"]
        roles = [obj for obj in objects if obj["kind"] in {"Role", "ClusterRole"}]
        needed = ("Namespace", "ServiceAccount", "Role", "ClusterRole", "Binding")
        own_api_server.apply(*(obj for obj in objects if obj["kind"].endswith(needed)))
        assert len(roles) >= 4
        for verb, what in (*RISKY, *OWN_CONFIGURATIONS):
            assert not can(own_api_server, verb, what), (overlay, verb, what)
        for verb in ("get", "update"):
            assert not can(own_api_server, verb, "secrets/netplane-webhook-tls"), overlay
        assert can(own_api_server, "patch", "namespaces")


@pytest.mark.parametrize("kind", ["Pod", "Node", "Deployment", ""])
def test_node_webhook_token_writes_no_event_about_other_things(shipped: Shipped, kind: str) -> None:
    assert by_policy(shipped.webhook.create(EVENTS, event(kind)))


@pytest.mark.parametrize("kind", ["Plane", "NetworkAttachmentDefinition"])
def test_node_webhook_writes_events_about_planes_and_nads(shipped: Shipped, kind: str) -> None:
    """The control."""
    reply = shipped.webhook.create(EVENTS, event(kind))
    assert reply.is_success, reply.message


EVENTS = "/api/v1/namespaces/default/events"


def event(kind: str) -> JsonObject:
    """Return an event about an object of a kind."""
    return {
        "metadata": {"generateName": "told-", "namespace": "default"},
        "involvedObject": {"kind": kind, "name": "x"},
        "reason": "Told",
        "message": "told",
        "source": {"component": "netplane"},
        "reportingComponent": "netplane",
    }


NADS = f"/apis/k8s.cni.cncf.io/v1/namespaces/{SYSTEM}/network-attachment-definitions"


def nad(name: str, plane: str, owner: str = "Plane") -> JsonObject:
    """Return a NAD as the webhook renders it from a plane."""
    by = {"apiVersion": "netplane.io/v1alpha1", "kind": owner, "name": plane, "uid": "u"}
    return {
        "apiVersion": "k8s.cni.cncf.io/v1",
        "kind": "NetworkAttachmentDefinition",
        "metadata": {
            "name": name,
            "labels": {"netplane.io/plane": plane},
            "ownerReferences": [by],
        },
        "spec": {"config": "{}"},
    }


@pytest.fixture(scope="module")
def nads(shipped: Shipped) -> str:
    """The kind is served; an administrator has a NAD of their own there."""
    file = MANIFESTS / "nad-kind.yaml"
    shipped.server.kubectl("apply", "--server-side", "-f", str(file))
    own = {**nad("own", "x"), "metadata": {"name": "own"}}
    wait_for(lambda: shipped.admin.create(NADS, own), lambda reply: reply.is_success)
    spoilt = nad("probe", "other")
    wait_for(lambda: shipped.webhook.try_out(NADS, spoilt), by_policy)
    return NADS


def test_node_webhook_token_writes_the_nads_it_renders(shipped: Shipped, nads: str) -> None:
    """The control: made, mended, removed."""
    made = shipped.webhook.create(nads, nad("business", "business"))
    assert made.is_success, made.message
    for patch in (
        {"spec": {"config": '{"a": 1}'}},
        {"metadata": {"annotations": {"k8s.v1.cni.cncf.io/resourceName": "a/b"}}},
    ):
        reply = shipped.webhook.merge(f"{nads}/business", patch)
        assert reply.is_success, reply.message
    assert shipped.webhook.ask("DELETE", f"{nads}/business").is_success


def test_node_webhook_token_touches_no_nad_of_an_administrator(shipped: Shipped, nads: str) -> None:
    for obj in (
        nad("x", "other"),
        nad("x", "x", "Node"),
        {**nad("x", "x"), "metadata": {"name": "x"}},
    ):
        assert by_policy(shipped.webhook.create(nads, obj))
    assert by_policy(shipped.webhook.merge(f"{nads}/own", {"spec": {"config": "{}"}}))
    adopted = {"metadata": nad("own", "own")["metadata"]}
    assert by_policy(shipped.webhook.merge(f"{nads}/own", adopted))
    assert by_policy(shipped.webhook.ask("DELETE", f"{nads}/own"))
