"""Static addresses on a cluster: one holder each, wherever the pods run."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_network
from pathlib import Path

import pytest

from planes.kube.addresses.address_book import KubeAddressBook
from planes.kube.addresses.holders import read_static
from planes.kube.addresses.ipblocks import NodeBlock, grid_object
from planes.kube.resources import IPBLOCKS, PODS
from planes.model.errors import BadInput, Conflict, Exhausted, Unavailable
from tests.kube.addresses.static_scene import (
    FAR,
    PLANE,
    A,
    B,
    book_of,
    choose,
    owner,
    pod,
    take,
    until_given_back,
    written,
)
from tests.support.clock import FakeClock
from tests.support.kube.fake_kube import FakeKube

NEXT = "10.9.0.202"


async def test_a_static_address_is_written_down_with_its_holder(
    one: KubeAddressBook, kube: FakeKube
) -> None:
    assert await take(one, owner(1), A) == [A]
    (block,) = kube.objects(IPBLOCKS)
    assert block["metadata"]["name"] == "business.static.10-9-0-192-26"
    assert block["spec"]["node"] == ""
    assert read_static(block).holders[IPv4Address(A)].owner == owner(1)


async def test_a_claim_costs_a_write_and_a_read_and_handing_it_back_a_write(
    one: KubeAddressBook, kube: FakeKube
) -> None:
    await one.claim(PLANE, owner(3))
    await take(one, owner(1), A)
    kube.requests.clear()
    await take(one, owner(2), B)
    assert [verb for verb, *_ in kube.requests] == ["update", "get"]
    await one.release("business", "c2", "net1")
    kube.requests.clear()
    await until_given_back(one)
    changes = [verb for verb, *_ in kube.requests if verb not in {"list", "watch"}]
    assert changes == ["update"]


async def test_after_another_node_has_written_the_block_it_is_read_again(
    one: KubeAddressBook, two: KubeAddressBook, kube: FakeKube
) -> None:
    await one.claim(PLANE, owner(3))
    await take(one, owner(1), A)
    await take(two, owner(2, "n2"), B)
    kube.requests.clear()
    assert await choose(one, owner(4), B, NEXT) == [NEXT]
    assert [verb for verb, *_ in kube.requests] == ["update", "get", "update", "get"]
    assert written(kube) == {A: "c1", B: "c2", NEXT: "c4"}


async def test_that_an_address_is_held_is_never_said_from_memory(
    one: KubeAddressBook, two: KubeAddressBook, kube: FakeKube
) -> None:
    await take(two, owner(2, "n2"), B)
    await take(one, owner(1), A)
    await two.release("business", "c2", "net1")
    await until_given_back(two)
    assert await take(one, owner(4), B) == [B]


async def test_a_static_block_that_was_made_anew_has_its_grid_read_again(
    one: KubeAddressBook, kube: FakeKube
) -> None:
    """All blocks of the plane were deleted, and blocks have another size now."""
    await one.claim(PLANE, owner(3))
    await take(one, owner(1), A)
    for obj in kube.objects(IPBLOCKS):
        kube.remove_object(IPBLOCKS, obj["metadata"]["name"])
    kube.put_object(IPBLOCKS, grid_object("business", ip_network("10.9.0.0/16"), 30))
    inside = ip_network((int(IPv4Address(B)) & ~3, 30))
    kube.put_object(IPBLOCKS, NodeBlock("business", "n2", inside).to_json())
    with pytest.raises(Conflict, match="which node n2 hands out"):
        await take(one, owner(2), B)


async def test_a_grid_that_was_deleted_alone_is_noticed_within_a_minute(
    kube: FakeKube, tmp_path: Path
) -> None:
    """The static block stays, and another node takes a block of the new size."""
    clock = FakeClock()
    one = KubeAddressBook(kube, "n1", tmp_path, clock)
    await one.claim(PLANE, owner(3))
    await take(one, owner(1), A)
    for obj in kube.objects(IPBLOCKS):
        if obj["spec"]["use"] != "Static":
            kube.remove_object(IPBLOCKS, obj["metadata"]["name"])
    kube.put_object(IPBLOCKS, grid_object("business", ip_network("10.9.0.0/16"), 30))
    inside = ip_network((int(IPv4Address(B)) & ~3, 30))
    kube.put_object(IPBLOCKS, NodeBlock("business", "n2", inside).to_json())
    clock.advance(60)
    with pytest.raises(Conflict, match="which node n2 hands out"):
        await take(one, owner(2), B)


async def test_both_families_can_be_static(one: KubeAddressBook, kube: FakeKube) -> None:
    assert await take(one, owner(1), A, "fd00:9::200") == [A, "fd00:9::200"]
    assert written(kube) == {A: "c1", "fd00:9::200": "c1"}


async def test_the_same_attachment_is_given_it_again(one: KubeAddressBook) -> None:
    assert await take(one, owner(1), A) == await take(one, owner(1), A)


async def test_another_pod_is_refused_with_the_holder_and_its_node(
    one: KubeAddressBook, two: KubeAddressBook, kube: FakeKube
) -> None:
    await take(one, owner(1), A)
    pod(kube, owner(1))
    kube_pod = kube.object(PODS, "p1", "ns")
    assert kube_pod is not None
    await one.release("business", "c1", "net1")
    await until_given_back(one)
    await take(one, owner(1, uid=kube_pod["metadata"]["uid"]), A)
    with pytest.raises(Conflict, match=r"held by pod ns/p1 \(interface net1\) on node n1"):
        await take(two, owner(2, "n2"), A)
    assert written(kube) == {A: "c1"}


async def test_a_replica_s_predecessor_is_named_as_such(
    one: KubeAddressBook, two: KubeAddressBook
) -> None:
    """The new pod of a StatefulSet has the old one's name: "held by db-1" would name itself."""
    await take(one, owner(1, pod="db-1", uid="old"), A)
    says = r"held by the pod of this name before this one, on node n1, which no longer exists"
    with pytest.raises(Unavailable, match=says):
        await take(two, owner(2, "n2", pod="db-1", uid="new"), A)


