"""Addresses of IPAMClaims on FakeKube: they outlive pods, and pass from one to the next."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from planes.kube.addresses.address_book import KubeAddressBook
from planes.kube.addresses.holders import read_static
from planes.kube.addresses.ipblocks import read_shape
from planes.kube.resources import IPAM_CLAIMS, IPBLOCKS, PODS
from planes.model.errors import Conflict, Denied, Exhausted, NotFound, PlanesError, Unavailable
from planes.run.clock import SystemClock
from planes.store.protocol import AddressOwner, ClaimReference
from tests.kube.addresses.static_scene import (
    A,
    B,
    book_of,
    owner,
    pod,
    take,
    until_given_back,
    written,
)
from tests.support.kube.fake_kube import FakeKube
from tests.support.planes import make_plane
from webhook.controller.block_addresses import read_addresses
from webhook.controller.kept_for_claims import KeptForClaims

PLANE = make_plane(
    subnets=[
        {"cidr": "10.9.0.0/24", "gateway": "10.9.0.1", "staticRanges": ["10.9.0.200-10.9.0.215"]},
    ],
    staticIPs={"allow": "Any"},
    ipam={"lifecycle": "Persistent"},
)


def add_claim(kube: FakeKube, name: str = "vm", **spec: Any) -> None:
    spec = {"network": PLANE.name, "interface": "net1", **spec}
    kube.put_object(IPAM_CLAIMS, {"metadata": {"name": name, "namespace": "ns"}, "spec": spec})


def reference(name: str = "vm", most: int = 100) -> ClaimReference:
    return ClaimReference(name, (PLANE.name,), most)


async def claim(
    book: KubeAddressBook, who: AddressOwner, name: str = "vm", most: int = 100
) -> list[str]:
    found = await book.claim(PLANE, who, reference=reference(name, most))
    return [one.address.partition("/")[0] for one in found]


def kept(kube: FakeKube) -> dict[str, str]:
    """Names of claims by the address that is kept for them."""
    return {
        str(address): text.split("/")[1]
        for obj in kube.objects(IPBLOCKS)
        if obj["spec"]["use"] == "Static"
        for address, text in read_static(obj).claims.items()
    }


def running(kube: FakeKube, number: int, node: str = "n1") -> AddressOwner:
    """Return an attachment of a pod that exists."""
    pod(kube, owner(number, node))
    found = kube.object(PODS, f"p{number}", "ns")
    assert found is not None
    return owner(number, node, uid=found["metadata"]["uid"])


def status(kube: FakeKube, name: str = "vm") -> Any:
    found = kube.object(IPAM_CLAIMS, name, namespace="ns")
    assert found is not None
    return found.get("status")


async def end(book: KubeAddressBook, who: AddressOwner) -> None:
    await book.release(PLANE.name, who.container_id, who.interface)
    await until_given_back(book)


async def test_the_next_pod_gets_the_address_of_the_claim(tmp_path: Path) -> None:
    """On another node, too; nobody else gets it meanwhile."""
    kube = FakeKube()
    one, two = book_of(kube, tmp_path), book_of(kube, tmp_path, "n2")
    add_claim(kube)
    assert await claim(one, owner(1)) == [A]
    assert status(kube) == {"ips": [f"{A}/24"], "ownerPod": "p1"}
    await end(one, owner(1))
    assert (written(kube), kept(kube)) == ({}, {A: "vm"})
    with pytest.raises(Conflict, match=f"{A} is kept for IPAMClaim ns/vm"):
        await take(two, owner(2, "n2"), A)
    assert await claim(two, owner(3, "n2")) == [A]
    assert status(kube)["ownerPod"] == "p3"


async def test_a_second_claim_gets_another_address(tmp_path: Path) -> None:
    """Also while no pod has the first one's."""
    kube = FakeKube()
    book = book_of(kube, tmp_path)
    add_claim(kube)
    add_claim(kube, "other")
    await claim(book, owner(1))
    await end(book, owner(1))
    assert await claim(book, owner(2), "other") == [B]


async def test_of_two_pods_with_one_claim_the_first_has_the_address_until_it_ended(
    tmp_path: Path,
) -> None:
    """The second one holds nothing, and gets it then."""
    kube = FakeKube()
    one, two = book_of(kube, tmp_path), book_of(kube, tmp_path, "n2")
    add_claim(kube)
    source, target = running(kube, 1), owner(2, "n2")
    await claim(one, source)
    with pytest.raises(Conflict, match="one pod at a time has the addresses of IPAMClaim ns/vm"):
        await claim(two, target)
    assert written(kube) == {A: "c1"}
    await end(one, source)
    assert await claim(two, target) == [A]


async def test_a_pod_that_is_gone_on_a_node_that_may_run_it_keeps_the_address(
    tmp_path: Path,
) -> None:
    """The claim does not prove that the node is off; see decision 0041."""
    kube = FakeKube()
    one, two = book_of(kube, tmp_path), book_of(kube, tmp_path, "n2")
    add_claim(kube)
    await claim(one, owner(1))
    with pytest.raises(Unavailable, match="may still run there"):
        await claim(two, owner(2, "n2"))
    assert written(kube) == {A: "c1"}


async def test_two_nodes_that_choose_at_once_agree(tmp_path: Path) -> None:
    """Who writes the status first has chosen; the other waits, and its choice is released."""
    kube = FakeKube()
    books = book_of(kube, tmp_path), book_of(kube, tmp_path, "n2")
    add_claim(kube)
    owners = running(kube, 1), running(kube, 2, "n2")
    found = await asyncio.gather(
        *(claim(book, who) for book, who in zip(books, owners, strict=True)),
        return_exceptions=True,
    )
    won = [one for one in found if not isinstance(one, BaseException)]
    assert len(won) == 1
    for book in books:
        await until_given_back(book)
    address = won[0][0]
    assert status(kube)["ips"] == [f"{address}/24"]
    assert set(written(kube)) == {address}
    keeper = KeptForClaims(kube, SystemClock())
    for _ in range(2):
        await keeper.scan()
    assert kept(kube) == {address: "vm"}


