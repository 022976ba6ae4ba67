"""Blocks that are not a node's any more: deleted by hand, or used by another daemon of its name."""

from __future__ import annotations

from pathlib import Path

from planes.kube.addresses.ipblocks import NodeBlock
from planes.kube.addresses.lending import LOST_REASON
from planes.kube.resources import IPBLOCKS
from planes.model.addresses import parse_address, parse_network
from planes.model.errors import Unavailable
from planes.store.protocol import AddressOwner
from tests.kube.addresses.lending_scene import PLANE, TWO, Nodes, running


async def filled(nodes: Nodes, count: int) -> None:
    for _ in range(count):
        await nodes.take("n1")


async def test_two_daemons_of_one_node_name_are_noticed_and_the_earlier_one_stops(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, "n1") as nodes:
        first = nodes.books["n1"]
        await filled(nodes, 1)
        nodes.state = tmp_path / "another machine"
        nodes.start("n1")
        await nodes.until(lambda: bool(nodes.events))
        assert nodes.events[0].reason == LOST_REASON
        assert "another daemon of this node's name" in nodes.events[0].message
        network = parse_network(nodes.blocks()[0]["spec"]["cidr"])
        who = AddressOwner("c99", "net1", "ns", "p99", "u", "n1")
        (claimed,) = await first.claim(PLANE, who)
        assert parse_address(claimed.address.partition("/")[0]) not in network


async def test_a_block_that_somebody_deleted_is_not_used_any_more(tmp_path: Path) -> None:
    async with running(tmp_path, "n1") as nodes:
        await filled(nodes, 1)
        (block,) = nodes.blocks()
        nodes.kube.remove_object(IPBLOCKS, block["metadata"]["name"])
        await nodes.until(lambda: bool(nodes.events))
        assert "it was deleted" in nodes.events[0].message
        await nodes.take("n1")
        assert [each["metadata"]["uid"] for each in nodes.blocks()] != [block["metadata"]["uid"]]


def remove_blocks(nodes: Nodes) -> None:
    """Delete all blocks, as somebody does by hand."""
    for block in nodes.blocks():
        nodes.kube.remove_object(IPBLOCKS, block["metadata"]["name"])


async def test_a_deleted_block_is_taken_again_while_pods_have_addresses_of_it(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, "n1", "n2", plane=TWO) as nodes:
        kept = await nodes.take("n1")
        (before,) = nodes.blocks()
        remove_blocks(nodes)
        await nodes.until(lambda: bool(nodes.blocks()))
        (after,) = nodes.blocks()
        assert (after["metadata"]["name"], after["spec"]["node"]) == (
            before["metadata"]["name"],
            "n1",
        )
        others = [await nodes.take("n2") for _ in range(5)]
        assert len({kept, *others}) == 6


async def test_a_deleted_block_is_taken_again_as_soon_as_the_api_server_answers(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, "n1") as nodes:
        await filled(nodes, 1)
        nodes.kube.fail_next(Unavailable("cannot create: away"), verb="create", times=3)
        remove_blocks(nodes)
        await nodes.until(lambda: bool(nodes.blocks()))
        assert len([event for event in nodes.events if event.reason == LOST_REASON]) == 1


async def test_a_block_that_cannot_be_taken_again_is_tried_ever_more_rarely(
    tmp_path: Path,
) -> None:
    """The API server refuses it while the definition is being deleted, say, of all nodes."""
    async with running(tmp_path, "n1") as nodes:
        await filled(nodes, 1)
        nodes.kube.fail_next(Unavailable("cannot create: refused"), verb="create", times=1000)
        remove_blocks(nodes)
        nodes.kube.requests.clear()
        await nodes.wait(300)
        assert [verb for verb, *_ in nodes.kube.requests].count("create") in range(5, 12)


async def test_a_deleted_block_that_no_pod_has_an_address_of_is_not_taken_again(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, "n1") as nodes:
        await filled(nodes, 1)
        await nodes.release("n1", 1)
        remove_blocks(nodes)
        await nodes.wait(100)
        assert nodes.blocks() == []


async def test_a_deleted_block_that_another_node_was_faster_to_take_stays_its(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, "n1") as nodes:
        await filled(nodes, 1)
        (block,) = nodes.blocks()
        theirs = NodeBlock("business", "n9", parse_network(block["spec"]["cidr"])).to_json()
        remove_blocks(nodes)
        nodes.kube.put_object(IPBLOCKS, theirs)
        await nodes.until(lambda: bool(nodes.events))
        await nodes.wait(10)
        assert [each["spec"]["node"] for each in nodes.blocks()] == ["n9"]


async def test_what_others_have_borrowed_of_a_deleted_block_stays_theirs(tmp_path: Path) -> None:
    async with running(tmp_path, "n1", "n2", plane=TWO) as nodes:
        kept = [await nodes.take("n1") for _ in range(4)]
        await nodes.release("n1", 2)
        await nodes.release("n1", 3)
        borrowed = await nodes.take("n2")
        remove_blocks(nodes)
        await nodes.until(lambda: len(nodes.blocks()) == 2)
        more = [await nodes.take("n1") for _ in range(3)]
        assert len({kept[0], kept[3], borrowed, *more}) == 6
