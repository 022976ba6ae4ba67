"""A node finds its own blocks at start, though the cached list of blocks may be old."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import pytest

from planes.kube.addresses.ipblocks import NodeBlock, grid_object
from planes.kube.resources import IPBLOCKS
from planes.model.addresses import AddressRange, IPNetwork, parse_network
from planes.model.errors import JsonObject, Unavailable
from planes.model.spec.block_sizes import network_around
from planes.model.spec.blocks import cells, region_spans, seed
from planes.store.address_claim import NoneFree
from tests.kube.addresses.static_scene import node_blocks_of
from tests.support.kube.fake_kube import FakeKube
from tests.support.planes import make_plane

PLANE = make_plane(subnets=[{"cidr": "10.9.0.0/28", "gateway": "10.9.0.1"}])


async def grown(kube: FakeKube, node: str, state: Path) -> tuple[AddressRange, ...]:
    """Have a node take a block; return what it may hand out."""
    blocks = node_blocks_of(kube, state, node)
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
    assert (await node_blocks_of(kube, tmp_path).holding(PLANE)).spans == spans
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
    assert (await node_blocks_of(kube, tmp_path).holding(PLANE)).spans == ()


async def test_a_block_in_the_list_that_was_removed_meanwhile_is_not_ours(tmp_path: Path) -> None:
    kube = FakeKube()
    await grown(kube, "n1", tmp_path)
    (block,) = node_blocks(kube)
    kube.before_next(
        lambda: kube.remove_object(IPBLOCKS, block["metadata"]["name"]),
        verb="get",
        resource=IPBLOCKS,
    )
    assert (await node_blocks_of(kube, tmp_path).holding(PLANE)).spans == ()


async def test_a_block_of_ours_that_the_list_did_not_show_is_used_before_another_is_taken(
    tmp_path: Path,
) -> None:
    kube = FakeKube()
    spans = await grown(kube, "n1", tmp_path)
    (block,) = node_blocks(kube)
    kube.remove_object(IPBLOCKS, block["metadata"]["name"])
    blocks = node_blocks_of(kube, tmp_path)
    holding = await blocks.holding(PLANE)
    kube.put_object(IPBLOCKS, block)
    await blocks.grow(PLANE, holding, NoneFree("full", "", 4, 0))
    assert (await blocks.holding(PLANE)).spans == spans
    assert len(node_blocks(kube)) == 1


LARGE = make_plane(subnets=[{"cidr": "10.9.0.0/16"}])
"""1,024 blocks."""


def order_of(node: str) -> Iterator[IPNetwork]:
    """Yield the blocks of the large plane in a node's order."""
    (part,) = region_spans(LARGE, 4)
    return cells(part, 26, seed(node, LARGE.name))


def put(kube: FakeKube, node: str, networks: Iterable[IPNetwork]) -> None:
    kube.put_object(IPBLOCKS, grid_object(LARGE.name, parse_network("10.9.0.0/16"), 26))
    for network in networks:
        kube.put_object(IPBLOCKS, NodeBlock(LARGE.name, node, network).to_json())


async def taken(kube: FakeKube, state: Path) -> str:
    """Have node n1 take its first block of the large plane; return it."""
    blocks = node_blocks_of(kube, state)
    holding = await blocks.holding(LARGE)
    kube.requests.clear()
    await blocks.grow(LARGE, holding, NoneFree("full", "", 4, 0))
    (span,) = (await blocks.holding(LARGE)).spans
    return str(network_around(span.first, 26))


async def test_a_large_plane_is_not_listed_while_a_free_block_is_found_by_looking(
    tmp_path: Path,
) -> None:
    """60 blocks in a row are taken: each is read once, and one block is created in vain."""
    kube, order = FakeKube(), order_of("n1")
    put(kube, "n2", islice(order, 60))
    assert await taken(kube, tmp_path) == str(next(order))
    asked = Counter(verb for verb, *_ in kube.requests)
    assert asked["list"] == 0
    assert asked["create"] == 2
    assert asked["get"] <= 60 + 8


async def test_it_is_listed_where_even_more_blocks_are_taken(tmp_path: Path) -> None:
    kube, order = FakeKube(), order_of("n1")
    put(kube, "n2", islice(order, 200))
    assert await taken(kube, tmp_path) == str(next(order))
    assert [verb for verb, *_ in kube.requests].count("list") == 1


async def test_a_block_of_ours_is_used_that_is_found_by_looking(tmp_path: Path) -> None:
    kube, order = FakeKube(), order_of("n1")
    put(kube, "n2", islice(order, 3))
    ours = next(order)
    blocks = node_blocks_of(kube, tmp_path)
    holding = await blocks.holding(LARGE)
    put(kube, "n1", [ours])
    await blocks.grow(LARGE, holding, NoneFree("full", "", 4, 0))
    (span,) = (await blocks.holding(LARGE)).spans
    assert span.first in ours
    assert [obj["spec"]["node"] for obj in node_blocks(kube)].count("n1") == 1


async def test_the_place_of_an_invalid_block_is_not_tried(tmp_path: Path) -> None:
    kube, order = FakeKube(), order_of("n1")
    put(kube, "n2", islice(order, 1))
    bad = NodeBlock(LARGE.name, "n2", next(order)).to_json()
    kube.put_object(IPBLOCKS, {**bad, "lent": ["nothing"]})
    assert await taken(kube, tmp_path) == str(next(order))
    assert [verb for verb, *_ in kube.requests].count("create") == 2


async def test_a_block_is_given_up_whose_grid_was_replaced_while_it_was_taken(
    tmp_path: Path,
) -> None:
    """Another node may have taken a block of the new size around the same addresses."""
    kube = FakeKube()
    grid = grid_object(LARGE.name, parse_network("10.9.0.0/16"), 26)
    kube.put_object(IPBLOCKS, grid)

    def replace() -> None:
        kube.remove_object(IPBLOCKS, grid["metadata"]["name"])
        kube.put_object(IPBLOCKS, grid_object(LARGE.name, parse_network("10.9.0.0/16"), 28))

    blocks = node_blocks_of(kube, tmp_path)
    holding = await blocks.holding(LARGE)
    kube.before_next(replace, verb="create", resource=IPBLOCKS)
    with pytest.raises(Unavailable, match=r"the Grid around .* was deleted just now"):
        await blocks.grow(LARGE, holding, NoneFree("full", "", 4, 0))
    assert node_blocks(kube) == []
    await blocks.grow(LARGE, await blocks.holding(LARGE), NoneFree("full", "", 4, 0))
    assert [obj["spec"]["cidr"].partition("/")[2] for obj in node_blocks(kube)] == ["28"]
