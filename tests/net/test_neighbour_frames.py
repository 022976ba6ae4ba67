"""Frames about addresses: what is sent can be read, and what anybody sends cannot harm."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cni.net.neighbour_frames import Neighbour, announcement, probe, read_frame
from planes.model.addresses import IPAddress, parse_address

ADDRESSES = st.one_of(
    st.integers(1, 2**32 - 1).map(IPv4Address), st.integers(0, 2**128 - 1).map(IPv6Address)
)
MACS = st.binary(min_size=6, max_size=6)


@given(mac=MACS, address=ADDRESSES)
def test_an_announcement_says_who_has_it(mac: bytes, address: IPAddress) -> None:
    assert read_frame(announcement(mac, address)) == Neighbour(address, mac, is_asking=False)


@given(mac=MACS, address=ADDRESSES)
def test_a_probe_claims_nothing(mac: bytes, address: IPAddress) -> None:
    """Its sender address is unspecified, so that no cache learns of it."""
    frame = probe(mac, address)
    assert read_frame(frame) == Neighbour(address, mac, is_asking=True)
    sender = frame[28:32] if address.version == 4 else frame[22:38]
    assert not any(sender)


def test_a_solicitation_goes_to_the_group_of_its_address() -> None:
    frame = probe(bytes(6), parse_address("fd00::12:3456"))
    assert frame[:6].hex(":") == "33:33:ff:12:34:56"
    assert str(IPv6Address(frame[38:54])) == "ff02::1:ff12:3456"


@given(st.binary(max_size=100))
def test_any_bytes_are_read_or_left_out(frame: bytes) -> None:
    said = read_frame(frame)
    assert said is None or len(said.mac) == 6


@given(address=ADDRESSES, size=st.integers(0, 77))
def test_a_torn_frame_says_nothing(address: IPAddress, size: int) -> None:
    whole = announcement(bytes(6), address)
    torn = whole[: min(size, 41 if address.version == 4 else 77)]
    assert read_frame(torn) is None


@pytest.mark.parametrize("hops", [0, 1, 64, 254])
def test_what_a_router_passed_on_says_nothing(hops: int) -> None:
    frame = bytearray(announcement(bytes(6), parse_address("fd00::5")))
    frame[21] = hops
    assert read_frame(bytes(frame)) is None
