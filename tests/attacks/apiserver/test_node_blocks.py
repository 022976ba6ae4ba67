"""Somebody who has taken a node, with its daemon's token, writes IPBlocks."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any

import pytest

from planes.kube.addresses.holders import Holder, static_object, write_holders
from planes.kube.addresses.ipblocks import Shape, grid_object, new_block
from planes.model.addresses import parse_network
from planes.model.errors import JsonObject
from planes.store.protocol import AddressOwner
from tests.attacks.apiserver.shipped import BLOCKS, Shipped, by_policy, node_block, refused

NETWORK = parse_network("10.9.0.192/26")


def entries(node: str, *addresses: str) -> dict[str, str]:
    """Return holders of a node as its daemon writes them."""
    owner = AddressOwner("c" * 64, "net1", "shop", "db-0", "uid-1", node)
    return write_holders({IPv4Address(text): Holder(owner, 7) for text in addresses})


def static(plane: str, **holders: str) -> JsonObject:
    """Return a static block that n1 makes; its holders by address, each as its node writes it."""
    return {**static_object(plane, NETWORK, {}, "n1"), "holders": holders}


def named(obj: JsonObject, name: str, **spec: Any) -> JsonObject:
    return {**obj, "metadata": {"name": name}, "spec": {**obj["spec"], **spec}}


OWN = [
    node_block("own", "10.1.0.64/26", "n1"),
    node_block("own", "10.2.0.0/22", "n1"),
    node_block("own", "10.1.0.7/32", "n1"),
    node_block("own", "fd00:9::40/122", "n1"),
    {**node_block("own", "10.1.1.0/26", "n1")},
    grid_object("own", parse_network("10.1.0.0/16"), 26, "n1"),
    grid_object("own", parse_network("fd00:9::/104"), 122, "n1"),
    static("own"),
    {**static("mine"), "holders": entries("n1", "10.9.0.200")},
    {**static_object("six", parse_network("fd00:9::200/122"), {}, "n1")},
]
V4 = node_block("odd", "10.1.0.0/26", "n1")
SIX = "fd00-0000-0000-0000-0000-0000-0000-0000"
GRID = grid_object("odd", parse_network("fd00::/104"), 122, "n1")
MANAGER: JsonObject = {
    "manager": "kubelet",
    "operation": "Apply",
    "apiVersion": "netplane.io/v1alpha1",
    "time": "2020-01-01T00:00:00Z",
    "fieldsType": "FieldsV1",
    "fieldsV1": {"f:spec": {f"f:{number}": {} for number in range(1000)}},
}


def owning(fields: JsonObject) -> JsonObject:
    return {**MANAGER, "fieldsV1": fields}


ODD: dict[str, JsonObject] = {
    "of another node": node_block("odd", "10.1.0.0/26", "n2"),
    "everything": node_block("odd", "0.0.0.0/0", "n1"),
    "everything in IPv6": node_block("odd", "::/0", "n1"),
    "wider": node_block("odd", "10.1.0.0/21", "n1"),
    "wider in IPv6": node_block("odd", "fd00::/117", "n1"),
    "a name for other addresses": named(V4, "odd.10-1-0-64-26"),
    "a name for another size": named(V4, "odd.10-1-0-0-27"),
    "a name for no address": named(V4, "odd.x"),
    "a short name in IPv6": named(node_block("odd", "fd00::/122", "n1"), "odd.fd00---122"),
    "another name in IPv6": named(
        node_block("odd", "fd00::/122", "n1"),
        str(node_block("odd", "fd00::40/122", "n1")["metadata"]["name"]),
    ),
    "a longer name": named(V4, "odd.10-1-0-0-26.more"),
    "the name of a grid": named(V4, "odd.grid.10-1-0-0-26"),
    "the name of another plane": named(V4, "even.10-1-0-0-26"),
    "the name of another plane's static block": node_block("odd.static", "10.9.0.192/26", "n1"),
    "host bits": named(V4, "odd.10-1-0-1-26", cidr="10.1.0.1/26"),
    "a grid of wide blocks": grid_object("odd", parse_network("10.1.0.0/16"), 21, "n1"),
    "a grid of no blocks": grid_object("odd", parse_network("10.1.0.0/16"), 33, "n1"),
    "a grid of wide blocks in IPv6": grid_object("odd", parse_network("fd00::/104"), 32, "n1"),
    "a small grid": grid_object("odd", parse_network("10.1.0.0/24"), 26, "n1"),
    "a wide grid": grid_object("odd", parse_network("10.0.0.0/8"), 26, "n1"),
    "a wide static block": new_block(Shape("odd", "Static", parse_network("10.0.0.0/8")), "n1"),
    "holders of another node": {**static("odd"), "holders": entries("n2", "10.9.0.200")},
    "holders of nobody": {**static("odd"), "holders": {"10.9.0.200": "nobody"}},
    "holders elsewhere": {**static("odd"), "holders": entries("n1", "10.9.1.200")},
    "holders spelt oddly": {**static("odd"), "holders": {"10.9.0.0200": "n1|{}"}},
    "a wish of another node": {**static("odd"), "wanted": {"10.9.0.200": "n2"}},
    "a wish for what nobody holds": {**static("odd"), "wanted": {"10.9.0.200": "n1"}},
    "a wish for its own": {
        **static("odd"),
        "holders": entries("n1", "10.9.0.200"),
        "wanted": {"10.9.0.200": "n1"},
    },
    "a grid spelt in capitals": named(GRID, f"odd.grid.{SIX}-104", cidr="FD00::/104"),
    "a grid spelt in full": named(GRID, f"odd.grid.{SIX}-104", cidr="fd00:0:0:0:0:0:0:0/104"),
    "static addresses that are none": named(V4, "odd.10-1-0-0-26", static=["x"]),
    "made by another node": named(V4, "odd.10-1-0-0-26", madeBy="n2"),
    "a grid made by nobody": grid_object("odd", parse_network("10.1.0.0/16"), 26),
    "managers that own what is not there": {
        **V4,
        "metadata": {**V4["metadata"], "managedFields": [owning({"f:more": {}})]},
    },
    "managers that own much metadata": {
        **V4,
        "metadata": {**V4["metadata"], "managedFields": [owning({"f:metadata": {"f:x": {}}})]},
    },
    "managers that own much": {
        **V4,
        "metadata": {**V4["metadata"], "managedFields": [MANAGER, {**MANAGER, "manager": "x"}]},
    },
    "holders of a node's block": {**V4, "holders": entries("n1", "10.1.0.1")},
    "a label": {**V4, "metadata": {**V4["metadata"], "labels": {"a": "b"}}},
    "a finalizer": {**V4, "metadata": {**V4["metadata"], "finalizers": ["a.b/c"]}},
    "an owner": {
        **V4,
        "metadata": {
            **V4["metadata"],
            "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "u"}],
        },
    },
}


@pytest.mark.parametrize("obj", OWN, ids=lambda obj: obj["metadata"]["name"])
def test_node_takes_blocks_for_itself(shipped: Shipped, obj: JsonObject) -> None:
    """The control: whatever a daemon makes is taken."""
    reply = shipped.n1.try_out(BLOCKS, obj)
    assert reply.is_success, reply.message


@pytest.mark.parametrize("obj", ODD.values(), ids=ODD)
def test_node_makes_no_odd_block_and_none_for_others(shipped: Shipped, obj: JsonObject) -> None:
    assert refused(shipped.n1.try_out(BLOCKS, obj))


def test_node_token_that_is_bound_to_no_pod_makes_no_block(shipped: Shipped) -> None:
    assert by_policy(shipped.unbound.try_out(BLOCKS, OWN[0]))


@pytest.mark.parametrize("plane", ["grabbed"])
def test_node_takes_none_of_another_nodes_name_however_often(shipped: Shipped, plane: str) -> None:
    """59 in 0.4 s, before."""
    for number in range(64):
        obj = node_block(plane, f"10.3.{number}.0/26", "n2")
        assert by_policy(shipped.n1.create(BLOCKS, obj))
    found = shipped.read(f"{BLOCKS}?fieldSelector=spec.plane={plane}")
    assert found["items"] == []


def changed(block: JsonObject, **fields: Any) -> JsonObject:
    return {**block, **fields}


THEIRS = {**entries("n2", "10.9.0.200"), **entries("n3", "10.9.0.201"), "10.9.0.202": "n1|{}"}
WANTED = {"10.9.0.201": "n2"}
EDITS: dict[str, dict[str, Any]] = {
    "all gone": {"holders": {}},
    "one gone": {"holders": {k: v for k, v in THEIRS.items() if k != "10.9.0.200"}},
    "one taken over": {"holders": {**THEIRS, **entries("n1", "10.9.0.200")}},
    "one spoilt": {"holders": {**THEIRS, "10.9.0.200": "n2|{}"}},
    "one for another node": {"holders": {**THEIRS, **entries("n2", "10.9.0.203")}},
    "of a node whose name begins with ours": {"holders": {**THEIRS, "10.9.0.204": "n11|{}"}},
    "a wish gone": {"wanted": {}},
    "a wish for another node": {"wanted": {**WANTED, "10.9.0.200": "n3"}},
    "an own wish over another": {"wanted": {"10.9.0.201": "n1"}},
    "a label": {"metadata": {"labels": {"a": "b"}}},
    "a finalizer": {"metadata": {"finalizers": ["a.b/c"]}},
    "a wish for what nobody holds": {"wanted": {**WANTED, "10.9.0.210": "n1"}},
    "a wish for its own": {"wanted": {**WANTED, "10.9.0.202": "n1"}},
    "managers that own much": {"metadata": {"managedFields": [MANAGER]}},
}


@pytest.fixture(scope="module")
def held(shipped: Shipped) -> JsonObject:
    return shipped.block({**static("held"), "holders": THEIRS, "wanted": WANTED})


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_node_leaves_the_holders_of_other_nodes(
    shipped: Shipped, held: JsonObject, edit: dict[str, Any]
) -> None:
    path = f"{BLOCKS}/{held['metadata']['name']}"
    meta = {**held["metadata"], **edit.get("metadata", {})}
    obj = {**held, **edit, "metadata": meta}
    assert by_policy(shipped.n1.ask("PUT", path, obj))
    assert shipped.read(path)["holders"] == THEIRS


def test_node_writes_and_removes_its_own_holders(shipped: Shipped) -> None:
    """The control: beside those of others, which stay."""
    block = shipped.block({**static("shared"), "holders": THEIRS, "wanted": WANTED})
    path = f"{BLOCKS}/{block['metadata']['name']}"
    more = {**THEIRS, **entries("n1", "10.9.0.202", "10.9.0.203")}
    reply = shipped.n1.ask("PUT", path, {**block, "holders": more})
    assert reply.is_success, reply.message
    wishes = {**WANTED, "10.9.0.200": "n1"}
    reply = shipped.n1.ask("PUT", path, {**reply.body, "wanted": wishes})
    assert reply.is_success, reply.message
    less = {key: text for key, text in THEIRS.items() if key != "10.9.0.202"}
    reply = shipped.n1.ask("PUT", path, {**reply.body, "holders": less, "wanted": WANTED})
    assert reply.is_success, reply.message
    assert (reply.body["holders"], reply.body["wanted"]) == (less, WANTED)


def test_node_a_full_block_of_64_long_entries_is_written_within_the_cost_of_the_rules(
    shipped: Shipped,
) -> None:
    """The definition's rules and the policy's have budgets: the largest block keeps within them."""
    owner = AddressOwner("c" * 128, "n" * 15, "s" * 63, "p" * 253, "u" * 36, "n1")
    full = write_holders({NETWORK[n]: Holder(owner, 2**31) for n in range(63)})
    block = shipped.block({**static("full"), "holders": full, "wanted": dict.fromkeys(full, "n2")})
    path = f"{BLOCKS}/{block['metadata']['name']}"
    more = {**full, str(NETWORK[63]): full[str(NETWORK[0])]}
    reply = shipped.n1.ask("PUT", path, {**block, "holders": more})
    assert reply.is_success, reply.message
    managed = reply.body["metadata"]["managedFields"]
    assert all("f:10.9.0.192" not in str(each) for each in managed)


def test_node_writes_beside_what_an_administrator_edited(shipped: Shipped) -> None:
    """The control: who edited holders and labels by hand loses the holders to the next writer."""
    block = shipped.block({**static("edited"), "holders": THEIRS})
    path = f"{BLOCKS}/{block['metadata']['name']}"
    edits: JsonObject = {
        "holders": {"10.9.0.205": "n2|{}"},
        "wanted": {"10.9.0.200": "n2"},
    }
    for number in range(24):
        edits["metadata"] = {"labels": {f"l{number}": "b"}, "annotations": {f"a{number}": "c"}}
        edited = shipped.admin.merge(f"{path}?fieldManager=hand-{number}", edits)
        assert edited.is_success, edited.message
        more = {**edited.body["holders"], **entries("n1", f"10.9.0.{220 + number % 12}")}
        reply = shipped.n1.ask("PUT", path, {**edited.body, "holders": more})
        assert reply.is_success, reply.message
        less = {key: text for key, text in more.items() if key != "10.9.0.200"}
        cleared = {**reply.body, "holders": less, "wanted": {}}
        reply = shipped.webhook.ask("PUT", path, cleared)
        assert reply.is_success, reply.message
        edits["holders"] = {"10.9.0.200": THEIRS["10.9.0.200"]}
