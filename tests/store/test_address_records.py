"""Addresses in use before are held like any other, and a directory says whether they are."""

from __future__ import annotations

import shutil
from ipaddress import ip_address
from pathlib import Path

import pytest

from planes.model.errors import Conflict, Unavailable
from planes.store.address_book import LocalAddressBook
from planes.store.protocol import AddressOwner
from tests.support.clock import FakeClock
from tests.support.planes import make_plane

PLANE = make_plane(
    subnets=[{"cidr": "10.9.0.0/29", "gateway": "10.9.0.1"}],
    ipam={"mode": "Plane", "cooldownSeconds": 0},
    staticIPs={"allow": "Any"},
)
A, B, C = (ip_address(f"10.9.0.{last}") for last in (2, 3, 4))
OLD = AddressOwner("adopted-1", "net1")


def owner(number: int) -> AddressOwner:
    return AddressOwner(f"c{number}", "net1", "shop", f"web-{number}", f"u{number}", "node-a")


@pytest.fixture
def book(tmp_path: Path) -> LocalAddressBook:
    return LocalAddressBook(tmp_path / "addresses", FakeClock())


async def hold(book: LocalAddressBook, who: AddressOwner, *addresses: object) -> tuple[object, ...]:
    return await book.hold("business", {who: addresses}, cooldown_seconds=0)  # type: ignore[dict-item]


async def test_a_held_address_is_not_handed_out(book: LocalAddressBook) -> None:
    assert await hold(book, OLD, A) == (A,)
    assert (await book.claim(PLANE, owner(1)))[0].address == "10.9.0.3/29"
    with pytest.raises(Conflict, match="held by container adopted-1"):
        await book.claim(PLANE, owner(2), wanted=[A])


async def test_an_address_with_a_holder_stays_with_it(book: LocalAddressBook) -> None:
    await book.claim(PLANE, owner(1), wanted=[A])
    assert await hold(book, OLD, A, B) == (B,)
    holders = await book.holders("business")
    assert (holders[A], holders[B]) == (owner(1), OLD)


async def test_what_an_attachment_held_already_stays_its_own(book: LocalAddressBook) -> None:
    await hold(book, OLD, A)
    assert await hold(book, OLD, A, B) == (B,)
    assert await book.holders("business") == {A: OLD, B: OLD}
    await book.release("business", "adopted-1", "net1")
    assert await book.holders("business") == {}


async def test_a_lost_link_of_a_record_is_made_again(
    book: LocalAddressBook, tmp_path: Path
) -> None:
    await book.claim(PLANE, owner(1), wanted=[A])
    (tmp_path / "addresses" / "business" / "10.9.0.2").unlink()
    assert await hold(book, owner(1), A) == (A,)
    await book.release("business", "c1", "net1")
    assert await book.holders("business") == {}


async def test_the_mark_goes_with_the_directory(book: LocalAddressBook, tmp_path: Path) -> None:
    assert not book.is_complete("business")
    await book.set_complete("business")
    assert book.is_complete("business")
    assert not book.is_complete("storage")
    assert await book.holders("business") == {}
    shutil.rmtree(tmp_path / "addresses")
    assert not book.is_complete("business")


async def test_a_directory_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "addresses").write_text("a file")
    book = LocalAddressBook(tmp_path / "addresses", FakeClock())
    with pytest.raises(Unavailable, match="cannot use the address directory"):
        await hold(book, OLD, A)
    with pytest.raises(Unavailable, match="cannot write addresses"):
        await book.set_complete("business")
