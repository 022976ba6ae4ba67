"""An address that a pod has from another IPAM is held in the whole cluster, or refused."""

from __future__ import annotations

import asyncio
import shutil
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from cni.reconcile.lost_records import LostRecords
from planes.kube.addresses.address_book import KubeAddressBook
from planes.kube.addresses.ipblocks import NodeBlock, grid_object
from planes.kube.resources import IPBLOCKS
from planes.model.addresses import IPAddress
from planes.model.decide.adoption import AddressUser, Fact, Source
from planes.model.errors import Exhausted, Unavailable
from planes.run.metrics import Metrics
from planes.store.protocol import AddressOwner
from tests.kube.addresses.static_scene import book_of, owner, until_given_back, written
from tests.kube.addresses.stepped import Inline, Line, SteppedKube, settle
from tests.support.clock import FakeClock
from tests.support.kube.fake_kube import FakeKube
from tests.support.planes import make_plane
from tests.support.store import FakeStore

PLANE = make_plane(
    subnets=[{"cidr": "10.9.0.0/28", "gateway": "10.9.0.1"}],
    ipam={"mode": "Plane", "blockSize": 30, "cooldownSeconds": 0},
)
X = ip_address("10.9.0.6")
OLD = AddressOwner("adopted-1", "net1", "ns", "old", "u-old", "n1")


async def adopt(book: KubeAddressBook, who: AddressOwner = OLD) -> str:
    return (await book.adopt(PLANE, who, [X])).get(X, "")


async def claim_all(*books: KubeAddressBook) -> set[IPAddress]:
    """Take the plane's addresses to the last one, on all nodes in turn."""
    found: set[IPAddress] = set()
    number = 100
    left = list(books)
    while left:
        for book in tuple(left):
            number += 1
            try:
                (one,) = await book.claim(PLANE, owner(number))
            except (Exhausted, Unavailable):  # nobody answers here: these books do not run
                left.remove(book)
            else:
                found.add(ip_address(one.address.partition("/")[0]))
    return found


async def test_blocks_taken_later_leave_it_out(
    kube: FakeKube, one: KubeAddressBook, two: KubeAddressBook
) -> None:
    assert await adopt(one) == ""
    assert written(kube) == {str(X): "adopted-1"}
    found = await claim_all(one, two)
    assert len(found) == 12
    assert X not in found


async def test_in_a_block_of_its_own_the_node_alone_holds_it(
    kube: FakeKube, one: KubeAddressBook, two: KubeAddressBook
) -> None:
    await claim_all_but(one)
    assert await adopt(one) == ""
    assert written(kube) == {}
    assert X not in await claim_all(one, two)


async def claim_all_but(book: KubeAddressBook) -> None:
    """Take the block of X and leave X free."""
    number = 0
    while X not in await book.holders(PLANE.name):
        number += 1
        await book.claim(PLANE, owner(number))
    holder = (await book.holders(PLANE.name))[X]
    await book.release(PLANE.name, holder.container_id, holder.interface)


async def test_what_a_pod_of_the_plane_has_is_refused(one: KubeAddressBook) -> None:
    await claim_all(one)
    assert "it is held by pod ns/p" in await adopt(one)


async def test_in_a_block_of_another_node_it_is_refused_and_leaves_nothing(
    kube: FakeKube, one: KubeAddressBook, two: KubeAddressBook
) -> None:
    await claim_all(two)
    assert await adopt(one) == "it is in block 10.9.0.4/30, which node n2 hands out"
    assert written(kube) == {}
    assert [held.record for held in await one.held_by_others(())] != [""]


def take_block(kube: FakeKube) -> None:
    """Put the block of X as node n2 takes it that looked before X was written."""
    block = NodeBlock(PLANE.name, "n2", ip_network("10.9.0.4/30"))
    kube.put_object(IPBLOCKS, grid_object(PLANE.name, ip_network("10.9.0.0/16"), 30))
    kube.put_object(IPBLOCKS, block.to_json())


async def test_of_two_adoptions_at_once_neither_undoes_what_the_other_counts_on(
    kube: FakeKube, tmp_path: Path
) -> None:
    """One looks last before a block of another node comes, the other one after that."""
    line = Line()
    book = KubeAddressBook(
        SteppedKube(kube, line), "n1", tmp_path / "n1", FakeClock(), executor=Inline()
    )
    tasks = [asyncio.create_task(adopt(book)) for _ in range(2)]
    await settle()
    while not written(kube):
        line.let(0)
        await settle()
    while not any(task.done() for task in tasks):
        line.let(-1)
        await settle()
    take_block(kube)
    while line.waiting:
        line.let(0)
        await settle()
    assert sorted(await asyncio.gather(*tasks)) == [
        "",
        "it is in block 10.9.0.4/30, which node n2 hands out",
    ]
    assert written(kube) == {str(X): "adopted-1"}


