"""The local address book within one process: claim, keep, cool down, release."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from planes.model.errors import BadInput, Conflict, Exhausted, Unavailable
from planes.model.spec.plane_spec import Plane
from planes.store.address_book import LocalAddressBook
from planes.store.protocol import AddressOwner
from tests.support.clock import FakeClock
from tests.support.planes import make_plane


def owner(number: int, interface: str = "net1") -> AddressOwner:
    return AddressOwner(f"c{number}", interface, "shop", f"web-{number}", f"uid{number}", "node-a")


def small(**ipam: Any) -> Plane:
    """A plane with 10.9.0.2 to .6 to hand out, .4 excluded, and .8 upwards for static ones."""
    subnet = {
        "cidr": "10.9.0.0/28",
        "gateway": "10.9.0.1",
        "ranges": ["10.9.0.2-10.9.0.6"],
        "exclude": ["10.9.0.4"],
        "staticRanges": ["10.9.0.8-10.9.0.12"],
    }
    return make_plane(subnets=[subnet], ipam={"mode": "Plane", **ipam}, staticIPs={"allow": "Any"})


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def book(tmp_path: Path, clock: FakeClock) -> LocalAddressBook:
    return LocalAddressBook(tmp_path / "addresses", clock)


async def take(book: LocalAddressBook, plane: Plane, number: int, **asked: Any) -> list[str]:
    asked = {key: [ip_address(text) for text in texts] for key, texts in asked.items()}
    return [a.address for a in await book.claim(plane, owner(number), **asked)]


async def test_only_dynamic_addresses_are_handed_out_in_turn(book: LocalAddressBook) -> None:
    """Neither gateway, network, broadcast, excluded nor static addresses come up by themselves."""
    plane = small()
    got = [(await take(book, plane, number))[0] for number in range(4)]
    assert got == ["10.9.0.2/28", "10.9.0.3/28", "10.9.0.5/28", "10.9.0.6/28"]


async def test_a_whole_subnet_leaves_out_its_network_broadcast_and_gateway(
    book: LocalAddressBook,
) -> None:
    plane = make_plane(subnets=[{"cidr": "10.9.0.0/29", "gateway": "10.9.0.1"}])
    got = {(await take(book, plane, number))[0] for number in range(5)}
    assert got == {f"10.9.0.{n}/29" for n in range(2, 7)}


async def test_a_released_address_comes_up_again_last(book: LocalAddressBook) -> None:
    """Round-robin: the address longest unused is next, so that peers' caches can forget it."""
    plane = small()
    assert await take(book, plane, 0) == ["10.9.0.2/28"]
    await book.release("business", "c0", "net1")
    got = [(await take(book, plane, number))[0] for number in range(1, 5)]
    assert got == ["10.9.0.3/28", "10.9.0.5/28", "10.9.0.6/28", "10.9.0.2/28"]


async def test_the_answer_carries_gateway_and_prefix_length(book: LocalAddressBook) -> None:
    (address,) = await book.claim(small(), owner(1))
    assert (address.address, address.gateway) == ("10.9.0.2/28", "10.9.0.1")


async def test_the_same_attachment_is_given_the_same_address_again(book: LocalAddressBook) -> None:
    plane = small()
    assert await take(book, plane, 1) == await take(book, plane, 1)
    assert len(await book.holders("business")) == 1


async def test_two_interfaces_of_one_sandbox_get_two_addresses(book: LocalAddressBook) -> None:
    plane = small()
    first = await book.claim(plane, owner(1, "net1"))
    second = await book.claim(plane, owner(1, "net2"))
    assert first != second


async def test_a_full_plane_says_so_and_what_to_do(book: LocalAddressBook) -> None:
    plane = small()
    for number in range(4):
        await take(book, plane, number)
    with pytest.raises(Exhausted, match="all 4 are taken") as caught:
        await take(book, plane, 9)
    assert "widen its ranges" in caught.value.remedy


