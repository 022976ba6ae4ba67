"""Somebody who has taken a node fills an IPBlock's managedFields, so that nobody may write it."""

from __future__ import annotations

import pytest

from planes.kube.addresses.holders import static_object
from planes.model.addresses import parse_network
from planes.model.errors import JsonObject
from tests.attacks.apiserver.shipped import BLOCKS, Shipped, by_policy, node_block
from tests.attacks.apiserver.test_node_blocks import entries

SINCE = "2026-11-30T09:00:00Z"


def full(block: JsonObject, operation: str) -> JsonObject:
    """Return metadata with as many managers as the policy permits, each with its own fields."""
    first = block["metadata"]["managedFields"][0]
    others = [{**first, "manager": f"m{n}", "operation": operation} for n in range(15)]
    return {**block["metadata"], "managedFields": [*others, {**first, "manager": "evil"}]}


@pytest.mark.parametrize("operation", ["Apply", "Update"])
def test_node_keeps_the_owner_of_a_block_from_nothing_by_managers(
    shipped: Shipped, operation: str
) -> None:
    """The API server merges managers of updates, not those of server-side apply: 15 were kept.

    The next writer's own was one more than the policy permits. So the daemon of that node could
    not claim its block at its next start, and no pod there got an address.
    """
    block = shipped.block(node_block(f"full{operation.lower()}", "10.5.0.0/26", "n2"))
    path = f"{BLOCKS}/{block['metadata']['name']}"
    evil = {**block, "metadata": full(block, operation), "asked": {"n1": SINCE}}
    reply = shipped.n1.ask("PUT", f"{path}?fieldManager=evil", evil)
    assert by_policy(reply) is (operation == "Apply"), reply.message
    now = {**shipped.read(path), "instance": "start-2"}
    reply = shipped.n2.ask("PUT", f"{path}?fieldManager=good", now)
    assert reply.is_success, reply.message


def test_node_keeps_nobody_from_a_static_block_by_managers(shipped: Shipped) -> None:
    """Neither could the leader take a holder out, nor its node release it."""
    network = parse_network("10.5.0.0/26")
    obj = {**static_object("fullstatic", network, {}, "n1"), "holders": entries("n2", "10.5.0.7")}
    block = shipped.block(obj)
    path = f"{BLOCKS}/{block['metadata']['name']}"
    more = {**block["holders"], **entries("n1", "10.5.0.9")}
    evil = {**block, "metadata": full(block, "Apply"), "holders": more}
    assert by_policy(shipped.n1.ask("PUT", f"{path}?fieldManager=evil", evil))
    evil = {**evil, "metadata": full(block, "Update")}
    reply = shipped.n1.ask("PUT", f"{path}?fieldManager=evil", evil)
    assert reply.is_success, reply.message
    reply = shipped.n2.ask("PUT", f"{path}?fieldManager=good", {**reply.body, "holders": more})
    assert reply.is_success, reply.message
    rest = entries("n1", "10.5.0.9")
    now = {**shipped.read(path), "holders": rest}
    reply = shipped.webhook.ask("PUT", f"{path}?fieldManager=leader", now)
    assert reply.is_success, reply.message


def test_node_makes_a_block_and_the_server_says_who_manages_it(shipped: Shipped) -> None:
    """A static block has one name, so whoever made it full would keep all others from it."""
    obj = static_object("fullnew", parse_network("10.5.0.0/26"), {}, "n1")
    made = shipped.n1.ask("POST", f"{BLOCKS}?dryRun=All", obj)
    assert made.is_success, made.message
    managed = full(dict(made.body), "Apply")["managedFields"]
    evil = {**obj, "metadata": {**obj["metadata"], "managedFields": managed}}
    reply = shipped.n1.ask("POST", f"{BLOCKS}?fieldManager=evil", evil)
    assert [each["manager"] for each in reply.body["metadata"]["managedFields"]] == ["evil"]


def test_the_webhook_keeps_nobody_from_a_static_block_by_managers(shipped: Shipped) -> None:
    """The same with the webhook's token."""
    network = parse_network("10.5.0.0/26")
    block = shipped.block(
        {**static_object("fullhook", network, {}, "n1"), "holders": entries("n2", "10.5.0.7")}
    )
    path = f"{BLOCKS}/{block['metadata']['name']}"
    evil = {**block, "metadata": full(block, "Apply"), "holders": {}}
    assert by_policy(shipped.webhook.ask("PUT", f"{path}?fieldManager=evil", evil))
