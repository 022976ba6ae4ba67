"""The error for an address that another pod has."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import pytest

from planes.model.errors import Conflict
from planes.store.address_book import LocalAddressBook
from planes.store.protocol import AddressOwner
from tests.store.test_addressbook import small, take
from tests.support.clock import FakeClock


@pytest.fixture
def book(tmp_path: Path) -> LocalAddressBook:
    return LocalAddressBook(tmp_path / "addresses", FakeClock())


async def test_a_replica_s_predecessor_is_named_as_such(book: LocalAddressBook) -> None:
    """The new pod of a StatefulSet has the old one's name: "held by db-1" would name itself."""
    plane = small()
    before, after = (
        AddressOwner(f"c{uid}", "net1", "life", "db-1", uid, "node-a") for uid in ("old", "new")
    )
    wanted = [ip_address("10.9.0.9")]
    await book.claim(plane, before, wanted=wanted)
    with pytest.raises(Conflict, match="the pod of this name before this one holds it") as caught:
        await book.claim(plane, after, wanted=wanted)
    assert "it is tried again" in caught.value.remedy


async def test_a_taken_address_says_how_a_deployment_rolls_out(book: LocalAddressBook) -> None:
    plane = small()
    await take(book, plane, 1, wanted=["10.9.0.9"])
    with pytest.raises(Conflict) as caught:
        await take(book, plane, 2, wanted=["10.9.0.9"])
    assert "maxSurge: 0" in caught.value.remedy
