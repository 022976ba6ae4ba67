"""The order of dynamic addresses: every address once, the last released one last."""

from __future__ import annotations

from ipaddress import ip_address
from itertools import islice

from hypothesis import given, settings
from hypothesis import strategies as st

from planes.model.addresses import AddressRange, IPAddress, parse_range
from planes.store.rotation import in_turn


@st.composite
def _spans(draw: st.DrawFn) -> tuple[list[AddressRange], IPAddress | None]:
    edges = sorted(draw(st.sets(st.integers(0, 60), min_size=2, max_size=8)))
    pairs = zip(edges[::2], edges[1::2], strict=False)
    spans = [parse_range(f"10.0.0.{first}-10.0.0.{last}") for first, last in pairs]
    last = draw(st.none() | st.integers(0, 70).map(lambda n: ip_address(f"10.0.0.{n}")))
    return draw(st.permutations(spans)), last


@given(_spans())
@settings(max_examples=60, deadline=None)
def test_a_turn_visits_every_address_once(case: tuple[list[AddressRange], IPAddress]) -> None:
    spans, last = case
    turn = list(in_turn(spans, last))
    assert sorted(turn) == sorted(address for span in spans for address in span)
    if last in turn:
        assert turn[-1] == last


def test_a_turn_through_a_huge_range_begins_at_once() -> None:
    spans = [parse_range("fd00::/64")]
    last = ip_address("fd00::ffff")
    assert [str(a) for a in islice(in_turn(spans, last), 2)] == ["fd00::1:0", "fd00::1:1"]
