"""Somebody who has taken the node that a webhook runs on, with the webhook's token."""

from __future__ import annotations

from typing import Any

import pytest

from planes.model.errors import JsonObject
from planes.model.names import JOINED_LABEL
from tests.attacks.apiserver.shipped import BLOCKS, Shipped, by_policy, node_block
from tests.attacks.apiserver.test_node_blocks import THEIRS, WANTED, entries, static
from tests.cluster.rest import NAMESPACES

SHOP = f"{NAMESPACES}/shop"
SPOILT: dict[str, JsonObject] = {
    "another label": {"metadata": {"labels": {"plane.netplane.io/business": "enabled"}}},
    "pod security": {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}},
    "its name label": {"metadata": {"labels": {"team": None}}},
    "an annotation": {"metadata": {"annotations": {"a": "b"}}},
    "a finalizer": {"metadata": {"finalizers": ["a.b/c"]}},
    "mark and more": {"metadata": {"labels": {JOINED_LABEL: "true", "a": "b"}}},
}


@pytest.fixture(scope="module", autouse=True)
def a_label(shipped: Shipped) -> None:
    assert shipped.admin.merge(SHOP, {"metadata": {"labels": {"team": "web"}}}).is_success


def test_node_webhook_sets_and_removes_its_mark(shipped: Shipped) -> None:
    """The control: what it is for."""
    for value in ("true", None):
        reply = shipped.webhook.merge(SHOP, {"metadata": {"labels": {JOINED_LABEL: value}}})
        assert reply.is_success, reply.message
        assert reply.body["metadata"]["labels"].get(JOINED_LABEL) == value


@pytest.mark.parametrize("patch", SPOILT.values(), ids=SPOILT)
def test_node_webhook_token_changes_nothing_else_of_namespaces(
    shipped: Shipped, patch: Any
) -> None:
    before = shipped.read(SHOP)
    assert by_policy(shipped.webhook.merge(SHOP, patch))
    assert shipped.read(SHOP) == before


def test_node_webhook_token_takes_out_only_holders_that_a_node_found_dead(
    shipped: Shipped,
) -> None:
    block = shipped.block({**static("freed"), "holders": THEIRS, "wanted": WANTED})
    path = f"{BLOCKS}/{block['metadata']['name']}"
    edits: tuple[dict[str, Any], ...] = (
        {"holders": {}},
        {"holders": {**THEIRS, **entries("n9", "10.9.0.201")}},
        {"holders": {**THEIRS, **entries("n9", "10.9.0.210")}},
        {"wanted": {**WANTED, "10.9.0.200": "n9"}},
        {"metadata": {**block["metadata"], "labels": {"a": "b"}}},
    )
    for edit in edits:
        assert by_policy(shipped.webhook.ask("PUT", path, {**block, **edit})), edit
    less = {key: text for key, text in THEIRS.items() if key not in WANTED}
    reply = shipped.webhook.ask("PUT", path, {**block, "holders": less, "wanted": {}})
    assert reply.is_success, reply.message


def test_node_webhook_token_makes_and_deletes_no_block(shipped: Shipped) -> None:
    obj = node_block("webhooks", "10.1.0.64/26", "n1")
    assert shipped.webhook.create(BLOCKS, obj).status == 403
    made = shipped.block(obj)
    path = f"{BLOCKS}/{made['metadata']['name']}"
    assert shipped.webhook.ask("DELETE", path).status == 403


def test_node_webhook_token_makes_no_pod_and_reads_no_secret_of_others(shipped: Shipped) -> None:
    for path in ("/api/v1/secrets", "/api/v1/namespaces/shop/secrets"):
        assert shipped.webhook.ask("GET", path).status == 403
    pods = "/api/v1/namespaces/shop/pods"
    assert shipped.webhook.create(pods, {"metadata": {"name": "x"}}).status == 403