async def test_an_attempt_that_ended_before_the_status_was_written_is_resumed(
    tmp_path: Path,
) -> None:
    """The address is kept; the next attempt uses it, on any node."""
    kube = FakeKube()
    one, two = book_of(kube, tmp_path), book_of(kube, tmp_path, "n2")
    add_claim(kube)
    kube.fail_next(Unavailable("away"), verb="update", resource=IPAM_CLAIMS)
    with pytest.raises(Unavailable):
        await claim(one, owner(1))
    await until_given_back(one)
    assert (written(kube), kept(kube), status(kube)) == ({}, {A: "vm"}, None)
    assert await claim(two, owner(2, "n2")) == [A]


async def test_a_claim_that_is_gone_has_its_address_released_after_two_scans(
    tmp_path: Path,
) -> None:
    """A pod that has it keeps it until it ends; a new claim of the name gets another."""
    kube = FakeKube()
    book = book_of(kube, tmp_path)
    add_claim(kube)
    await claim(book, owner(1))
    kube.remove_object(IPAM_CLAIMS, "vm", namespace="ns")
    add_claim(kube)
    keeper = KeptForClaims(kube, SystemClock())
    await keeper.scan()
    assert kept(kube) == {A: "vm"}
    assert await claim(book, owner(2)) == [B]
    await keeper.scan()
    assert kept(kube) == {B: "vm"}
    assert written(kube) == {A: "c1", B: "c2"}


async def test_nothing_is_released_where_claims_cannot_be_read(tmp_path: Path) -> None:
    """Two scans in a row must see it."""
    kube = FakeKube()
    book = book_of(kube, tmp_path)
    add_claim(kube)
    await claim(book, owner(1))
    kube.remove_object(IPAM_CLAIMS, "vm", namespace="ns")
    keeper = KeptForClaims(kube, SystemClock())
    await keeper.scan()
    kube.fail_next(NotFound("no definition"), verb="list", resource=IPAM_CLAIMS)
    with pytest.raises(PlanesError):
        await keeper.scan()
    assert kept(kube) == {A: "vm"}


async def test_a_status_that_somebody_wrote_gives_no_address(tmp_path: Path) -> None:
    """Not a free one either: policy says who may choose."""
    kube = FakeKube()
    book = book_of(kube, tmp_path)
    add_claim(kube)
    obj = kube.object(IPAM_CLAIMS, "vm", namespace="ns")
    assert obj is not None
    obj["status"] = {"ips": [f"{B}/24"], "ownerPod": "p1"}
    await kube.replace(IPAM_CLAIMS, obj, subresource="status")
    with pytest.raises(Conflict, match="not kept for it"):
        await claim(book, owner(1))
    assert (written(kube), kept(kube)) == ({}, {})


async def test_the_claims_of_a_namespace_are_bounded(tmp_path: Path) -> None:
    """Also where no pod has their addresses; those that have some go on."""
    kube = FakeKube()
    book = book_of(kube, tmp_path)
    add_claim(kube)
    add_claim(kube, "more")
    await claim(book, owner(1), most=1)
    await end(book, owner(1))
    with pytest.raises(Exhausted, match="the namespace's claims keep 1 of 1 addresses"):
        await claim(book, owner(2), "more", most=1)
    assert await claim(book, owner(3), most=1) == [A]


async def test_a_claim_that_does_not_exist_or_is_for_another_interface_is_refused(
    tmp_path: Path,
) -> None:
    """Claims are looked for in the pod's own namespace alone."""
    kube = FakeKube()
    book = book_of(kube, tmp_path)
    add_claim(kube, interface="net7")
    with pytest.raises(Denied, match="net7"):
        await claim(book, owner(1))
    with pytest.raises(NotFound, match="cannot find IPAMClaim ns/none"):
        await claim(book, owner(1), "none")


async def test_a_kept_address_is_left_out_of_blocks(tmp_path: Path) -> None:
    """Also where the plane's static ranges were removed since, and no pod has the address."""
    kube = FakeKube()
    book = book_of(kube, tmp_path)
    add_claim(kube)
    await claim(book, owner(1))
    await end(book, owner(1))
    plane = make_plane(
        subnets=[{"cidr": "10.9.0.0/24", "ranges": ["10.9.0.200-10.9.0.203"]}],
        ipam={"blockSize": 30},
    )
    two = book_of(kube, tmp_path, "n2")
    found = [(await two.claim(plane, owner(9 + at, "n2")))[0].address for at in range(3)]
    assert sorted(found) == [f"10.9.0.{last}/24" for last in (201, 202, 203)]
    with pytest.raises(PlanesError):
        await two.claim(plane, owner(20, "n2"))


async def test_a_kept_address_counts_as_in_use(tmp_path: Path) -> None:
    """Nobody else can have it, also while no pod has it."""
    kube = FakeKube()
    book = book_of(kube, tmp_path)
    add_claim(kube)
    await claim(book, owner(1))
    await end(book, owner(1))
    (block,) = (obj for obj in kube.objects(IPBLOCKS) if obj["spec"]["use"] == "Static")
    found = read_addresses(block, read_shape(block))
    assert [(str(a), node) for a, node in found.holders] == [(A, "")]
