"""Somebody who has taken a node makes IPBlocks without end: each is as it should be.

No policy can count. So what others remember of one node's blocks is bounded, and what another node
asks for does not grow with them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from ipaddress import IPv4Address, ip_network
from pathlib import Path
from typing import Any

import pytest

from planes.kube.addresses.holders import Holder, static_object
from planes.kube.addresses.ipblocks import NodeBlock, grid_object
from planes.kube.addresses.searching import AGAIN_SECONDS
from planes.kube.addresses.static_holders import StaticHolders
from planes.kube.informers.cache import ObjectCache
from planes.kube.resources import IPBLOCKS, PODS
from planes.model.addresses import IPAddress, IPNetwork
from planes.model.bounds import MAX_BLOCKS_OF_NODE, MAX_HELD_OF_NODE
from planes.model.errors import Exhausted, JsonObject
from planes.model.state.claim_changes import Held
from planes.store.address_claim import NoneFree
from planes.store.protocol import AddressOwner
from tests.attacks.test_node_blocks import PLANE, book_of, owner, take
from tests.kube.addresses.static_scene import node_blocks_of
from tests.support.clock import FakeClock
from tests.support.kube.fake_kube import FakeKube
from tests.support.kube.nodes import shut_down
from tests.support.planes import make_plane
from webhook.controller.blocks import Blocks
from webhook.controller.holders import TICK_SECONDS, HolderKeeper

FULL = NoneFree("full", "", 4, 0)


def held_by(node: str, network: IPNetwork) -> JsonObject:
    """Return a static block of which a node holds all addresses."""
    who = AddressOwner("c" * 64, "net1", "shop", "db-0", "uid-1", node)
    holders: dict[IPAddress, Holder] = {address: Holder(who, 7) for address in network}
    return static_object("business", network, holders, node)


def networks(count: int, length: int, first: str = "10.0.0.0") -> list[IPNetwork]:
    start, step = int(IPv4Address(first)), 1 << (32 - length)
    return [ip_network((start + number * step, length)) for number in range(count)]


def test_node_holds_of_static_addresses_no_more_than_its_share_of_the_webhooks_memory() -> None:
    """3,000 blocks, made in half a minute, took 116 MiB of each webhook."""
    known: dict[Held, str] = {}

    def on_held(changes: Mapping[Held, str | None]) -> None:
        for place, pod in changes.items():
            if pod is None:
                del known[place]
            else:
                known[place] = pod

    follower = StaticHolders(on_held)
    blocks = [held_by("n1", network) for network in networks(100, 26)]
    assert len(blocks) * 64 > MAX_HELD_OF_NODE
    for block in blocks:
        follower.put(block)
    assert len(known) == MAX_HELD_OF_NODE
    (network,) = networks(1, 26, "10.9.0.192")
    follower.put(held_by("n2", network))
    assert known["business", IPv4Address("10.9.0.200")] == "shop/db-0"
    for block in blocks:
        follower.drop(block)
    assert len(known) == 64
    follower.put(blocks[-1])
    assert len(known) == 128


def test_node_makes_blocks_of_which_the_controller_remembers_its_share() -> None:
    held = Blocks(lambda _name: None)
    cache = ObjectCache(held.read, on_object=held.changed)
    for network in networks(MAX_BLOCKS_OF_NODE + 100, 28):
        cache.put(NodeBlock("business", "n1", network).to_json())
    for network in networks(100, 16, "20.0.0.0"):
        cache.put(grid_object("business", network, 26, "n1"))
    assert held.counts["business"] == len(cache) == MAX_BLOCKS_OF_NODE
    for network in networks(100, 26):
        cache.put(held_by("n1", network))
    assert len(cache) == MAX_BLOCKS_OF_NODE
    cache.put(NodeBlock("business", "n2", ip_network("10.9.0.0/26")).to_json())
    assert held.counts["business"] == MAX_BLOCKS_OF_NODE + 1
    (gone,) = networks(1, 28)
    cache.drop(NodeBlock("business", "n1", gone).to_json())
    cache.put(NodeBlock("business", "n1", ip_network("10.9.1.0/26")).to_json())
    assert held.counts["business"] == MAX_BLOCKS_OF_NODE + 1


def test_node_has_made_too_many_blocks_and_what_others_hold_in_them_is_found() -> None:
    """Else it makes the static blocks of a plane first: no address of a dead node is released."""
    waiting: list[str] = []
    held = Blocks(waiting.append)
    cache = ObjectCache(held.read, on_object=held.changed)
    for network in networks(MAX_BLOCKS_OF_NODE, 28):
        cache.put(NodeBlock("business", "n1", network).to_json())
    block = held_by("n2", ip_network("10.9.0.192/26"))
    made = {**block, "spec": {**block["spec"], "madeBy": "n1"}, "wanted": {"10.9.0.200": "n3"}}
    cache.put({**held_by("n1", ip_network("10.9.1.192/26"))})
    assert "n2" not in held.of_nodes
    cache.put(made)
    name = str(made["metadata"]["name"])
    assert list(held.of_nodes["n2"]) == [name]
    assert waiting == [name]
    assert len(cache) == MAX_BLOCKS_OF_NODE + 1
    cache.drop(made)
    assert "n2" not in held.of_nodes


@pytest.mark.parametrize("spoilt", [{}, {"static": ["10.9.0.9-10.9.0.3"]}], ids=["fit", "unfit"])
async def test_node_has_taken_all_blocks_and_another_asks_for_few_of_them(
    tmp_path: Path, spoilt: dict[str, Any]
) -> None:
    """Of blocks that nobody goes by each was tried anew, with two requests, at each ADD."""
    kube = FakeKube()
    kube.put_object(IPBLOCKS, grid_object("business", ip_network("10.9.0.0/16"), 28, "n1"))
    for network in networks(16, 28, "10.9.0.0"):
        obj = NodeBlock("business", "n1", network).to_json()
        kube.put_object(IPBLOCKS, {**obj, "spec": {**obj["spec"], **spoilt}})
    blocks = node_blocks_of(kube, tmp_path, "n2")
    holding = await blocks.holding(PLANE)
    kube.requests.clear()
    with pytest.raises(Exhausted):
        await blocks.grow(PLANE, holding, FULL)
    assert len(kube.requests) <= 10


async def test_node_takes_no_address_out_of_the_blocks_that_others_have(tmp_path: Path) -> None:
    """It called itself the holder of what n2 hands out: after a restart n2 had nothing left."""
    kube = FakeKube()
    first = await take(book_of(kube, tmp_path, "n2"), 1, "n2")
    for network in networks(4, 26, "10.9.0.0"):
        kube.put_object(IPBLOCKS, held_by("n1", network))
    begun_anew = book_of(kube, tmp_path, "n2")
    taken = {await take(begun_anew, number, "n2") for number in range(2, 12)}
    assert len(taken) == 10
    assert first not in taken
    (block,) = [b for b in kube.objects(IPBLOCKS) if b["spec"]["node"] == "n2"]
    assert all(IPv4Address(text) in ip_network(block["spec"]["cidr"]) for text in taken)


async def test_node_block_that_was_given_back_by_hand_is_read_anew(tmp_path: Path) -> None:
    """What was known of the block under that name before says nothing of the new one."""
    kube = FakeKube()
    await take(book_of(kube, tmp_path, "n2"), 1, "n2")
    (block,) = [b for b in kube.objects(IPBLOCKS) if b["spec"]["node"] == "n2"]
    kube.remove_object(IPBLOCKS, block["metadata"]["name"])
    for network in networks(4, 26, "10.9.0.0"):
        kube.put_object(IPBLOCKS, held_by("n1", network))
    with pytest.raises(Exhausted):
        await take(book_of(kube, tmp_path, "n2"), 2, "n2")


async def test_static_addresses_that_were_held_before_the_block_stay_out_after_a_restart(
    tmp_path: Path,
) -> None:
    """The control: an older plane had them static; their holders have them still."""
    kube = FakeKube()
    for network in networks(4, 26, "10.9.0.0"):
        block = held_by("n1", network)
        some = {a: text for a, text in block["holders"].items() if int(IPv4Address(a)) % 2}
        kube.put_object(IPBLOCKS, {**block, "holders": some})
    got = set()
    for number in range(6):
        got.add(await take(book_of(kube, tmp_path, "n2"), number, "n2"))
    assert not [text for text in got if int(IPv4Address(text)) % 2]


async def test_node_that_holds_all_addresses_makes_no_other_take_all_blocks(
    tmp_path: Path,
) -> None:
    """One ADD took all 1,024 blocks of a /16, each for nothing, and nobody else had any."""
    kube = FakeKube()
    plane = make_plane(subnets=[{"cidr": "10.9.0.0/20"}])
    for network in networks(64, 26, "10.9.0.0"):
        kube.put_object(IPBLOCKS, held_by("n1", network))
    book = book_of(kube, tmp_path, "n2")
    for number in range(3):
        with pytest.raises(Exhausted, match=r"are held by n1 \(4096\)"):
            await book.claim(plane, owner(number, "n2"))
    assert [b["spec"]["node"] for b in kube.objects(IPBLOCKS)].count("n2") == 1
    name = str(held_by("n1", ip_network("10.9.8.0/26"))["metadata"]["name"])
    kube.remove_object(IPBLOCKS, name)
    await asyncio.sleep(AGAIN_SECONDS)  # until then the answer of the search before counts
    (claimed,) = await book.claim(plane, owner(9, "n2"))
    assert claimed.address.startswith("10.9.8.")


async def test_node_that_wishes_again_and_again_keeps_no_other_waiting() -> None:
    """The first eight wishes were looked at, by address: it made them anew each second."""
    kube = FakeKube()
    alive = {"name": "db-0", "namespace": "shop"}
    kube.put_object(PODS, {"metadata": alive, "spec": {"nodeName": "n3"}})
    shut_down(kube, "n3")
    pod = kube.object(PODS, "db-0", "shop")
    assert pod is not None
    network = ip_network("10.9.0.192/26")
    holders: dict[IPAddress, Holder] = {}
    for address in network:
        uid = "gone" if address == network[63] else str(pod["metadata"]["uid"])
        who = AddressOwner(f"c{int(address)}", "net1", "shop", "db-0", uid, "n3")
        holders[address] = Holder(who)
    block = static_object("business", network, holders, "n3")
    name, dead = str(block["metadata"]["name"]), str(network[63])
    wishes = {str(address): "n1" for address in network if str(address) != dead} | {dead: "n2"}
    kube.put_object(IPBLOCKS, {**block, "wanted": wishes})
    clock = FakeClock()
    keeper = HolderKeeper(kube, clock, randomness=lambda: 0.5, failed=lambda: None)
    for _ in range(12):
        await keeper.reconcile(name)
        now = kube.object(IPBLOCKS, name)
        assert now is not None
        if dead not in now["holders"]:
            return
        clock.advance(TICK_SECONDS)
        kube.put_object(IPBLOCKS, {**now, "wanted": wishes})
    pytest.fail("nobody looked at the wish of n2")