async def test_an_adoption_again_takes_away_no_holder_that_was_there(
    kube: FakeKube, one: KubeAddressBook, tmp_path: Path
) -> None:
    """The node that took the block since then leaves the address out, as the holder is there."""
    assert await adopt(one) == ""
    line = Line()
    book = KubeAddressBook(
        SteppedKube(kube, line), "n1", tmp_path / "n1", FakeClock(), executor=Inline()
    )
    task = asyncio.create_task(adopt(book))
    await settle()
    for _ in range(2):  # its first look, for a block of the address
        line.let(0)
        await settle()
    take_block(kube)
    while line.waiting:
        line.let(0)
        await settle()
    assert await task == "it is in block 10.9.0.4/30, which node n2 hands out"
    assert written(kube) == {str(X): "adopted-1"}


async def test_a_block_taken_before_the_holder_was_written_is_seen(
    kube: FakeKube, one: KubeAddressBook
) -> None:
    kube.before_next(lambda: take_block(kube), verb="create", resource=IPBLOCKS)
    assert await adopt(one) == "it is in block 10.9.0.4/30, which node n2 hands out"
    assert written(kube) == {}


async def test_a_holder_of_another_node_keeps_it(
    kube: FakeKube, one: KubeAddressBook, two: KubeAddressBook
) -> None:
    await adopt(one)
    theirs = AddressOwner("adopted-2", "net1", "ns", "new", "u-new", "n2")
    assert await adopt(two, theirs) == "it is held by pod ns/old (interface net1) on node n1"
    assert written(kube) == {str(X): "adopted-1"}


async def test_it_may_be_repeated(kube: FakeKube, one: KubeAddressBook) -> None:
    await adopt(one)
    assert await adopt(one) == ""
    assert written(kube) == {str(X): "adopted-1"}


async def test_what_a_pod_of_the_plane_has_is_held_though_the_block_was_deleted(
    kube: FakeKube, one: KubeAddressBook, two: KubeAddressBook
) -> None:
    (mine,) = await one.claim(PLANE, owner(1))
    address = ip_address(mine.address.partition("/")[0])
    for obj in kube.objects(IPBLOCKS):
        if obj["spec"]["use"] == "Node":
            kube.remove_object(IPBLOCKS, obj["metadata"]["name"])
    assert await one.adopt(PLANE, owner(1), [address]) == {}
    assert address not in await claim_all(two)
    await one.release(PLANE.name, "c1", "net1")
    await until_given_back(one)
    assert written(kube) == {}


async def test_released_it_is_anybody_s(
    kube: FakeKube, one: KubeAddressBook, two: KubeAddressBook
) -> None:
    await adopt(one)
    for held in await one.held_by_others(()):
        await one.give_back(held)
    await until_given_back(one)
    assert written(kube) == {}
    assert X in await claim_all(two)


async def test_without_the_api_server_nothing_is_said_to_be_held(
    kube: FakeKube, one: KubeAddressBook
) -> None:
    kube.fail_next(Unavailable("cannot reach the API server"), verb="create", resource=IPBLOCKS)
    with pytest.raises(Unavailable):
        await adopt(one)
    assert written(kube) == {}
    assert await adopt(one) == ""
    assert written(kube) == {str(X): "adopted-1"}


async def test_the_lost_record_of_a_static_address_is_made_from_its_holder(
    kube: FakeKube, one: KubeAddressBook, tmp_path: Path
) -> None:
    """With the state directory; the sandbox still has the address."""
    await adopt(one)
    shutil.rmtree(tmp_path / "n1")
    again = book_of(kube, tmp_path, "n1")
    store = FakeStore(planes=[PLANE])
    store._addresses = again  # type: ignore[assignment]
    facts = [Fact(Source.SANDBOX, X, AddressUser(netns="/run/netns/a", interface="net1"))]
    lost = LostRecords(_InUse(facts), store, "n1", FakeClock(), Metrics())  # type: ignore[arg-type]
    await lost.run()
    assert again.is_complete(PLANE.name)
    assert {(held.owner, held.addresses) for held in await again.held_by_others(())} == {
        (OLD, (X,))
    }
    await again.release(PLANE.name, OLD.container_id, OLD.interface)
    await until_given_back(again)
    assert written(kube) == {}


class _InUse:
    """Facts of a test, in place of `AddressesInUse`."""

    def __init__(self, facts: list[Fact]) -> None:
        self._facts = facts

    def journaled(self) -> list[Fact]:
        return []

    async def unjournaled(self) -> list[Fact]:
        return self._facts


async def test_addresses_lost_on_disk_are_not_handed_out_from_the_node_s_blocks(
    kube: FakeKube, one: KubeAddressBook, tmp_path: Path
) -> None:
    """The state directory is deleted, and what is in use is held before the first claim."""
    taken = {str((await one.claim(PLANE, owner(number)))[0].address) for number in (1, 2)}
    shutil.rmtree(tmp_path / "n1")
    again = book_of(kube, tmp_path, "n1")
    assert not again.is_complete(PLANE.name)
    used = [ip_address(text.partition("/")[0]) for text in taken]
    await again.hold(PLANE.name, {OLD: used}, cooldown_seconds=0)
    await again.set_complete(PLANE.name)
    assert again.is_complete(PLANE.name)
    assert (await claim_all(again)).isdisjoint(used)
