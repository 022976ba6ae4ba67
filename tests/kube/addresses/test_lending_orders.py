"""Every order in which two nodes' requests about one lent address can be carried out.

Node n1 has a block of one address, which it lends. It takes it back or returns the block, while n2
borrows the address; n1 may be killed at any point. Then n1 hands out what it can.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any, TypeVar

import pytest

from planes.kube.addresses.address_book import KubeAddressBook
from planes.kube.addresses.block_writes import BlockWrites
from planes.kube.addresses.ipblocks import NodeBlock, grid_object
from planes.kube.addresses.kept_records import KeptRecords
from planes.kube.addresses.own_blocks import OwnBlock, OwnBlocks
from planes.kube.addresses.static_addresses import StaticAddresses
from planes.kube.addresses.static_ledger import StaticLedger
from planes.kube.addresses.static_records import StaticRecords
from planes.kube.resources import IPBLOCKS
from planes.model.addresses import parse_address, parse_range
from planes.model.errors import PlanesError
from planes.run.locks import KeyedLocks
from planes.store.protocol import AddressOwner
from tests.kube.addresses.played_cluster import SHM
from tests.kube.addresses.stepped import Inline, Line, SteppedKube, settle
from tests.support.clock import FakeClock, LeapingClock
from tests.support.kube.fake_kube import FakeKube
from tests.support.planes import make_plane

T = TypeVar("T")

PLANE = make_plane(
    subnets=[{"cidr": "10.9.0.0/29", "ranges": ["10.9.0.2"]}], ipam={"blockSize": 32}
)
X = parse_address("10.9.0.2")
SPANS = (parse_range("10.9.0.2"),)


class Choices:
    """Walks through a tree of choices, depth first: one path at a time."""

    def __init__(self) -> None:
        self._path: list[list[int]] = []
        self._at = 0

    def choose(self, count: int) -> int:
        if self._at == len(self._path):
            self._path.append([0, count])
        self._at += 1
        return self._path[self._at - 1][0]

    def __iter__(self) -> Iterator[None]:
        while True:
            self._at = 0
            yield
            while self._path and self._path[-1][0] + 1 == self._path[-1][1]:
                self._path.pop()
            if not self._path:
                return
            self._path[-1][0] += 1


class Brisk(SteppedKube):
    """Answers come back at once: what its process does next waits at its next request anyway."""

    async def _step(self, request: Callable[[], Coroutine[Any, Any, T]]) -> T:
        await self._go_on()
        await self._wait()
        try:
            return await request()
        finally:
            await self._go_on()


def lent(kube: FakeKube) -> None:
    kube.put_object(IPBLOCKS, grid_object("business", ip_network("10.9.0.0/16"), 32, "n1"))
    block = NodeBlock("business", "n1", ip_network("10.9.0.2/32"))
    kube.put_object(IPBLOCKS, {**block.to_json(), "lent": ["10.9.0.2"]})


async def give_up(own: OwnBlocks, mine: OwnBlock, writes: BlockWrites, what: str) -> None:
    """Take the address back, or return the block, as n1 does."""
    if what == "return":
        own.withhold(mine, is_leaving=True)
        await writes.delete(mine)
    else:
        await writes.take_back(mine, SPANS)


async def borrow(api: SteppedKube, state: Path) -> bool:
    """Borrow the address for a pod of n2."""
    clock = FakeClock()
    ledger = StaticLedger(api, "n2", clock, lambda: 0.5)
    records = StaticRecords(state / "static-addresses", Inline())
    static = StaticAddresses(ledger, records, clock, lambda: 0.5, locks=KeyedLocks())
    who = AddressOwner("c2", "net1", "ns", "p2", "u2", "n2")
    return await static.borrow(PLANE, who, (), (X,)) is not None


async def once(choices: Choices, state: Path, what: str) -> tuple[bool, bool]:
    """Play one order; return whether n2 has the address, and whether n1 hands it out."""
    kube, line = FakeKube(), Line()
    lent(kube)
    owner, other = Brisk(kube, line), Brisk(kube, line)
    own, kept = OwnBlocks(), KeptRecords(state / "n1" / "kept-static", Inline())
    block = NodeBlock("business", "n1", ip_network("10.9.0.2/32"))
    mine = await BlockWrites(kube, own, kept, "first").adopt(block)
    assert mine is not None
    writes = BlockWrites(owner, own, kept, "first")
    giving = asyncio.create_task(give_up(own, mine, writes, what))
    borrowing = asyncio.create_task(borrow(other, state / "n2"))
    await settle()
    is_owners_turn = True
    while line.waiting:
        chosen = choices.choose(len(line.waiting) + (is_owners_turn and not owner.is_dead))
        if chosen < len(line.waiting):
            is_owners_turn = line.waiting[chosen][0] is owner
            line.let(chosen)
        else:
            owner.is_dead = True
        await settle()
    giving.cancel()
    await asyncio.gather(giving, return_exceptions=True)
    book = KubeAddressBook(
        kube, "n1", state / "n1", LeapingClock(), executor=Inline(), randomness=lambda: 0.5
    )
    who = AddressOwner("c1", "net1", "ns", "p1", "u1", "n1")
    try:
        is_given = bool(await book.claim(PLANE, who))
    except PlanesError:
        is_given = False
    return await borrowing, is_given


@pytest.mark.timeout(240)
@pytest.mark.parametrize("what", ["take back", "return"])
async def test_in_no_order_do_both_nodes_have_it(what: str) -> None:
    choices, outcomes = Choices(), []
    for _ in choices:
        with tempfile.TemporaryDirectory(dir=SHM if SHM.is_dir() else None) as state:
            outcomes.append(await once(choices, Path(state), what))
    assert len(outcomes) > 10
    assert (True, True) not in outcomes
    assert any(is_borrowed for is_borrowed, _ in outcomes)
