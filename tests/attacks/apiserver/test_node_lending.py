"""Somebody who has taken a node, with its daemon's token, writes what blocks lend and are asked."""

from __future__ import annotations

import pytest

from planes.kube.addresses.holders import static_object
from planes.kube.addresses.ipblocks import grid_object
from planes.model.addresses import parse_network
from planes.model.errors import JsonObject
from tests.attacks.apiserver.shipped import BLOCKS, Shipped, by_policy, node_block, refused

SINCE = "2026-11-30T09:00:00Z"
LENT: JsonObject = {"instance": "start-2", "lent": ["10.4.1.7"], "asked": {"n3": SINCE}}


@pytest.fixture(scope="module")
def lent(shipped: Shipped) -> JsonObject:
    return shipped.block({**node_block("lent", "10.4.1.0/26", "n2"), **LENT})


@pytest.mark.parametrize(
    "edit",
    [
        {"lent": ["10.4.1.7", "10.4.1.8"]},
        {"lent": []},
        {"instance": "start-1"},
        {"asked": {}},
        {"asked": {"n3": SINCE, "n4": SINCE}},
        {"asked": {"n3": "2027-01-01T00:00:00Z"}},
        {"asked": {"n3": SINCE, "n1": SINCE}, "lent": ["10.4.1.0-10.4.1.63"]},
        {"metadata": {"labels": {"a": "b"}}},
        {"metadata": {"finalizers": ["a.b/c"]}},
    ],
)
def test_node_changes_nothing_of_another_nodes_block_but_its_own_request(
    shipped: Shipped, lent: JsonObject, edit: JsonObject
) -> None:
    path = f"{BLOCKS}/{lent['metadata']['name']}"
    meta = {**lent["metadata"], **edit.get("metadata", {})}
    assert by_policy(shipped.n1.ask("PUT", path, {**lent, **edit, "metadata": meta}))
    assert {key: shipped.read(path)[key] for key in LENT} == LENT


def test_node_deletes_no_block_of_another_node_and_none_of_another_use(
    shipped: Shipped, lent: JsonObject
) -> None:
    grid = shipped.block(grid_object("nodelete", parse_network("10.4.0.0/16"), 26, "n1"))
    mine = shipped.block(static_object("nodelete", parse_network("10.4.0.0/26"), {}, "n1"))
    for each in (lent, grid, mine):
        path = f"{BLOCKS}/{each['metadata']['name']}"
        assert by_policy(shipped.n1.ask("DELETE", path))
        assert shipped.read(path)["spec"] == each["spec"]
    assert shipped.n1.ask("DELETE", f"{BLOCKS}?fieldSelector=spec.node=n1").status == 403


def test_node_asks_for_an_address_of_another_nodes_block_and_takes_its_request_back(
    shipped: Shipped,
) -> None:
    """The control."""
    block = shipped.block({**node_block("asking", "10.4.2.0/26", "n2"), **LENT, "lent": []})
    path = f"{BLOCKS}/{block['metadata']['name']}"
    reply = shipped.n1.ask("PUT", path, {**block, "asked": {"n3": SINCE, "n1": SINCE}})
    assert reply.is_success, reply.message
    reply = shipped.n1.ask("PUT", path, {**reply.body, "asked": {"n3": SINCE}})
    assert reply.is_success, reply.message


def test_node_lends_and_returns_its_own_blocks_and_says_nothing_else_of_them(
    shipped: Shipped,
) -> None:
    asked = {"asked": {"n2": SINCE, "n3": SINCE}}
    own = shipped.block({**node_block("kept", "10.4.0.0/26", "n1"), **asked})
    path = f"{BLOCKS}/{own['metadata']['name']}"
    assert refused(shipped.n1.ask("PUT", path, {**own, "spec": {**own["spec"], "node": "n2"}}))
    more = {"asked": {**asked["asked"], "n1": SINCE}}
    assert by_policy(shipped.n1.ask("PUT", path, {**own, **more}))
    lends = {"instance": "start-9", "lent": ["10.4.0.32-10.4.0.63"], "asked": {"n3": SINCE}}
    reply = shipped.n1.ask("PUT", path, {**own, **lends})
    assert reply.is_success, reply.message
    late = {"preconditions": {"resourceVersion": own["metadata"]["resourceVersion"]}}
    assert shipped.n1.ask("DELETE", path, late).status == 409
    now = {"preconditions": {"resourceVersion": reply.body["metadata"]["resourceVersion"]}}
    assert shipped.n1.ask("DELETE", path, now).is_success


def test_node_a_block_that_lends_every_second_address_keeps_within_the_cost_of_the_rules(
    shipped: Shipped,
) -> None:
    network = parse_network("fd00:9:9:9:9:9:9:0/118")
    ranges = [str(network[n]) for n in range(0, 1024, 2)]
    asked = {f"{'n' * 50}{number}": SINCE for number in range(15)}
    block = shipped.block(
        {**node_block("large", str(network), "n2"), "lent": ranges, "asked": asked}
    )
    path = f"{BLOCKS}/{block['metadata']['name']}"
    reply = shipped.n1.ask("PUT", path, {**block, "asked": {**asked, "n1": SINCE}})
    assert reply.is_success, reply.message
    reply = shipped.n2.ask("PUT", path, {**reply.body, "lent": ranges[:-1], "asked": {}})
    assert reply.is_success, reply.message
    full = {**asked, "n1": SINCE, "n2": SINCE}
    assert shipped.admin.ask("PUT", path, {**reply.body, "asked": full}).status == 422
