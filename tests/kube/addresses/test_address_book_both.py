"""Static addresses beside blocks of nodes, and several nodes that claim one at once."""

from __future__ import annotations

import asyncio
from ipaddress import IPv4Address, ip_address

import pytest

from planes.kube.addresses.address_book import KubeAddressBook
from planes.kube.resources import IPBLOCKS, PODS
from planes.model.errors import Conflict, Exhausted, Internal
from tests.kube.addresses.static_scene import (
    PLANE,
    A,
    B,
    owner,
    pod,
    take,
    written,
)
from tests.support.kube.fake_kube import FakeKube
from tests.support.planes import make_plane


async def test_an_address_in_a_block_that_a_node_hands_out_is_refused(
    one: KubeAddressBook, two: KubeAddressBook, kube: FakeKube
) -> None:
    """Static ranges were added where pods live already: who has one, the node alone knows."""
    before = make_plane(subnets=[{"cidr": "10.9.0.0/24", "ranges": ["10.9.0.192/26"]}])
    for number in range(10, 60):
        await one.claim(before, owner(number))
    with pytest.raises(Conflict, match=r"in block 10\.9\.0\.192/27, which node n1 hands out"):
        await take(two, owner(1, "n2"), A)
    assert written(kube) == {}


async def test_a_block_taken_after_a_static_address_never_hands_it_out(
    one: KubeAddressBook, two: KubeAddressBook
) -> None:
    """The node still sees the plane as it was without staticRanges."""
    await take(one, owner(1), A)
    stale = make_plane(subnets=[{"cidr": "10.9.0.0/24", "ranges": ["10.9.0.200-10.9.0.203"]}])
    claimed = [await two.claim(stale, owner(number, "n2")) for number in range(2, 5)]
    assert {ips[0].address for ips in claimed} == {f"10.9.0.{n}/24" for n in (201, 202, 203)}
    with pytest.raises(Exhausted):
        await two.claim(stale, owner(9, "n2"))


async def test_a_block_keeps_static_ranges_out_for_good(
    one: KubeAddressBook, two: KubeAddressBook
) -> None:
    small = make_plane(subnets=[{"cidr": "10.9.0.0/28", "staticRanges": ["10.9.0.4/31"]}],
                       staticIPs={"allow": "Any"}, ipam={"blockSize": 28})  # fmt: skip
    got = [str((await one.claim(small, owner(n)))[0].address) for n in range(12)]
    assert not {"10.9.0.4/28", "10.9.0.5/28"} & set(got)
    wanted = [ip_address("10.9.0.4")]
    assert await two.claim(small, owner(99, "n2"), wanted=wanted)


async def test_static_instead_of_dynamic_gives_the_dynamic_one_back(one: KubeAddressBook) -> None:
    await one.claim(PLANE, owner(1))
    await take(one, owner(1), A)
    assert [str(address) for address in await one.holders("business")] == [A]
    await one.claim(PLANE, owner(1))
    assert IPv4Address(A) not in await one.holders("business")


async def test_of_many_who_want_one_address_one_gets_it(
    one: KubeAddressBook, two: KubeAddressBook, kube: FakeKube
) -> None:
    for number in range(16):
        pod(kube, owner(number))
    uids = {o["metadata"]["name"]: o["metadata"]["uid"] for o in kube.objects(PODS)}
    claims = [
        take(book, owner(n, node, uid=uids[f"p{n}"]), A)
        for n, (book, node) in enumerate([(one, "n1"), (two, "n2")] * 8)
    ]
    outcomes = await asyncio.gather(*claims, return_exceptions=True)
    assert sum(outcome == [A] for outcome in outcomes) == 1
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 15


async def test_many_on_two_nodes_write_one_block_without_losing_anybody(
    one: KubeAddressBook, two: KubeAddressBook, kube: FakeKube
) -> None:
    texts = [f"10.9.0.{n}" for n in range(200, 216)]
    books = [(one, "n1"), (two, "n2")] * 8
    pairs = zip(books, texts, strict=True)
    await asyncio.gather(
        *(take(book, owner(i, node), text) for i, ((book, node), text) in enumerate(pairs))
    )
    assert set(written(kube)) == set(texts)


async def test_an_entry_that_cannot_be_read_keeps_its_address_and_no_other(
    one: KubeAddressBook, two: KubeAddressBook, kube: FakeKube
) -> None:
    """A node may write what it likes behind its name: that costs nobody else an address."""
    await take(one, owner(1), A)
    (block,) = kube.objects(IPBLOCKS)
    spoilt = {**block["holders"], "10.9.0.202": "n3|{", "10.9.0.203": "", "x": "n3|y"}
    kube.put_object(IPBLOCKS, {**block, "holders": spoilt})
    assert await take(two, owner(2, "n2"), B) == [B]
    with pytest.raises(Conflict):
        await take(two, owner(3, "n2"), "10.9.0.202")
    (block,) = kube.objects(IPBLOCKS)
    assert {key: block["holders"][key] for key in spoilt} == spoilt


async def test_a_static_block_that_is_none_of_ours_hands_out_nothing(
    one: KubeAddressBook, kube: FakeKube
) -> None:
    await take(one, owner(1), A)
    (block,) = kube.objects(IPBLOCKS)
    kube.put_object(IPBLOCKS, {**block, "spec": {**block["spec"], "cidr": "10.9.0.0/26"}})
    with pytest.raises(Internal, match=r"cannot read who holds"):
        await take(one, owner(2), B)
