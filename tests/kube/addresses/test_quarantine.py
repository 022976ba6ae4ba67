"""Addresses of a node's blocks that somebody on the wire has: what they cost on a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from planes.kube.addresses.address_book import KubeAddressBook
from planes.kube.resources import IPBLOCKS, NODES
from planes.model.addresses import IPAddress, parse_address
from planes.model.errors import PlanesError
from planes.model.spec.plane_spec import Plane
from planes.store.protocol import AddressOwner
from planes.store.quarantine import Quarantine
from tests.kube.addresses.lending_scene import Nodes, running
from tests.support.clock import FakeClock
from tests.support.kube.fake_kube import FakeKube
from tests.support.planes import make_plane

MAC = "02:00:00:00:00:01"
ONE = AddressOwner("c1", "net1", "shop", "web", "u1", "n1")


def probed(**ipam: Any) -> Plane:
    subnet = {"cidr": "10.9.0.0/24", "gateway": "10.9.0.1", "staticRanges": ["10.9.0.128/25"]}
    return make_plane(
        subnets=[subnet],
        ipam={"conflictDetection": "Probe", **ipam},
        staticIPs={"allow": "Any"},
    )


class Cluster:
    """A node of a cluster, with its book."""

    def __init__(self, state: Path) -> None:
        self.kube = FakeKube()
        self.clock = FakeClock()
        self.state = state
        self.book = KubeAddressBook(self.kube, "n1", state, self.clock, randomness=lambda: 0.5)

    async def claim(self, plane: Plane, owner: AddressOwner = ONE, **more: Any) -> IPAddress:
        [given] = await self.book.claim(plane, owner, **more)
        return parse_address(given.ip)

    def blocks(self) -> int:
        return sum(obj["spec"]["use"] == "Node" for obj in self.kube.objects(IPBLOCKS))


async def test_the_next_claim_gives_another_address_without_a_request(tmp_path: Path) -> None:
    one, plane = Cluster(tmp_path), probed()
    first = await one.claim(plane)
    one.kube.requests.clear()
    await one.book.quarantine(plane, ONE, {first: MAC})
    assert await one.claim(plane) != first
    assert one.kube.requests == []


async def test_a_static_address_does_not_rest(tmp_path: Path) -> None:
    """Its pod looks at each attempt, and has it once it is silent."""
    one, plane = Cluster(tmp_path), probed()
    asked = parse_address("10.9.0.200")
    assert await one.claim(plane, wanted=[asked]) == asked
    await one.book.quarantine(plane, ONE, {asked: MAC})
    assert Quarantine(tmp_path / "addresses" / "business").read(one.clock.now()) == {}
    assert await one.claim(plane, wanted=[asked]) == asked


async def test_another_candidate_is_claimed_and_the_first_one_released(tmp_path: Path) -> None:
    one, plane = Cluster(tmp_path), probed()
    first, second = parse_address("10.9.0.200"), parse_address("10.9.0.201")
    assert await one.claim(plane, candidates=[first, second]) == first
    await one.book.quarantine(plane, ONE, {first: MAC})
    assert await one.claim(plane, candidates=[second]) == second
    assert list(await one.book.holders("business")) == [second]


@pytest.mark.parametrize("size", [27, 30, 31, 32])
async def test_who_answers_for_everything_costs_a_node_one_block_at_most(
    tmp_path: Path, size: int
) -> None:
    """Pod after pod fails with three addresses, for hours; other nodes keep theirs."""
    one, plane = Cluster(tmp_path), probed(blockSize=size)
    for attempt in range(40):
        owner = AddressOwner(f"c{attempt}", "net1", "shop", f"web-{attempt}", "u", "n1")
        for _ in range(3):
            address = await one.claim(plane, owner)
            await one.book.quarantine(plane, owner, {address: MAC})
        await one.book.release(plane.name, owner.container_id, owner.interface)
        one.clock.advance(11)
    assert one.blocks() <= 2


TWO_PROBED = make_plane(
    subnets=[{"cidr": "10.9.0.0/29"}], ipam={"blockSize": 30, "conflictDetection": "Probe"}
)
"""Two blocks of three addresses."""


async def quarantined(nodes: Nodes, number: int) -> str:
    """Let a pod of n1 take an address that somebody has, then another one; return the first."""
    who = AddressOwner(f"c{number}", "net1", "ns", f"p{number}", "u", "n1")
    book = nodes.books["n1"]
    [given] = await book.claim(TWO_PROBED, who)
    await book.quarantine(TWO_PROBED, who, {parse_address(given.ip): MAC})
    await book.claim(TWO_PROBED, who)
    return given.ip


async def test_an_address_that_answers_is_not_lent(tmp_path: Path) -> None:
    """Of six addresses five are held and one is in use on the wire: none is free to lend."""
    async with running(tmp_path, "n1", "n2", plane=TWO_PROBED) as nodes:
        answers = await quarantined(nodes, 100)
        for _ in range(4):
            await nodes.take("n1")
        with pytest.raises(PlanesError, match="asked n1: none free there"):
            await nodes.take("n2")
        assert nodes.borrowed() == []
        assert not any(obj.get("lent") for obj in nodes.blocks())
        await nodes.release("n1", 1)
        await nodes.wait(31)
        assert await nodes.take("n2") != answers


async def test_an_address_that_answers_keeps_no_block(tmp_path: Path) -> None:
    """The node that takes the block next probes before it uses an address."""
    async with running(tmp_path, "n1", plane=TWO_PROBED) as nodes:
        await quarantined(nodes, 100)
        await nodes.release("n1", 100)
        spec = {"unschedulable": True}
        nodes.kube.put_object(NODES, {"metadata": {"name": "n1"}, "spec": spec})
        await nodes.wait(10)
        assert nodes.blocks() == []
