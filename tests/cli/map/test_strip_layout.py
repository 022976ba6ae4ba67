"""The geometry of address strips."""

from __future__ import annotations

from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planes.cli.map.facts import MapStrip
from planes.cli.map.strip_layout import (
    LABEL_ROWS,
    PartKind,
    StripLayout,
    lay_out_strip,
)
from planes.model.addresses import IPAddress, parse_address, parse_network, parse_range, range_of
from tests.cli.map.maps import strips


def laid_out(strip: MapStrip, wide: float = 1000.0) -> StripLayout:
    return lay_out_strip(
        strip, wide, narrowest=20.0, mark=2.0, text_width=lambda text: 7.0 * len(text)
    )


def business(*used: str, gateway: str = "") -> MapStrip:
    return MapStrip(
        0,
        parse_network("192.168.0.0/16"),
        parse_address(gateway) if gateway else None,
        (parse_range("192.168.10.1-192.168.99.255"),),
        (parse_range("192.168.100.0/24"),),
        used=tuple(map(parse_address, used)),
    )


WIDTHS = st.floats(200, 1500)


@given(strips(), WIDTHS)
def test_parts_cover_the_strip_and_the_subnet_without_gap(strip: MapStrip, wide: float) -> None:
    parts = laid_out(strip, wide).parts
    assert parts[0].first == int(strip.cidr.network_address)
    assert parts[-1].last == int(strip.cidr.broadcast_address)
    assert parts[0].left == 0.0
    assert parts[-1].right == pytest.approx(wide)
    for one, other in pairwise(parts):
        assert one.last + 1 == other.first
        assert one.right == other.left
        assert one.kind is not other.kind


@given(strips(), WIDTHS)
def test_labels_of_the_scale_never_overlap_and_stay_inside(strip: MapStrip, wide: float) -> None:
    labels = laid_out(strip, wide).labels
    for label in labels:
        assert 0 <= label.left < label.right <= wide + 1e-9
        assert label.row < LABEL_ROWS
    for one, other in combinations(labels, 2):
        apart = one.right <= other.left or other.right <= one.left
        assert apart or one.row != other.row


@given(strips(), WIDTHS)
def test_no_label_hides_what_leads_to_a_lower_one(strip: MapStrip, wide: float) -> None:
    labels = laid_out(strip, wide).labels
    for upper in labels:
        for lower in labels:
            if upper.row < lower.row:
                assert not upper.left <= lower.at < upper.right


@given(strips(), WIDTHS)
def test_every_used_address_is_under_a_mark(strip: MapStrip, wide: float) -> None:
    layout = laid_out(strip, wide)
    assert all(0 <= left < right <= wide + 1e-9 for left, right in layout.used)
    for one, other in pairwise(layout.used):
        assert one[1] < other[0]
    for address in strip.used:
        part = next(p for p in layout.parts if p.first <= int(address) <= p.last)
        assert any(left - 2 <= part.right and part.left <= right + 2 for left, right in layout.used)


@given(strips())
def test_each_address_is_in_the_part_of_its_kind(strip: MapStrip) -> None:
    def kind(address: IPAddress) -> PartKind:
        for spans, found in (
            (strip.excluded, PartKind.EXCLUDED),
            (strip.static, PartKind.STATIC),
            (strip.ranges, PartKind.PODS),
        ):
            if any(address in span for span in spans):
                return found
        return PartKind.REST

    for address in strip.used:
        part = next(p for p in laid_out(strip).parts if p.first <= int(address) <= p.last)
        assert part.kind is kind(address)


def test_a_small_range_of_a_large_subnet_can_be_seen() -> None:
    layout = laid_out(business())
    static = next(part for part in layout.parts if part.kind is PartKind.STATIC)
    assert static.right - static.left == pytest.approx(20.0)
    assert not layout.is_linear


def test_the_ends_of_the_subnet_and_what_begins_are_on_the_scale() -> None:
    texts = {label.text for label in laid_out(business()).labels}
    assert texts == {
        "192.168.0.0",
        "192.168.255.255",
        "192.168.10.1 pods",
        "192.168.100.0 ◆ static",
    }


def test_a_subnet_all_of_which_is_handed_out_is_true_to_scale() -> None:
    cidr = parse_network("fd00::/64")
    layout = laid_out(MapStrip(0, cidr, ranges=(range_of(cidr),)))
    assert layout.is_linear
    assert [part.kind for part in layout.parts] == [PartKind.PODS]


def test_neighbours_in_use_are_one_mark() -> None:
    used = [f"192.168.10.{n}" for n in range(1, 200)]
    assert len(laid_out(business(*used)).used) == 1


def test_hundreds_of_parts_are_not_widened() -> None:
    excluded = tuple(parse_range(f"192.168.{n}.0/25") for n in range(0, 250, 2))
    layout = laid_out(MapStrip(0, parse_network("192.168.0.0/16"), excluded=excluded))
    assert layout.is_linear
    assert len(layout.parts) == 250
