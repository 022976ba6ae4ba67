"""A node's blocks are found again at start, though the list that every node asks for may be old."""

from __future__ import annotations

from pathlib import Path

from planes.kube.kept_records import KeptRecords
from planes.kube.node_blocks import NodeBlocks
from planes.kube.resources import IPBLOCKS
from planes.model.addresses import AddressRange
from planes.model.errors import JsonObject
from planes.store.addressbook import NoneFree
from tests.support.kube import FakeKube
from tests.support.planes import make_plane

PLANE = make_plane(subnets=[{"cidr": "10.9.0.0/28", "gateway": "10.9.0.1"}])


def blocks_of(kube: FakeKube, node: str, state: Path) -> NodeBlocks:
    return NodeBlocks(kube, node, KeptRecords(state))


async def grown(kube: FakeKube, node: str, state: Path) -> tuple[AddressRange, ...]:
    """Have a node take a block; what it may hand out."""
    blocks = blocks_of(kube, node, state)
    await blocks.grow(PLANE, await blocks.holding(PLANE), NoneFree("full", "", 4, 0))
    return (await blocks.holding(PLANE)).spans


def node_blocks(kube: FakeKube) -> list[JsonObject]:
    return [obj for obj in kube.objects(IPBLOCKS) if obj["spec"]["use"] == "Node"]


async def test_what_is_found_at_start_is_read_by_name_from_a_list_that_may_be_old(
    tmp_path: Path,
) -> None:
    kube = FakeKube()
    spans = await grown(kube, "n1", tmp_path)
    kube.requests.clear()
    kube.lists.clear()
    assert (await blocks_of(kube, "n1", tmp_path).holding(PLANE)).spans == spans
    (block,) = node_blocks(kube)
    assert kube.lists == ["0"]
    name = block["metadata"]["name"]
    asked = [("list", "ipblocks", "", ""), ("get", "ipblocks", "", name)]
    assert kube.requests[:2] == asked


async def test_a_block_in_the_list_that_was_given_to_another_node_meanwhile_is_not_ours(
    tmp_path: Path,
) -> None:
    kube = FakeKube()
    await grown(kube, "n1", tmp_path)
    (block,) = node_blocks(kube)

    def give_away() -> None:
        kube.remove_object(IPBLOCKS, block["metadata"]["name"])
        kube.put_object(IPBLOCKS, {**block, "spec": {**block["spec"], "node": "n2"}})

    kube.before_next(give_away, verb="get", resource=IPBLOCKS)
    assert (await blocks_of(kube, "n1", tmp_path).holding(PLANE)).spans == ()


async def test_a_block_in_the_list_that_was_removed_meanwhile_is_not_ours(tmp_path: Path) -> None:
    kube = FakeKube()
    await grown(kube, "n1", tmp_path)
    (block,) = node_blocks(kube)
    kube.before_next(
        lambda: kube.remove_object(IPBLOCKS, block["metadata"]["name"]),
        verb="get",
        resource=IPBLOCKS,
    )
    assert (await blocks_of(kube, "n1", tmp_path).holding(PLANE)).spans == ()


async def test_a_block_of_ours_that_the_list_did_not_show_is_used_before_another_is_taken(
    tmp_path: Path,
) -> None:
    kube = FakeKube()
    spans = await grown(kube, "n1", tmp_path)
    (block,) = node_blocks(kube)
    kube.remove_object(IPBLOCKS, block["metadata"]["name"])
    blocks = blocks_of(kube, "n1", tmp_path)
    holding = await blocks.holding(PLANE)
    kube.put_object(IPBLOCKS, block)
    await blocks.grow(PLANE, holding, NoneFree("full", "", 4, 0))
    assert (await blocks.holding(PLANE)).spans == spans
    assert len(node_blocks(kube)) == 1
