"""What a node lends of its blocks, which it returns, and which nodes it asks."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address

from hypothesis import given
from hypothesis import strategies as st

from planes.model.addresses import AddressRange, IPAddress, parse_range
from planes.model.spec.lending import (
    ASK_AGAIN_SECONDS,
    MOST_ASKED,
    MOST_ENTRIES,
    ForeignBlock,
    OwnedBlock,
    common,
    joined,
    singles,
    to_lend,
    to_return,
    unused,
    whom_to_ask,
    without,
)

NUMBERS = st.sets(st.integers(0, 40))


def addresses(numbers: set[int]) -> list[IPAddress]:
    return [IPv4Address(0x0A090000 + number) for number in sorted(numbers)]


def flat(spans: tuple[AddressRange, ...]) -> list[IPAddress]:
    return [address for span in spans for address in span]


@given(NUMBERS)
def test_half_of_the_free_addresses_is_lent_rounded_up(numbers: set[int]) -> None:
    free = addresses(numbers)
    lent = flat(to_lend(free))
    assert len(lent) == (len(free) + 1) // 2
    assert set(lent) <= set(free)


def test_the_last_free_address_is_lent() -> None:
    assert flat(to_lend(addresses({7}))) == addresses({7})
    assert to_lend([]) == ()


@given(NUMBERS, NUMBERS)
def test_ranges_are_sets_of_addresses(one: set[int], two: set[int]) -> None:
    first, second = singles(addresses(one)), singles(addresses(two))
    assert flat(joined((*first, *second))) == addresses(one | two)
    assert flat(common(first, second)) == addresses(one & two)
    assert flat(without(first, second)) == addresses(one - two)
    assert unused(first, set(addresses(two))) == addresses(one - two)


def test_adjacent_ranges_are_written_as_one() -> None:
    spans = [parse_range("10.9.0.8-10.9.0.9"), parse_range("10.9.0.5-10.9.0.7")]
    assert [str(span) for span in joined(spans)] == ["10.9.0.5-10.9.0.9"]
    six = [parse_range("fd00::1"), parse_range("10.9.0.1")]
    assert [str(span) for span in joined(six)] == ["10.9.0.1", "fd00::1"]


def owned(name: str, since: float | None, version: int = 4) -> OwnedBlock:
    return OwnedBlock(name, version, since)


def test_an_empty_block_goes_back_after_the_grace_and_one_is_kept_as_a_spare() -> None:
    blocks = [owned("a", 0), owned("b", 10), owned("c", None)]
    assert to_return(blocks, 59, 60) == []
    assert to_return(blocks, 60, 60) == ["a"]
    assert to_return(blocks, 1000, 60) == ["a"]


def test_each_family_keeps_its_own_spare() -> None:
    blocks = [owned("a", 0), owned("b", 0), owned("six", 0, 6)]
    assert to_return(blocks, 60, 60) == ["a"]


def test_without_a_spare_all_empty_blocks_go_back() -> None:
    blocks = [owned("a", 0), owned("six", 0, 6), owned("used", None)]
    assert to_return(blocks, 0, 0, keeps_spare=False) == ["a", "six"]


def foreign(*nodes: str) -> list[ForeignBlock]:
    return [ForeignBlock(f"{node}-{number}", node) for number, node in enumerate(nodes)]


@given(st.integers(0, 1 << 16))
def test_few_nodes_are_asked_each_by_one_of_its_blocks(start: int) -> None:
    blocks = foreign("n1", "n1", "n1", "n2", "n3", "n4", "n5", "n6")
    asked = [block.node for block in whom_to_ask(blocks, {}, 0, start)]
    assert len(set(asked)) == len(asked) == MOST_ASKED


def test_a_node_is_not_asked_twice_within_a_while() -> None:
    blocks = foreign("n1", "n1", "n2")
    asked = {"n1": 100.0}
    soon, later = 100 + ASK_AGAIN_SECONDS - 1, 100 + ASK_AGAIN_SECONDS
    assert [block.node for block in whom_to_ask(blocks, asked, soon, 0)] == ["n2"]
    assert len(whom_to_ask(blocks, asked, later, 0)) == 2


def test_a_block_that_as_many_as_may_wait_for_is_not_asked() -> None:
    assert whom_to_ask([ForeignBlock("a", "n1", MOST_ENTRIES)], {}, 0, 0) == []


def test_addresses_of_both_families_are_told_apart() -> None:
    spans = (parse_range("10.9.0.1-10.9.0.3"), parse_range("fd00::1-fd00::3"))
    used = {ip_address("10.9.0.2"), ip_address("fd00::1")}
    assert [str(a) for a in unused(spans, used)] == ["10.9.0.1", "10.9.0.3", "fd00::2", "fd00::3"]
