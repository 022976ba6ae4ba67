"""Pods that wait for an address of a full plane cost few requests, however many there are."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from planes.model.errors import Exhausted
from planes.store.protocol import AddressOwner
from tests.kube.addresses.lending_scene import TWO, Nodes, running
from tests.support.planes import make_plane

WIDER = make_plane(subnets=[{"cidr": "10.9.0.0/28"}], ipam={"blockSize": 30})


async def try_all(nodes: Nodes, count: int) -> list[BaseException]:
    """Have pods of n2 ask at the same moment; return why each got nothing."""
    owners = [AddressOwner(f"w{n}", "net1", "ns", f"w{n}", "u", "n2") for n in range(count)]
    claims = [asyncio.ensure_future(nodes.books["n2"].claim(TWO, owner)) for owner in owners]
    await nodes.until(lambda: all(claim.done() for claim in claims), 0.001)
    return [error for claim in claims if (error := claim.exception()) is not None]


async def test_many_pods_that_find_a_plane_full_ask_once(tmp_path: Path) -> None:
    """Each kubelet tries its pods again and again, and all of one node at the same time."""
    async with running(tmp_path, "n1", "n2", plane=TWO) as nodes:
        for _ in range(6):
            await nodes.take("n1")
        with pytest.raises(Exhausted):
            await nodes.take("n2")
        await nodes.wait(3)
        nodes.kube.requests.clear()
        assert len(await try_all(nodes, 1)) == 1
        cost = len(nodes.kube.requests)
        assert cost > 0
        await nodes.wait(3)
        nodes.kube.requests.clear()
        errors = await try_all(nodes, 50)
        assert len(errors) == 50
        assert all(isinstance(error, Exhausted) for error in errors)
        assert len({str(error) for error in errors}) == 1
        assert len(nodes.kube.requests) <= cost


async def test_what_is_freed_meanwhile_is_found_seconds_later(tmp_path: Path) -> None:
    async with running(tmp_path, "n1", "n2", plane=TWO) as nodes:
        taken = [await nodes.take("n1") for _ in range(6)]
        with pytest.raises(Exhausted):
            await nodes.take("n2")
        await nodes.release("n1", 3)
        await nodes.wait(31)  # a node that had none free is not asked again before
        assert await nodes.take("n2") == taken[2]


async def test_a_wider_plane_counts_at_once(tmp_path: Path) -> None:
    async with running(tmp_path, "n1", "n2", plane=TWO) as nodes:
        for _ in range(6):
            await nodes.take("n1")
        with pytest.raises(Exhausted):
            await nodes.take("n2")
        assert await nodes.take("n2", WIDER)
