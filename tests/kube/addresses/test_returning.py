"""Nodes return blocks that they do not need, and take back what they lent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from planes.kube.addresses.holders import Holder, static_object
from planes.kube.addresses.static_ledger import StaticLedger
from planes.kube.resources import IPBLOCKS, NODES
from planes.model.addresses import parse_address, parse_network
from planes.model.errors import Conflict, Unavailable
from planes.store.protocol import AddressOwner
from tests.kube.addresses.lending_scene import TWO, Nodes, running
from tests.support.kube.fake_kube import FakeKube
from tests.support.planes import make_plane


def cordon(nodes: Nodes, node: str, *, is_so: bool = True) -> None:
    spec = {"unschedulable": is_so}
    nodes.kube.put_object(NODES, {"metadata": {"name": node}, "spec": spec})


async def filled(nodes: Nodes, count: int) -> None:
    for _ in range(count):
        await nodes.take("n1")


async def test_an_empty_block_goes_back_after_a_grace_and_one_stays_as_a_spare(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, "n1") as nodes:
        await filled(nodes, 40)
        assert len(nodes.blocks()) == 3
        for number in range(1, 41):
            await nodes.release("n1", number)
        await nodes.wait(40)
        assert len(nodes.blocks()) == 3
        await nodes.wait(100)
        assert len(nodes.blocks()) == 1
        await nodes.wait(200)
        assert len(nodes.blocks()) == 1


async def test_a_block_with_one_pod_or_with_a_resting_address_stays(tmp_path: Path) -> None:
    plane = make_plane(
        subnets=[{"cidr": "10.9.0.0/29"}], ipam={"blockSize": 30, "cooldownSeconds": 300}
    )
    async with running(tmp_path, "n1", plane=plane) as nodes:
        await filled(nodes, 6)
        for number in range(2, 7):
            await nodes.release("n1", number)
        await nodes.wait(200)
        assert len(nodes.blocks()) == 2


async def test_a_block_that_was_used_meanwhile_begins_its_grace_anew(tmp_path: Path) -> None:
    async with running(tmp_path, "n1", plane=TWO) as nodes:
        await filled(nodes, 6)
        for number in range(1, 7):
            await nodes.release("n1", number)
        for _ in range(6):
            await nodes.wait(25)
            await filled(nodes, 6)
            for number in range(nodes.count - 5, nodes.count + 1):
                await nodes.release("n1", number)
        assert len(nodes.blocks()) == 2


async def test_a_cordoned_node_without_pods_returns_all_at_once(tmp_path: Path) -> None:
    async with running(tmp_path, "n1") as nodes:
        await filled(nodes, 20)
        for number in range(1, 21):
            await nodes.release("n1", number)
        cordon(nodes, "n1")
        await nodes.wait(6)
        assert nodes.blocks() == []


async def test_a_cordoned_node_keeps_blocks_while_a_pod_of_the_plane_runs(tmp_path: Path) -> None:
    async with running(tmp_path, "n1") as nodes:
        await filled(nodes, 2)
        await nodes.release("n1", 1)
        cordon(nodes, "n1")
        await nodes.wait(20)
        assert len(nodes.blocks()) == 1
        await nodes.release("n1", 2)
        await nodes.wait(10)
        assert nodes.blocks() == []


async def test_a_node_that_takes_pods_again_keeps_its_spare(tmp_path: Path) -> None:
    async with running(tmp_path, "n1") as nodes:
        await filled(nodes, 1)
        cordon(nodes, "n1")
        await nodes.wait(3)
        cordon(nodes, "n1", is_so=False)
        await nodes.wait(3)
        await nodes.release("n1", 1)
        await nodes.wait(100)
        assert len(nodes.blocks()) == 1


async def test_a_removed_daemon_gives_back_all_that_nobody_holds(tmp_path: Path) -> None:
    plane = make_plane(subnets=[{"cidr": "10.9.0.0/25"}], ipam={"cooldownSeconds": 600})
    async with running(tmp_path, "n1", plane=plane) as nodes:
        await filled(nodes, 20)
        for number in range(1, 21):
            await nodes.release("n1", number)
        await nodes.stop("n1")
        await nodes.books["n1"].retire()
        assert nodes.blocks() == []


async def test_a_block_whose_deletion_was_not_answered_is_not_used_again(tmp_path: Path) -> None:
    async with running(tmp_path, "n1", plane=TWO) as nodes:
        await filled(nodes, 6)
        for number in range(1, 7):
            await nodes.release("n1", number)

        nodes.kube.fail_next(Unavailable("cannot delete: timeout"), verb="delete", times=3)
        await nodes.wait(100)
        assert len(nodes.blocks()) == 2
        taken = [await nodes.take("n1") for _ in range(3)]
        assert len(set(taken)) == 3
        await nodes.wait(100)
        assert len(nodes.blocks()) == 1


class Late(FakeKube):
    """Holds the first deletion back: its sender gets no answer."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[Callable[[], Awaitable[None]]] = []

    async def delete(self, *args: Any, **more: Any) -> None:
        if self.sent:
            await super().delete(*args, **more)
            return
        self.sent.append(partial(super().delete, *args, **more))
        raise Unavailable("cannot delete: timeout")


