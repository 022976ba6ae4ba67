"""Free addresses near another one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from planes.cli.reading.near_addresses import free_near
from planes.model.addresses import AddressRange, parse_address

SPAN = AddressRange(parse_address("10.9.0.10"), parse_address("10.9.0.250"))


@given(st.integers(0, 255), st.sets(st.integers(0, 255)), st.integers(1, 9))
def test_no_free_address_is_nearer_than_those_that_are_returned(
    near: int, taken: set[int], most: int
) -> None:
    middle = parse_address(f"10.9.0.{near}")
    busy = {parse_address(f"10.9.0.{each}") for each in taken}
    found = free_near([SPAN], middle, busy, most)
    free = [a for a in SPAN if a not in busy and a != middle]
    by_distance = sorted(free, key=lambda a: (abs(int(a) - int(middle)), int(a) < int(middle)))
    assert found == by_distance[:most]


def test_a_range_without_end_is_looked_at_for_a_while_only() -> None:
    span = AddressRange(parse_address("fd00::"), parse_address("fd00::ffff:ffff:ffff"))

    class Everything:
        def __contains__(self, _: object) -> bool:
            return True

    assert free_near([span], parse_address("fd00::1"), Everything(), 1) == []


def test_addresses_of_the_other_family_are_none() -> None:
    assert free_near([SPAN], parse_address("fd00::1"), (), 3) == []
