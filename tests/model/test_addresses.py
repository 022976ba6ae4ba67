"""Addresses, networks and ranges, read strictly."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planes.model.addresses import (
    AddressRange,
    IPAddress,
    overlapping,
    parse_address,
    parse_interface,
    parse_network,
    parse_range,
    parse_request,
    range_of,
)
from planes.model.errors import BadInput
from planes.model.spans import subtract

V4 = st.ip_addresses(v=4)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("FD00:0:0::1", "fd00::1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("::FFFF:a00:1", "10.0.0.1"),
    ],
)
def test_one_address_has_one_spelling(text: str, same: str) -> None:
    assert parse_address(text) == ip_address(same)


@pytest.mark.parametrize(
    "text",
    ["", "10.0.0.01", "10.0.0", "10.0.0.256", " 10.0.0.1", "fe80::1%eth0", "1", "10.0.0.1/8"],
)
def test_ambiguous_addresses_are_refused(text: str) -> None:
    with pytest.raises(BadInput, match="cannot read"):
        parse_address(text)


@pytest.mark.parametrize(
    "text", ["10.0.0.1", "10.0.0.1/", "10.0.0.1/33", "10.0.0.1/08", "10.0.0.1/-1", "a/8", "::1/129"]
)
def test_a_wrong_prefix_length_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        parse_interface(text)


def test_a_mapped_address_takes_its_ipv4_prefix_length() -> None:
    assert str(parse_interface("::ffff:10.0.0.1/120")) == "10.0.0.1/24"
    with pytest.raises(BadInput):
        parse_interface("::ffff:10.0.0.1/24")


def test_a_request_may_have_a_prefix_length() -> None:
    assert parse_request("10.0.0.1") == (ip_address("10.0.0.1"), None)
    assert parse_request("10.0.0.1/8") == (ip_address("10.0.0.1"), 8)


def test_host_bits_are_refused_and_both_meanings_named() -> None:
    with pytest.raises(BadInput) as caught:
        parse_network("10.0.0.1/24")
    assert caught.value.remedy == "write 10.0.0.0/24 for the network, or 10.0.0.1 for one address"


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("10.0.0.1", "10.0.0.1", "10.0.0.1"),
        ("10.0.0.1 - 10.0.0.9", "10.0.0.1", "10.0.0.9"),
        ("10.0.0.0/30", "10.0.0.0", "10.0.0.3"),
        ("fd00::/126", "fd00::", "fd00::3"),
    ],
)
def test_a_range_is_an_address_two_ends_or_a_cidr(text: str, first: str, last: str) -> None:
    assert parse_range(text) == AddressRange(ip_address(first), ip_address(last))


@given(st.text() | st.from_regex(r"[0-9a-f.:/-]{1,30}"))
def test_any_text_is_a_range_or_bad_input(text: str) -> None:
    error = ""
    try:
        found = parse_range(text)
    except BadInput as refused:
        error = refused.message
    assert error.startswith("cannot ") if error else found.first in found
    assert len(error) < 400


def test_a_range_is_lazy_and_indexed() -> None:
    span = range_of(ip_network("fd00::/64"))
    assert span.size == 2**64
    assert span.nth(2) == ip_address("fd00::2")
    assert next(iter(span)) == ip_address("fd00::")
    with pytest.raises(IndexError):
        span.nth(2**64)
    assert ip_address("10.0.0.1") not in span
    assert "10.0.0.1" not in span


SPANS = st.lists(st.tuples(V4, V4), max_size=4).map(
    lambda pairs: [AddressRange(*sorted(pair, key=int)) for pair in pairs]
)


@given(spans=SPANS, holes=SPANS, probe=V4)
def test_subtraction_keeps_exactly_what_is_not_taken_away(
    spans: list[AddressRange], holes: list[AddressRange], probe: IPAddress
) -> None:
    left = subtract(spans, holes)
    ends = [end for span in (*spans, *holes) for end in (span.first, span.last)]
    for address in (probe, *ends):
        inside = any(address in span for span in spans)
        taken = any(address in hole for hole in holes)
        assert any(address in span for span in left) == (inside and not taken)


@given(spans=SPANS)
def test_ranges_that_overlap_are_found_once_each(spans: list[AddressRange]) -> None:
    found = overlapping(spans)
    assert all(i < j and spans[i].overlaps(spans[j]) for i, j in found)
    assert found == sorted(set(found), key=lambda pair: (pair[1], pair[0]))
    pairs = list(combinations(spans, 2))
    assert bool(found) == any(one.overlaps(other) for one, other in pairs)
    assert len(found) < max(len(spans), 1)


def test_families_do_not_overlap_each_other() -> None:
    spans = [parse_range("::/0"), parse_range("0.0.0.0/0"), parse_range("10.0.0.0/8")]
    assert overlapping(spans) == [(1, 2)]