async def test_a_plane_with_static_ranges_only_hands_out_nothing_by_itself(
    book: LocalAddressBook,
) -> None:
    subnet = {"cidr": "10.9.0.0/30", "staticRanges": ["10.9.0.1-10.9.0.2"]}
    plane = make_plane(subnets=[subnet])
    with pytest.raises(Exhausted, match="none to hand out"):
        await take(book, plane, 1)


async def test_dual_stack_gives_one_address_of_each_family(book: LocalAddressBook) -> None:
    """The /64 is not enumerated: this would not end."""
    plane = make_plane(subnets=[{"cidr": "10.9.0.0/24"}, {"cidr": "fd00:9::/64"}])
    assert await take(book, plane, 1) == ["10.9.0.1/24", "fd00:9::1/64"]
    assert await take(book, plane, 2) == ["10.9.0.2/24", "fd00:9::2/64"]


async def test_dual_stack_takes_nothing_where_one_family_is_full(book: LocalAddressBook) -> None:
    plane = make_plane(subnets=[{"cidr": "10.9.0.0/32"}, {"cidr": "fd00:9::/64"}])
    await take(book, plane, 1)
    with pytest.raises(Exhausted, match="IPv4"):
        await take(book, plane, 2)
    assert {who.container_id for who in (await book.holders("business")).values()} == {"c1"}


async def test_a_second_subnet_of_a_family_is_used_when_the_first_is_full(
    book: LocalAddressBook,
) -> None:
    plane = make_plane(subnets=[{"cidr": "10.9.0.0/31"}, {"cidr": "10.9.1.0/31"}])
    got = [(await take(book, plane, number))[0] for number in range(4)]
    assert got == ["10.9.0.0/31", "10.9.0.1/31", "10.9.1.0/31", "10.9.1.1/31"]


async def test_a_wanted_address_is_given_exactly(book: LocalAddressBook) -> None:
    assert await take(book, small(), 1, wanted=["10.9.0.9"]) == ["10.9.0.9/28"]


async def test_a_wanted_address_that_is_held_names_its_holder(book: LocalAddressBook) -> None:
    plane = small()
    await take(book, plane, 1, wanted=["10.9.0.9"])
    with pytest.raises(Conflict, match=r"shop/web-1 \(interface net1\) on node node-a"):
        await take(book, plane, 2, wanted=["10.9.0.9"])


@pytest.mark.parametrize("text", ["10.8.0.1", "fd00::1"])
async def test_a_wanted_address_outside_the_plane_is_refused(
    book: LocalAddressBook, text: str
) -> None:
    with pytest.raises(BadInput, match="in none of its subnets"):
        await take(book, small(), 1, wanted=[text])


@pytest.mark.parametrize("last", ["0", "1", "4", "15"])
async def test_network_gateway_excluded_and_broadcast_are_refused_even_when_wanted(
    book: LocalAddressBook, last: str
) -> None:
    with pytest.raises(BadInput, match="network, broadcast, gateway or an excluded"):
        await take(book, small(), 1, wanted=[f"10.9.0.{last}"])


async def test_another_wish_of_the_same_attachment_replaces_what_it_held(
    book: LocalAddressBook,
) -> None:
    plane = small()
    await take(book, plane, 1, wanted=["10.9.0.9"])
    assert await take(book, plane, 1, wanted=["10.9.0.10"]) == ["10.9.0.10/28"]
    assert [str(ip) for ip in await book.holders("business")] == ["10.9.0.10"]


async def test_a_refused_wish_leaves_what_was_held(book: LocalAddressBook) -> None:
    plane = small()
    await take(book, plane, 1, wanted=["10.9.0.9"])
    await take(book, plane, 2, wanted=["10.9.0.10"])
    with pytest.raises(Conflict):
        await take(book, plane, 1, wanted=["10.9.0.10"])
    assert {str(ip) for ip in await book.holders("business")} == {"10.9.0.9", "10.9.0.10"}


async def test_the_first_free_candidate_is_taken_and_all_held_is_an_error(
    book: LocalAddressBook,
) -> None:
    plane = small()
    asked = ["10.9.0.9", "10.9.0.10"]
    assert await take(book, plane, 1, candidates=asked) == ["10.9.0.9/28"]
    assert await take(book, plane, 2, candidates=asked) == ["10.9.0.10/28"]
    with pytest.raises(Exhausted, match=r"all 2 IPv4 addresses the pod may have are held.*web-1"):
        await take(book, plane, 3, candidates=asked)


