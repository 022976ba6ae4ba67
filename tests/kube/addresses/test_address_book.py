"""Dynamic addresses on a cluster: from blocks that a node takes and keeps."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from planes.kube.addresses.address_book import KubeAddressBook
from planes.kube.resources import IPBLOCKS
from planes.model.errors import Exhausted, Unavailable
from planes.model.spec.plane_spec import Plane
from planes.store.protocol import AddressOwner
from tests.support.clock import LeapingClock
from tests.support.kube.fake_kube import FakeKube
from tests.support.planes import make_plane

SMALL = make_plane(subnets=[{"cidr": "10.9.0.0/28", "gateway": "10.9.0.1"}])
"""Eight blocks of two addresses, three of the sixteen of no use."""


def owner(number: int, node: str = "n1") -> AddressOwner:
    return AddressOwner(f"c{number}", "net1", "ns", f"p{number}", f"uid-{number}", node)


def make_book(kube: FakeKube, state: Path, node: str = "n1") -> KubeAddressBook:
    return KubeAddressBook(kube, node, state / node, LeapingClock())


@pytest.fixture
def book(kube: FakeKube, tmp_path: Path) -> KubeAddressBook:
    return make_book(kube, tmp_path)


async def take(book: KubeAddressBook, plane: Plane, number: int, **asked: Any) -> str:
    return (await book.claim(plane, owner(number), **asked))[0].address.partition("/")[0]


def blocks(kube: FakeKube, use: str = "Node") -> dict[str, str]:
    """CIDRs by name."""
    found = [obj for obj in kube.objects(IPBLOCKS) if obj["spec"]["use"] == use]
    return {obj["metadata"]["name"]: obj["spec"]["cidr"] for obj in found}


async def test_an_address_is_given_with_prefix_length_and_gateway_of_its_subnet(
    book: KubeAddressBook,
) -> None:
    (address,) = await book.claim(make_plane(), owner(1))
    assert address.address.endswith("/24")
    assert address.gateway == "10.9.0.1"


async def test_the_first_claim_takes_one_block_and_later_ones_ask_nothing(
    book: KubeAddressBook, kube: FakeKube
) -> None:
    await take(book, make_plane(), 1)
    assert len(blocks(kube)) == 1
    kube.requests.clear()
    for number in range(2, 20):
        await take(book, make_plane(), number)
    assert kube.requests == []


async def test_a_block_is_named_after_plane_first_address_and_length(
    book: KubeAddressBook, kube: FakeKube
) -> None:
    await take(book, make_plane(), 1)
    ((name, cidr),) = blocks(kube).items()
    assert name == f"business.{cidr.replace('.', '-').replace('/', '-')}"
    assert cidr.endswith("/27")


async def test_full_blocks_are_followed_by_more_until_the_plane_is_empty(
    book: KubeAddressBook, kube: FakeKube
) -> None:
    taken = {await take(book, SMALL, number) for number in range(13)}
    assert len(taken) == 13
    assert not taken & {"10.9.0.0", "10.9.0.1", "10.9.0.15"}
    with pytest.raises(Exhausted, match=r"node n1 has 7 of its blocks with 13 addresses"):
        await take(book, SMALL, 99)


async def test_a_block_without_a_dynamic_address_is_never_taken(
    book: KubeAddressBook, kube: FakeKube
) -> None:
    for number in range(13):
        await take(book, SMALL, number)
    assert "10.9.0.0/31" not in blocks(kube).values()


async def test_two_nodes_never_share_a_block(kube: FakeKube, tmp_path: Path) -> None:
    one, two = (make_book(kube, tmp_path, node) for node in ("n1", "n2"))
    taken = [await take(book, SMALL, n) for n in range(6) for book in (one, two)]
    assert len(set(taken)) == 12


async def test_exhausted_names_the_nodes_that_have_the_other_blocks(
    kube: FakeKube, tmp_path: Path
) -> None:
    one, two = (make_book(kube, tmp_path, node) for node in ("n1", "n2"))
    await take(one, SMALL, 0)
    own = next(cidr for cidr in blocks(kube).values())
    free = 13 - (2 if own not in {"10.9.0.14/31"} else 1)
    for number in range(1, 1 + free):
        await take(two, SMALL, number)
    message = r"node n2 has 6 of its blocks with \d+ addresses, .* the others belong to n1 \(1\)"
    with pytest.raises(Unavailable, match=message):
        await take(two, SMALL, 99)


async def test_after_a_restart_the_node_goes_on_with_its_blocks(
    kube: FakeKube, tmp_path: Path
) -> None:
    first = await take(make_book(kube, tmp_path), SMALL, 1)
    again = make_book(kube, tmp_path)
    assert await take(again, SMALL, 1) == first
    assert await take(again, SMALL, 2) != first
    assert len(blocks(kube)) == 1


async def test_a_node_that_lost_its_disk_takes_its_blocks_up_again(
    kube: FakeKube, tmp_path: Path
) -> None:
    await take(make_book(kube, tmp_path), SMALL, 1)
    before = blocks(kube)
    await take(make_book(kube, tmp_path / "new disk"), SMALL, 2)
    assert blocks(kube) == before


async def test_with_the_api_away_what_is_free_in_own_blocks_is_still_handed_out(
    book: KubeAddressBook, kube: FakeKube
) -> None:
    await take(book, SMALL, 1)
    kube.fail_next(Unavailable("cannot reach the API server: refused"), times=1000)
    await take(book, SMALL, 2)
    await book.release("business", "c1", "net1")
    await take(book, SMALL, 3)
    with pytest.raises(Unavailable, match=r"needs a new block of it, but cannot reach the API"):
        await take(book, SMALL, 4)


async def test_a_block_whose_creation_was_answered_by_a_broken_line_is_found_again(
    book: KubeAddressBook, kube: FakeKube
) -> None:
    """The create got through, its answer did not: the block is ours and must not be lost."""
    await take(book, SMALL, 1)
    await take(book, SMALL, 2)

    def lose_the_answer() -> None:
        free = next(f"10.9.0.{n}" for n in range(2, 14, 2) if f"10.9.0.{n}/31" not in taken)
        name = f"business.{free.replace('.', '-')}-31"
        spec = {"plane": "business", "use": "Node", "cidr": f"{free}/31", "node": "n1"}
        kube.put_object(IPBLOCKS, {"metadata": {"name": name}, "spec": spec})
        raise Unavailable("cannot create: the connection broke")

    taken = set(blocks(kube).values())
    kube.before_next(lose_the_answer, verb="create", resource=IPBLOCKS)
    with pytest.raises(Unavailable):
        await take(book, SMALL, 3)
    count = len(blocks(kube))
    await take(book, SMALL, 3)
    await take(book, SMALL, 4)
    assert len(blocks(kube)) == count


async def test_dual_stack_takes_a_block_of_each_family(
    book: KubeAddressBook, kube: FakeKube
) -> None:
    plane = make_plane(subnets=[{"cidr": "10.9.0.0/24"}, {"cidr": "fd00:9::/64"}])
    four, six = await book.claim(plane, owner(1))
    assert four.address.startswith("10.9.0.")
    assert six.address.startswith("fd00:9::")
    assert sorted(cidr.partition("/")[2] for cidr in blocks(kube).values()) == ["122", "27"]


async def test_many_at_once_on_one_node_take_as_few_blocks_as_they_fill(
    book: KubeAddressBook, kube: FakeKube
) -> None:
    plane = make_plane()
    taken = await asyncio.gather(*(take(book, plane, number) for number in range(40)))
    assert len(set(taken)) == 40
    assert len(blocks(kube)) == 2


async def test_a_block_outside_the_changed_plane_is_left_alone(
    book: KubeAddressBook, kube: FakeKube
) -> None:
    await take(book, SMALL, 1)
    elsewhere = make_plane(subnets=[{"cidr": "10.77.0.0/24"}])
    assert (await take(book, elsewhere, 2)).startswith("10.77.0.")
    assert len(blocks(kube)) == 2


async def test_another_block_size_does_not_change_the_size_of_a_region_in_use(
    kube: FakeKube, tmp_path: Path
) -> None:
    """A stale plane on another node asks for other blocks: it gets those of the grid."""
    await take(make_book(kube, tmp_path, "n1"), make_plane(), 1)
    large = make_plane(subnets=[{"cidr": "10.9.0.0/16"}], ipam={"blockSize": 22})
    await take(make_book(kube, tmp_path, "n2"), large, 2)
    assert {cidr.partition("/")[2] for cidr in blocks(kube).values()} == {"27"}


async def test_a_grid_that_somebody_deleted_is_made_anew_like_the_blocks_that_are_there(
    kube: FakeKube, tmp_path: Path
) -> None:
    await take(make_book(kube, tmp_path, "n1"), make_plane(), 1)
    kube.remove_object(IPBLOCKS, next(iter(blocks(kube, "Grid"))))
    large = make_plane(subnets=[{"cidr": "10.9.0.0/16"}])
    await take(make_book(kube, tmp_path, "n2"), large, 2)
    assert {cidr.partition("/")[2] for cidr in blocks(kube).values()} == {"27"}


async def test_holders_are_those_of_this_node(book: KubeAddressBook) -> None:
    address = await take(book, SMALL, 1)
    assert {str(a): o for a, o in (await book.holders("business")).items()} == {address: owner(1)}


async def test_a_plane_with_static_addresses_alone_says_that_it_hands_out_none(
    book: KubeAddressBook,
) -> None:
    only = make_plane(subnets=[{"cidr": "10.9.0.0/24", "staticRanges": ["10.9.0.0/24"]}])
    with pytest.raises(Exhausted, match="it has none to hand out by itself"):
        await take(book, only, 1)
