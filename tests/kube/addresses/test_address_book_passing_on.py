"""When a static address gets its next holder: after a pod of this node or of another is gone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from planes.kube.addresses.address_book import KubeAddressBook
from planes.kube.resources import IPBLOCKS, PODS
from planes.model.errors import Conflict, Unavailable
from tests.kube.addresses.static_scene import (
    A,
    B,
    book_of,
    owner,
    pod,
    take,
    until_freed,
    until_given_back,
    written,
)
from tests.support.kube.fake_kube import FakeKube


async def test_a_late_release_takes_nothing_from_the_next_holder(
    one: KubeAddressBook, two: KubeAddressBook, kube: FakeKube
) -> None:
    """The API server was away at DEL; the pod, gone since, was replaced on another node."""
    await take(one, owner(1), A)
    await one.release("business", "c1", "net1")
    with pytest.raises(Unavailable):
        await take(two, owner(2, "n2"), A)
    await until_freed(kube)
    assert await take(two, owner(2, "n2"), A) == [A]
    await until_given_back(one)
    assert written(kube) == {A: "c2"}


async def test_the_address_of_a_dead_pod_of_another_node_is_to_be_tried_again(
    one: KubeAddressBook, two: KubeAddressBook, kube: FakeKube
) -> None:
    """The node died and the pod was deleted by force: no DEL will ever come."""
    await take(one, owner(1), A)
    with pytest.raises(Unavailable, match=r"held by pod ns/p1 on node n1, which no longer exists"):
        await take(two, owner(2, "n2"), A)
    (block,) = kube.objects(IPBLOCKS)
    assert block["wanted"] == {A: "n2"}
    assert written(kube) == {A: "c1"}
    await until_freed(kube)
    assert await take(two, owner(2, "n2"), A) == [A]


async def test_an_add_waits_for_the_leader_that_knows_the_node_to_be_off(
    one: KubeAddressBook, kube: FakeKube, tmp_path: Path
) -> None:
    """The kubelet's next attempt would come 10 to 15 seconds later."""
    two = book_of(kube, tmp_path, "n2", factor=4)
    await take(one, owner(1), A)
    taking = asyncio.create_task(take(two, owner(2, "n2"), A))
    while not kube.objects(IPBLOCKS)[0].get("wanted"):
        await asyncio.sleep(0.01)
    await until_freed(kube)
    assert await taking == [A]
    assert written(kube) == {A: "c2"}


async def test_the_address_of_a_dead_pod_of_this_node_is_taken_over(
    one: KubeAddressBook, kube: FakeKube, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The node lost its disk, and nobody remembers the pod."""
    await take(one, owner(1), A)
    anew = book_of(kube, tmp_path / "new disk", "n1")
    assert await take(anew, owner(2), A) == [A]
    (record,) = [r for r in caplog.records if "took over" in r.message]
    assert record.__dict__["from_pod"] == "ns/p1"
    assert record.__dict__["uid"] == "uid-2"


async def test_a_wish_goes_when_the_node_has_the_address(
    one: KubeAddressBook, two: KubeAddressBook, kube: FakeKube
) -> None:
    await take(one, owner(1), A)
    with pytest.raises(Unavailable):
        await take(two, owner(2, "n2"), A)
    await one.release("business", "c1", "net1")
    await until_given_back(one)
    assert await take(two, owner(2, "n2"), A) == [A]
    (block,) = kube.objects(IPBLOCKS)
    assert not block.get("wanted")


async def test_what_another_node_says_of_our_attachment_is_not_ours(
    one: KubeAddressBook, kube: FakeKube
) -> None:
    """A forged entry with the container of a pod of this node is neither taken nor given back."""
    pod(kube, owner(1))
    found = kube.object(PODS, "p1", "ns")
    assert found is not None
    mine = owner(1, uid=found["metadata"]["uid"])
    await take(one, mine, A)
    (block,) = kube.objects(IPBLOCKS)
    forged = block["holders"][A].replace("n1|", "n2|", 1)
    kube.put_object(IPBLOCKS, {**block, "holders": {**block["holders"], B: forged}})
    with pytest.raises(Conflict):
        await take(one, mine, B)
    await one.release("business", "c1", "net1")
    await until_given_back(one)
    (block,) = kube.objects(IPBLOCKS)
    assert block["holders"] == {B: forged}


async def test_a_node_that_lost_its_disk_gives_a_pod_its_address_again(
    one: KubeAddressBook, kube: FakeKube, tmp_path: Path
) -> None:
    """The pod is the same, its sandbox is not, and nobody remembers the old one's DEL."""
    pod(kube, owner(1))
    found = kube.object(PODS, "p1", "ns")
    assert found is not None
    uid = found["metadata"]["uid"]
    await take(one, owner(1, uid=uid), A)
    anew = book_of(kube, tmp_path / "new disk", "n1")
    assert await take(anew, owner(2, pod="p1", uid=uid), A) == [A]
    assert written(kube) == {A: "c2"}


async def test_a_pod_of_that_name_with_another_uid_is_another_pod(
    one: KubeAddressBook, two: KubeAddressBook, kube: FakeKube
) -> None:
    await take(one, owner(1), A)
    pod(kube, owner(1))
    with pytest.raises(Unavailable, match="no longer exists"):
        await take(two, owner(2, "n2", pod="p1"), A)


async def test_a_pod_that_is_still_terminating_keeps_its_address(
    one: KubeAddressBook, two: KubeAddressBook, kube: FakeKube
) -> None:
    pod(kube, owner(1), deletionTimestamp="2030-01-01T00:00:00Z", finalizers=["x/y"])
    found = kube.object(PODS, "p1", "ns")
    assert found is not None
    await take(one, owner(1, uid=found["metadata"]["uid"]), A)
    with pytest.raises(Conflict):
        await take(two, owner(2, "n2"), A)
