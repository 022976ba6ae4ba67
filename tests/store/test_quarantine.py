"""Addresses in quarantine: not handed out for a while, and bounded whatever answers."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from planes.model.addresses import IPAddress, parse_address
from planes.model.errors import Exhausted
from planes.model.spec.conflict_probe import (
    FIRST_REST_SECONDS,
    LONGEST_REST_SECONDS,
    most_quarantined,
)
from planes.store.address_book import LocalAddressBook
from planes.store.protocol import AddressOwner
from planes.store.quarantine import Quarantine
from tests.support.clock import FakeClock
from tests.support.planes import make_plane

MAC = "02:00:00:00:00:01"
PROBED: dict[str, Any] = {"ipam": {"conflictDetection": "Probe"}}
SMALL = [{"cidr": "10.9.0.0/28", "gateway": "10.9.0.1"}]
PLANE = make_plane(subnets=SMALL, **PROBED)
ONE = AddressOwner("c1", "net1")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def book(tmp_path: Path, clock: FakeClock) -> LocalAddressBook:
    return LocalAddressBook(tmp_path, clock)


async def taken(book: LocalAddressBook, owner: AddressOwner = ONE, **more: Any) -> IPAddress:
    [given] = await book.claim(PLANE, owner, **more)
    return parse_address(given.address.partition("/")[0])


async def test_the_owner_gets_another_address(book: LocalAddressBook) -> None:
    first = await taken(book)
    await book.quarantine(PLANE, ONE, {first: MAC})
    second = await taken(book)
    assert second != first
    assert list(await book.holders("business")) == [second]


async def test_nobody_gets_it_until_its_time_is_over(
    book: LocalAddressBook, clock: FakeClock
) -> None:
    first = await taken(book)
    await book.quarantine(PLANE, ONE, {first: MAC})
    assert await taken(book) != first
    others = [AddressOwner(f"c{at}", "net1") for at in range(2, 14)]
    given = [await taken(book, one) for one in others[:-1]]
    assert first not in given
    with pytest.raises(Exhausted, match="1 in use by somebody on the wire"):
        await taken(book, others[-1])
    clock.advance(FIRST_REST_SECONDS + 1)
    assert await taken(book, others[-1]) == first


async def test_one_that_still_answers_rests_longer(
    book: LocalAddressBook, clock: FakeClock, tmp_path: Path
) -> None:
    first = await taken(book)
    quarantine = Quarantine(tmp_path / "business")
    for times in (1, 2, 4, 8, 12, 12):
        quarantine.add({first: MAC}, clock.now(), 100)
        rest = quarantine.resting(clock.now())[first]
        assert rest == min(times * FIRST_REST_SECONDS, LONGEST_REST_SECONDS)
        clock.advance(rest + 1)
    clock.advance(LONGEST_REST_SECONDS)
    assert quarantine.read(clock.now()) == {}


async def test_an_address_of_another_owner_does_not_rest(
    book: LocalAddressBook, clock: FakeClock, tmp_path: Path
) -> None:
    first = await taken(book)
    await book.quarantine(PLANE, AddressOwner("c2", "net1"), {first: MAC})
    assert Quarantine(tmp_path / "business").resting(clock.now()) == {}
    assert await taken(book) == first


async def test_candidates_in_quarantine_are_left_out(book: LocalAddressBook) -> None:
    asked = [parse_address("10.9.0.5"), parse_address("10.9.0.6")]
    assert await taken(book, candidates=asked) == asked[0]
    await book.quarantine(PLANE, ONE, {asked[0]: MAC})
    assert await taken(book, candidates=asked) == asked[1]


async def test_a_plane_that_does_not_probe_any_more_hands_it_out(book: LocalAddressBook) -> None:
    first = await taken(book)
    await book.quarantine(PLANE, ONE, {first: MAC})
    [given] = await book.claim(make_plane(subnets=SMALL), ONE)
    assert given.ip == str(first)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"mac": "x"}',
        '{"mac": 1, "until": "x", "conflicts": 1}',
        '{"mac": "", "until": 1e300, "conflicts": 1}',
        '{"mac": "", "until": 1, "conflicts": 0}',
    ],
)
def test_a_damaged_file_is_forgotten(text: str, tmp_path: Path) -> None:
    folder = tmp_path / "quarantine"
    folder.mkdir()
    (folder / "10.9.0.5").write_text(text)
    (folder / "no address").write_text(text)
    assert Quarantine(tmp_path).resting(1000.0) == {}
    assert list(folder.iterdir()) == []


class Answering(RuleBasedStateMachine):
    """Anybody answers for anything at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.quarantine = Quarantine(Path(self.folder.name))
        self.now = 1e9
        self.latest: IPAddress | None = None

    def teardown(self) -> None:
        self.folder.cleanup()

    @rule(low=st.integers(0, 200), capacity=st.integers(0, 1000))
    def answer(self, low: int, capacity: int) -> None:
        self.latest = IPv4Address(0x0A000000 + low)
        self.quarantine.add({self.latest: MAC}, self.now, capacity)
        assert self.latest in self.quarantine.resting(self.now)
        assert len(self.quarantine.resting(self.now)) <= most_quarantined(capacity)

    @rule(seconds=st.floats(0, 2 * LONGEST_REST_SECONDS))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(seconds=st.floats(0, 10**6))
    def set_the_clock_back(self, seconds: float) -> None:
        self.now -= seconds

    @invariant()
    def every_rest_ends(self) -> None:
        assert all(
            0 < left <= LONGEST_REST_SECONDS for left in self.quarantine.resting(self.now).values()
        )

    @invariant()
    def files_are_few(self) -> None:
        assert len(list(Path(self.folder.name).rglob("*.*.*.*"))) <= 2 * 64


def _machine() -> Iterator[Any]:
    Answering.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
    yield Answering.TestCase


[TestAnswering] = _machine()
