"""Borrowed addresses that somebody on the wire has."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from planes.kube.addresses.searching import AGAIN_SECONDS
from planes.model.addresses import parse_address
from planes.model.errors import Exhausted
from planes.store.protocol import AddressOwner
from tests.kube.addresses.lending_scene import Nodes, running
from tests.support.planes import make_plane

MAC = "02:00:00:00:00:01"
PLANE = make_plane(
    subnets=[{"cidr": "10.9.0.0/28"}], ipam={"blockSize": 29, "conflictDetection": "Probe"}
)
"""Two blocks of seven addresses."""


@pytest.fixture
async def nodes(tmp_path: Path) -> AsyncIterator[Nodes]:
    """Node n1 has both blocks, and eight addresses are free: four in each."""
    async with running(tmp_path, "n1", "n2", plane=PLANE) as made:
        for _ in range(14):
            await made.take("n1")
        for number in (3, 4, 5, 6, 10, 11, 12, 13):
            await made.release("n1", number)
        yield made


def who(nodes: Nodes) -> AddressOwner:
    return AddressOwner(f"c{nodes.count}", "net1", "ns", f"p{nodes.count}", "u", "n2")


async def again(nodes: Nodes) -> str:
    """Claim once more for the same attachment."""
    nodes.count -= 1
    return await nodes.take("n2")


async def test_the_attachment_gets_another_one_in_the_same_add(nodes: Nodes) -> None:
    """It got the same one again, probed it again, and so on until the runtime gave up."""
    first = await nodes.take("n2")
    await nodes.books["n2"].quarantine(PLANE, who(nodes), {parse_address(first): MAC})
    second = await again(nodes)
    assert second != first
    assert nodes.borrowed() == [second]


async def test_the_next_pod_does_not_begin_with_it(nodes: Nodes) -> None:
    """Lent addresses are tried in their order."""
    first = await nodes.take("n2")
    await nodes.books["n2"].quarantine(PLANE, who(nodes), {parse_address(first): MAC})
    await nodes.release("n2", nodes.count)
    await nodes.until(lambda: not nodes.borrowed())
    second = await nodes.take("n2")
    assert second != first


async def test_it_is_tried_again_after_a_while(nodes: Nodes) -> None:
    first = await nodes.take("n2")
    await nodes.books["n2"].quarantine(PLANE, who(nodes), {parse_address(first): MAC})
    await nodes.release("n2", nodes.count)
    await nodes.wait(400)
    taken = {await nodes.take("n2") for _ in range(8)}
    assert first in taken


async def test_it_is_probed_again_where_it_is_the_only_one(tmp_path: Path) -> None:
    """The ADD that follows says who has it, and not that none is free."""
    plane = make_plane(
        subnets=[{"cidr": "10.9.0.0/29"}], ipam={"blockSize": 29, "conflictDetection": "Probe"}
    )
    async with running(tmp_path, "n1", "n2", plane=plane) as nodes:
        for _ in range(6):
            await nodes.take("n1")
        await nodes.release("n1", 3)
        first = await nodes.take("n2")
        await nodes.books["n2"].quarantine(plane, who(nodes), {parse_address(first): MAC})
        with pytest.raises(Exhausted):
            await again(nodes)
        await nodes.release("n2", nodes.count)
        await nodes.until(lambda: not nodes.borrowed())
        await nodes.wait(AGAIN_SECONDS)  # until then the answer of the search before counts
        assert await nodes.take("n2") == first


async def test_who_answers_for_one_of_two_families_costs_the_other_nothing(tmp_path: Path) -> None:
    plane = make_plane(
        subnets=[
            {"cidr": "10.9.0.0/29"},
            {"cidr": "fd00:9::/64", "ranges": ["fd00:9::10-fd00:9::1f"]},
        ],
        ipam={"blockSize": 30, "conflictDetection": "Probe"},
    )
    async with running(tmp_path, "n1", "n2", plane=plane) as nodes:
        for _ in range(4):
            await nodes.take("n1")
        await nodes.release("n1", 1)
        await nodes.release("n1", 3)
        first = await nodes.take("n2")
        owner = who(nodes)
        (_, before) = await nodes.books["n2"].claim(plane, owner)
        await nodes.books["n2"].quarantine(plane, owner, {parse_address(first): MAC})
        assert await again(nodes) != first
        (_, after) = await nodes.books["n2"].claim(plane, owner)
        assert after == before