async def test_a_deletion_that_arrives_when_the_next_start_uses_the_block_fails(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, plane=TWO) as nodes:
        nodes.kube = kube = Late()
        nodes.start("n1")
        await filled(nodes, 6)
        for number in range(1, 7):
            await nodes.release("n1", number)
        await nodes.until(lambda: bool(kube.sent))
        await nodes.stop("n1")
        nodes.start("n1")
        await nodes.wait(1)
        with pytest.raises(Conflict):
            await kube.sent[0]()
        assert len(nodes.blocks()) == 2


async def test_a_block_that_was_asked_for_meanwhile_is_deleted_as_it_is_now(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, "n1", plane=TWO) as nodes:
        await filled(nodes, 6)
        for number in range(1, 7):
            await nodes.release("n1", number)
        nodes.kube.fail_next(Conflict("cannot delete: written since"), verb="delete")
        await nodes.wait(100)
        assert len(nodes.blocks()) == 1


async def test_a_returned_block_leaves_out_what_others_have_borrowed_of_it(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, "n1", "n2", plane=TWO) as nodes:
        await filled(nodes, 4)
        await nodes.release("n1", 2)
        await nodes.release("n1", 3)
        borrowed = await nodes.take("n2")
        for number in (1, 4):
            await nodes.release("n1", number)
        await nodes.wait(200)
        others = [await nodes.take("n2") for _ in range(5)]
        assert len({borrowed, *others}) == 6


async def test_a_start_writes_itself_into_its_blocks_before_it_uses_them(tmp_path: Path) -> None:
    async with running(tmp_path, "n1") as nodes:
        await filled(nodes, 1)
        (before,) = nodes.blocks()
        await nodes.stop("n1")
        nodes.start("n1")
        await nodes.wait(1)
        (after,) = nodes.blocks()
        assert before["instance"] != after["instance"]
        assert before["metadata"]["resourceVersion"] != after["metadata"]["resourceVersion"]


async def test_what_was_held_when_the_block_was_taken_is_used_once_it_is_free(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, "n1", plane=TWO) as nodes:
        who = AddressOwner("c9", "net1", "ns", "p9", "u", "n9")
        network = parse_network("10.9.0.0/26")
        held = {parse_address("10.9.0.2"): Holder(who, 7)}
        nodes.kube.put_object(IPBLOCKS, static_object("business", network, held, "n9"))
        taken = [await nodes.take("n1") for _ in range(5)]
        assert "10.9.0.2" not in taken
        ledger = StaticLedger(nodes.kube, "n9", nodes.clock, lambda: 0.5)
        await ledger.change("business", network, lambda holders: holders.clear())
        assert await nodes.take("n1") == "10.9.0.2"


async def test_both_families_can_come_from_different_places(tmp_path: Path) -> None:
    """IPv4 is borrowed, IPv6 from a block of this node."""
    subnets = [{"cidr": "10.9.0.0/29"}, {"cidr": "fd00::/64"}]
    plane = make_plane(subnets=subnets, ipam={"blockSize": 30})
    async with running(tmp_path, "n1", "n2", plane=plane) as nodes:
        for _ in range(4):
            await nodes.take("n1")
        borrowed = await nodes.take("n2")
        assert nodes.borrowed() == [borrowed]
        who = AddressOwner("c5", "net1", "ns", "p5", "u", "n2")
        four, six = await nodes.books["n2"].claim(plane, who)
        assert four.address.startswith(f"{borrowed}/")
        assert six.address.startswith("fd00::")
        await nodes.release("n2", 5)
        await nodes.until(lambda: not nodes.borrowed())
        assert await nodes.books["n2"].holders("business") == {}