@pytest.mark.parametrize("text", ["10.9.0.50", "10.9.0.199", "10.9.0.216"])
async def test_what_is_not_in_static_ranges_is_refused(one: KubeAddressBook, text: str) -> None:
    with pytest.raises(BadInput, match="neither in staticRanges nor reserved"):
        await take(one, owner(1), text)


async def test_a_reserved_address_can_be_held(one: KubeAddressBook) -> None:
    assert await take(one, owner(1), FAR) == [FAR]


async def test_a_release_needs_no_api_server_and_reaches_it_later(
    one: KubeAddressBook, kube: FakeKube
) -> None:
    await take(one, owner(1), A)
    kube.requests.clear()
    await one.release("business", "c1", "net1")
    assert kube.requests == []
    assert await one.holders("business") == {}
    assert written(kube) == {A: "c1"}
    await until_given_back(one)
    assert written(kube) == {}


async def test_a_release_survives_a_restart_of_the_daemon(
    one: KubeAddressBook, kube: FakeKube, tmp_path: Path
) -> None:
    await take(one, owner(1), A)
    await one.release("business", "c1", "net1")
    await until_given_back(book_of(kube, tmp_path, "n1"))
    assert written(kube) == {}
    assert not list((tmp_path / "n1" / "static-addresses").iterdir())


async def test_a_sandbox_of_this_node_that_was_not_deleted_yet_keeps_its_address(
    one: KubeAddressBook,
) -> None:
    await take(one, owner(1), A)
    with pytest.raises(Conflict):
        await take(one, owner(2), A)


async def test_a_new_sandbox_of_a_pod_gets_what_its_old_one_released_at_once(
    one: KubeAddressBook, kube: FakeKube
) -> None:
    await take(one, owner(1), A)
    pod(kube, owner(1))
    await one.release("business", "c1", "net1")
    assert await take(one, owner(2, pod="p1"), A) == [A]
    await until_given_back(one)
    assert written(kube) == {A: "c2"}


async def test_candidates_are_tried_in_order(one: KubeAddressBook, two: KubeAddressBook) -> None:
    assert await choose(one, owner(1), A, B, FAR) == [A]
    assert await choose(one, owner(2), A, B, FAR) == [B]
    assert await choose(one, owner(1), B, A) == [A]
    assert await choose(one, owner(3), A, B, FAR) == [FAR]
    with pytest.raises(Exhausted, match=r"none of the 2 IPv4 addresses the pod may have is free"):
        await choose(one, owner(4), A, B)


async def test_a_refused_wish_leaves_what_was_held(one: KubeAddressBook, kube: FakeKube) -> None:
    await take(one, owner(1), A)
    await take(one, owner(2), B)
    with pytest.raises(Conflict):
        await take(one, owner(2), A)
    await until_given_back(one)
    assert written(kube) == {A: "c1", B: "c2"}


async def test_another_wish_gives_back_the_first(one: KubeAddressBook, kube: FakeKube) -> None:
    await take(one, owner(1), A)
    await take(one, owner(1), FAR)
    assert written(kube) == {FAR: "c1"}


async def test_a_claim_that_fails_half_way_is_taken_back(
    one: KubeAddressBook, kube: FakeKube
) -> None:
    """The holder was written; whether a node's block has the address could not be asked."""
    broken = Unavailable("cannot get: the connection broke")
    kube.before_next(
        lambda: kube.fail_next(broken, verb="get", resource=IPBLOCKS),
        verb="create",
        resource=IPBLOCKS,
    )
    with pytest.raises(Unavailable):
        await take(one, owner(1), A)
    assert written(kube) == {A: "c1"}
    await until_given_back(one)
    assert written(kube) == {}


async def test_holders_are_known_as_last_seen_while_the_api_server_is_away(
    one: KubeAddressBook, two: KubeAddressBook, kube: FakeKube
) -> None:
    await take(one, owner(1), A)
    await take(two, owner(2, "n2"), B)
    assert len(await one.holders("business")) == 2
    await take(one, owner(3), FAR)
    kube.fail_next(Unavailable("cannot list"), verb="list", times=1)
    assert set(map(str, await one.holders("business"))) == {A, B, FAR}


async def test_one_broken_block_does_not_keep_others_from_being_given_back(
    one: KubeAddressBook, kube: FakeKube
) -> None:
    await take(one, owner(1), A)
    await take(one, owner(2), FAR)
    name = "business.static.10-9-0-192-26"
    block = kube.object(IPBLOCKS, name) or {}
    kube.put_object(IPBLOCKS, {**block, "spec": {}})
    await one.release("business", "c1", "net1")
    await one.release("business", "c2", "net1")
    await until_given_back(one)
    kube.put_object(IPBLOCKS, {**block, "holders": {}})
    assert written(kube) == {}
