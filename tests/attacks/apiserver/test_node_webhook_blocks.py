"""Somebody with the webhook's token, at blocks of addresses and Leases of nodes."""

from __future__ import annotations

from typing import Any

from planes.kube.addresses.ipblocks import grid_object
from planes.model.addresses import parse_network
from tests.attacks.apiserver.shipped import BLOCKS, Shipped, by_policy, labelled, node_block
from tests.attacks.apiserver.test_node_blocks import MANAGER, THEIRS, WANTED, entries, static


def test_node_webhook_token_removes_holders_and_writes_none(shipped: Shipped) -> None:
    block = shipped.block({**static("freed"), "holders": THEIRS, "wanted": WANTED})
    path = f"{BLOCKS}/{block['metadata']['name']}"
    edits: tuple[dict[str, Any], ...] = (
        {"holders": {**THEIRS, **entries("n9", "10.9.0.201")}},
        {"holders": {**THEIRS, **entries("n9", "10.9.0.210")}},
        {"wanted": {**WANTED, "10.9.0.200": "n9"}},
        {"metadata": {**block["metadata"], "labels": {"a": "b"}}},
        {"metadata": {**block["metadata"], "managedFields": [MANAGER]}},
    )
    for edit in edits:
        assert by_policy(shipped.webhook.ask("PUT", path, {**block, **edit})), edit
    less = {key: text for key, text in THEIRS.items() if key not in WANTED}
    for holders in (less, {}):
        block = shipped.read(path)
        reply = shipped.webhook.ask("PUT", path, {**block, "holders": holders, "wanted": {}})
        assert reply.is_success, reply.message


def test_node_webhook_token_makes_no_block_and_changes_none_of_a_node(shipped: Shipped) -> None:
    obj = node_block("webhooks", "10.1.0.128/26", "n1")
    assert shipped.webhook.create(BLOCKS, obj).status == 403
    made = shipped.block(obj)
    path = f"{BLOCKS}/{made['metadata']['name']}"
    assert by_policy(shipped.webhook.ask("PUT", path, labelled(made)))
    assert by_policy(shipped.webhook.ask("PUT", path, made))


def test_node_webhook_token_deletes_blocks_of_nodes_as_it_has_read_them(shipped: Shipped) -> None:
    """A daemon that came back writes to its block, and so keeps it."""
    made = shipped.block(node_block("webhooks", "10.1.0.64/26", "n1"))
    path, meta = f"{BLOCKS}/{made['metadata']['name']}", made["metadata"]
    conditions = {"uid": meta["uid"], "resourceVersion": meta["resourceVersion"]}
    assert by_policy(shipped.webhook.ask("DELETE", path))
    for key, value in conditions.items():
        only = {"preconditions": {key: value}}
        assert by_policy(shipped.webhook.ask("DELETE", path, only))
    stale = {"preconditions": {**conditions, "resourceVersion": "1"}}
    assert shipped.webhook.ask("DELETE", path, stale).status == 409
    reply = shipped.webhook.ask("DELETE", path, {"preconditions": conditions})
    assert reply.is_success, reply.message


def test_node_webhook_token_deletes_no_static_block_and_no_grid(shipped: Shipped) -> None:
    """Without a Grid nodes could take blocks of another size, which share addresses."""
    region = parse_network("10.1.0.0/16")
    for obj in (static("kept"), grid_object("webhooks", region, 26, "n1")):
        made = shipped.block(obj)
        path, meta = f"{BLOCKS}/{made['metadata']['name']}", made["metadata"]
        conditions = {"uid": meta["uid"], "resourceVersion": meta["resourceVersion"]}
        assert by_policy(shipped.webhook.ask("DELETE", path, {"preconditions": conditions}))
    assert shipped.webhook.ask("DELETE", BLOCKS).status == 403


def test_node_webhook_token_reads_the_leases_of_nodes_and_writes_none(shipped: Shipped) -> None:
    leases = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
    lease = {"metadata": {"name": "n1"}, "spec": {"holderIdentity": "n1"}}
    assert shipped.admin.create(leases, lease).is_success
    assert shipped.webhook.ask("GET", f"{leases}/n1").is_success
    assert shipped.webhook.ask("GET", leases).status == 403
    assert shipped.webhook.merge(f"{leases}/n1", {"spec": {}}).status == 403
    assert shipped.webhook.ask("DELETE", f"{leases}/n1").status == 403
