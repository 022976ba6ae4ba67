"""Nodes lend each other addresses: on an API server in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from planes.kube.addresses.holders import Holder, static_object
from planes.kube.resources import IPBLOCKS, Resource
from planes.model.addresses import parse_network
from planes.model.errors import Exhausted, JsonObject, PlanesError, Unavailable
from planes.store.protocol import AddressOwner
from tests.kube.addresses.lending_scene import TWO, Nodes, running
from tests.support.kube.fake_kube import FakeKube
from tests.support.planes import make_plane


@pytest.fixture
async def nodes(tmp_path: Path) -> AsyncIterator[Nodes]:
    async with running(tmp_path, "n1", "n2") as made:
        yield made


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[Nodes]:
    """Node n1 has both blocks, with one pod in each."""
    async with running(tmp_path, "n1", "n2", plane=TWO) as made:
        for _ in range(4):
            await made.take("n1")
        await made.release("n1", 2)
        await made.release("n1", 3)
        yield made


async def test_125_addresses_of_a_25_are_used_to_the_last_and_the_next_pod_is_told_why(
    nodes: Nodes,
) -> None:
    taken = [await nodes.take(node) for _ in range(60) for node in ("n1", "n2")]
    taken += [await nodes.take("n2") for _ in range(5)]
    assert len(set(taken)) == 125
    with pytest.raises(PlanesError) as caught:
        await nodes.take("n2")
    text = str(caught.value)
    assert "of 125 addresses node n2 has 4 of its blocks with" in text
    assert "the others belong to n1 (4)" in text
    assert "asked n1: none free there" in text


async def test_all_addresses_but_the_others_pods_can_be_used_by_one_node(nodes: Nodes) -> None:
    taken = [await nodes.take("n1") for _ in range(60)]
    taken += [await nodes.take("n2") for _ in range(65)]
    assert len(set(taken)) == 125


class Unanswered(FakeKube):
    """Carries out what lends, and every answer to that is lost."""

    async def replace(self, resource: Resource, obj: JsonObject, **more: Any) -> JsonObject:
        written = await super().replace(resource, obj, **more)
        if obj.get("lent"):
            raise Unavailable("cannot write: the connection broke")
        return written


async def test_what_was_lent_without_an_answer_is_not_handed_out(tmp_path: Path) -> None:
    async with running(tmp_path, plane=TWO) as nodes:
        nodes.kube = Unanswered()
        for name in ("n1", "n2"):
            nodes.start(name)
        taken = [await nodes.take("n1") for _ in range(4)]
        taken.append(await nodes.take("n2"))
        with suppress(PlanesError):
            taken.append(await nodes.take("n1"))
            taken.append(await nodes.take("n1"))
        assert len(taken) > 4
        assert len(set(taken)) == len(taken)


async def test_nothing_is_asked_while_a_block_has_room(nodes: Nodes) -> None:
    await nodes.take("n1")
    await nodes.wait(5)
    nodes.kube.requests.clear()
    for _ in range(10):
        await nodes.take("n1")
    assert nodes.kube.requests == []


async def test_a_node_that_asks_is_lent_half_of_what_is_free(small: Nodes) -> None:
    """One of the two blocks of n1 has two free addresses, the other one or none."""
    await small.take("n2")
    lent = [obj.get("lent") for obj in small.blocks() if obj.get("lent")]
    assert lent
    assert len(small.borrowed()) == 1
    await small.until(lambda: not any(obj.get("asked") for obj in small.blocks()))


async def test_a_wholly_empty_block_is_returned_to_who_asks(tmp_path: Path) -> None:
    async with running(tmp_path, "n1", "n2", plane=TWO) as nodes:
        for _ in range(4):
            await nodes.take("n1")
        for number in (1, 2, 3):
            await nodes.release("n1", number)
        await nodes.take("n2")
        assert len(nodes.blocks("n2")) == 1
        assert nodes.borrowed() == []


async def test_a_borrowed_address_is_its_pods_until_it_is_released(small: Nodes) -> None:
    address = await small.take("n2")
    assert small.borrowed() == [address]
    again = AddressOwner(f"c{small.count}", "net1", "ns", f"p{small.count}", "u", "n2")
    (same,) = await small.books["n2"].claim(TWO, again)
    assert same.address.startswith(f"{address}/")
    await small.release("n2", small.count)
    await small.until(lambda: not small.borrowed())


async def test_a_borrowed_address_is_found_again_after_a_restart(small: Nodes) -> None:
    address = await small.take("n2")
    await small.stop("n2")
    small.start("n2")
    again = AddressOwner(f"c{small.count}", "net1", "ns", f"p{small.count}", "u", "n2")
    (same,) = await small.books["n2"].claim(TWO, again)
    assert same.address.startswith(f"{address}/")


async def test_a_borrowed_address_cools_down_before_another_pod_may_have_it(
    tmp_path: Path,
) -> None:
    plane = make_plane(
        subnets=[{"cidr": "10.9.0.0/29"}], ipam={"blockSize": 30, "cooldownSeconds": 20}
    )
    async with running(tmp_path, "n1", "n2", plane=plane) as nodes:
        for _ in range(5):
            await nodes.take("n1")
        await nodes.take("n2")
        await nodes.release("n2", nodes.count)
        await nodes.wait(15)
        assert len(nodes.borrowed()) == 1
        await nodes.wait(10)
        assert nodes.borrowed() == []


async def test_the_owner_borrows_what_it_has_lent_itself(small: Nodes) -> None:
    await small.take("n2")
    await small.release("n2", small.count)
    await small.until(lambda: not small.borrowed(), 0.05)
    taken = [await small.take("n1") for _ in range(4)]
    assert len(set(taken)) == 4


async def test_what_nobody_borrows_any_more_is_taken_back_after_a_while(small: Nodes) -> None:
    await small.take("n2")
    await small.release("n2", small.count)
    await small.until(lambda: not small.borrowed(), 0.05)
    await small.until(lambda: not any(obj.get("lent") for obj in small.blocks()))
    small.kube.requests.clear()
    await small.take("n1")
    assert not [verb for verb, *_ in small.kube.requests if verb in {"create", "update"}]


async def test_what_is_borrowed_stays_lent(small: Nodes) -> None:
    address = await small.take("n2")
    await small.wait(200)
    assert [obj["lent"] for obj in small.blocks() if obj.get("lent")] == [[address]]


async def test_a_plane_that_does_not_borrow_says_so(tmp_path: Path) -> None:
    plane = make_plane(subnets=[{"cidr": "10.9.0.0/29"}], ipam={"blockSize": 30, "borrow": False})
    async with running(tmp_path, "n1", "n2", plane=plane) as nodes:
        for _ in range(4):
            await nodes.take("n1")
        with pytest.raises(Exhausted, match="nodes do not borrow in this plane"):
            await nodes.take("n2")
        assert not any(obj.get("asked") or obj.get("lent") for obj in nodes.blocks())


async def test_a_node_that_does_not_borrow_lends_nothing_to_who_asks(small: Nodes) -> None:
    small.plane = make_plane(
        subnets=[{"cidr": "10.9.0.0/29"}], ipam={"blockSize": 30, "borrow": False}
    )
    with pytest.raises(Exhausted):
        await small.take("n2", TWO)
    assert not any(obj.get("asked") or obj.get("lent") for obj in small.blocks())


async def test_a_node_that_does_not_answer_is_named_and_the_pod_tries_again(
    small: Nodes,
) -> None:
    await small.stop("n1")
    with pytest.raises(Unavailable, match="asked n1: no answer from n1"):
        await small.take("n2")


async def test_pods_that_start_at_once_ask_once(nodes: Nodes) -> None:
    for _ in range(125 - 16):
        await nodes.take("n1")
    nodes.kube.requests.clear()
    taken = await asyncio.gather(*(nodes.take("n2") for _ in range(14)))
    assert len(set(taken)) == 14


async def test_who_asks_without_end_is_answered_once_a_second(small: Nodes) -> None:
    name = next(obj["metadata"]["name"] for obj in small.blocks("n1"))

    def ask() -> None:
        obj = small.kube.object(IPBLOCKS, name)
        assert obj is not None
        small.kube.put_object(IPBLOCKS, {**obj, "asked": {"evil": "2027-01-01T00:00:00Z"}})

    small.kube.requests.clear()
    for _ in range(100):
        ask()
        small.clock.advance(0.1)
        await asyncio.sleep(0.002)
    written = [each for each in small.kube.requests if each[0] == "update"]
    assert len(written) <= 12


async def test_what_a_node_claims_before_it_is_lent_is_not_lent_to_it(small: Nodes) -> None:
    """It wrote itself as the holder of all addresses: nothing of the block is lost to others."""
    network = parse_network("10.9.0.0/26")
    who = AddressOwner("c" * 64, "net1", "ns", "db-0", "uid-1", "evil")
    held = await small.books["n1"].holders("business")
    every = [ip_address(f"10.9.0.{n}") for n in range(1, 7)]
    free = next(address for address in every if address not in held)
    squatted = static_object("business", network, {free: Holder(who, 7)}, "evil")
    small.kube.put_object(IPBLOCKS, squatted)
    assert await small.take("n2") != str(free)
    assert str(free) not in [text for obj in small.blocks() for text in obj.get("lent") or ()]


async def test_only_half_of_what_is_free_goes_to_who_asks_and_does_not_take_it(
    small: Nodes,
) -> None:
    """A node cannot drain another by asking again: what is lent and free is enough."""
    lent = []
    for _ in range(4):
        (obj, *_) = small.blocks("n1")
        small.kube.put_object(IPBLOCKS, {**obj, "asked": {"evil": "2027-01-01T00:00:00Z"}})
        await small.until(lambda: not small.blocks("n1")[0].get("asked"))
        lent.append(small.blocks("n1")[0].get("lent"))
    assert lent == [lent[0]] * 4


async def test_an_address_that_was_held_when_its_block_was_taken_is_lent_once_it_is_free(
    tmp_path: Path,
) -> None:
    who = AddressOwner("c" * 64, "net1", "ns", "db-0", "uid-1", "n3")
    held = {ip_address(text): Holder(who, 7) for text in ("10.9.0.2", "10.9.0.5")}
    squatted = static_object("business", parse_network("10.9.0.0/26"), held, "n3")
    async with running(tmp_path, "n1", "n2", plane=TWO) as nodes:
        nodes.kube.put_object(IPBLOCKS, squatted)
        for _ in range(4):
            await nodes.take("n1")
        nodes.kube.put_object(IPBLOCKS, {**squatted, "holders": {}})
        assert await nodes.take("n2") in {"10.9.0.2", "10.9.0.5"}