async def test_a_released_address_rests_and_then_returns(
    book: LocalAddressBook, clock: FakeClock
) -> None:
    plane = small(cooldownSeconds=60)
    for number in range(4):
        await take(book, plane, number)
    await book.release("business", "c2", "net1")
    clock.advance(59)
    with pytest.raises(Exhausted, match="1 of them cooling down") as caught:
        await take(book, plane, 9)
    assert "wait 1 s" in caught.value.remedy
    clock.advance(2)
    assert await take(book, plane, 9) == ["10.9.0.5/28"]


async def test_a_wanted_address_need_not_rest(book: LocalAddressBook) -> None:
    """The replica of a StatefulSet that restarts asks for its own address at once."""
    plane = small(cooldownSeconds=60)
    await take(book, plane, 1, wanted=["10.9.0.9"])
    await book.release("business", "c1", "net1")
    assert await take(book, plane, 2, wanted=["10.9.0.9"]) == ["10.9.0.9/28"]


async def test_a_clock_set_back_does_not_lock_an_address_away(
    book: LocalAddressBook, clock: FakeClock
) -> None:
    plane = small(cooldownSeconds=60)
    for number in range(4):
        await take(book, plane, number)
    await book.release("business", "c2", "net1")
    clock.set_wall(clock.now() - 86400)
    assert await take(book, plane, 9) == ["10.9.0.5/28"]


async def test_release_is_idempotent_and_fine_for_what_never_was(
    book: LocalAddressBook, tmp_path: Path
) -> None:
    await book.release("business", "c1", "net1")
    assert not (tmp_path / "addresses").exists()
    await take(book, small(), 1)
    for _ in range(2):
        await book.release("business", "c1", "net1")
    assert await book.holders("business") == {}


async def test_nothing_but_the_lock_and_the_order_is_left_after_release(
    book: LocalAddressBook, tmp_path: Path
) -> None:
    await take(book, small(), 1)
    await book.release("business", "c1", "net1")
    left = {path.name for path in (tmp_path / "addresses" / "business").iterdir()}
    assert left == {".lock", ".last-4"}


async def test_a_torn_record_is_still_held_and_still_released(
    book: LocalAddressBook, tmp_path: Path
) -> None:
    """A power cut may empty a file: its address must neither be given away nor be lost."""
    plane = small()
    await take(book, plane, 1)
    (tmp_path / "addresses" / "business" / "10.9.0.2").write_bytes(b"")
    with pytest.raises(Conflict, match="unreadable record"):
        await take(book, plane, 2, wanted=["10.9.0.2"])
    await book.release("business", "c1", "net1")
    assert await take(book, plane, 2, wanted=["10.9.0.2"]) == ["10.9.0.2/28"]


async def test_many_at_once_get_different_addresses(book: LocalAddressBook) -> None:
    plane = make_plane(subnets=[{"cidr": "10.9.0.0/24"}])
    got = await asyncio.gather(*(take(book, plane, number) for number in range(60)))
    assert len({address for addresses in got for address in addresses}) == 60


async def test_a_cancelled_claim_can_be_released_like_any_other(book: LocalAddressBook) -> None:
    task = asyncio.create_task(take(book, small(), 1))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await book.release("business", "c1", "net1")
    assert await book.holders("business") == {}


async def test_an_unusable_directory_is_an_error_to_try_again(
    tmp_path: Path, clock: FakeClock
) -> None:
    (tmp_path / "file").touch()
    book = LocalAddressBook(tmp_path / "file", clock)
    with pytest.raises(Unavailable, match="cannot use the address directory"):
        await take(book, small(), 1)


async def test_names_from_outside_stay_inside_the_directory(
    book: LocalAddressBook, tmp_path: Path
) -> None:
    await book.release("../../outside", "c1", "net1")
    assert await book.holders("../..") == {}
    assert list(tmp_path.iterdir()) == []
