"""MACs that a plane makes from addresses."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planes.model.addresses import parse_address
from planes.model.mac import why_unusable
from planes.model.spec.plane_macs import PlaneMacs
from tests.support.planes import make_plane

V4 = st.integers(0, 2**32 - 1).map(IPv4Address)
V6 = st.integers(0, 2**128 - 1).map(IPv6Address)
PREFIXES = st.integers(0, 255).map(lambda low: bytes([low & 0xFC | 2, low]))


def test_the_documented_scheme() -> None:
    macs = make_plane(mac={"source": "FromIP"}).macs
    assert macs is not None
    v4, v6 = parse_address("10.0.0.5"), parse_address("fd00::5")
    assert macs.of([v4]) == "0a:6e:0a:00:00:05"
    assert macs.of([v6, v4]) == macs.of([v4])
    assert macs.of([v6]) == "0a:6e:96:aa:09:cb"
    assert macs.of([]) == ""


def test_the_prefix_is_the_plane_s() -> None:
    macs = make_plane(mac={"source": "FromIP", "prefix": "02:AB"}).macs
    assert macs is not None
    assert macs.of([parse_address("10.0.0.5")]) == "02:ab:0a:00:00:05"


def test_without_a_source_the_kernel_chooses() -> None:
    assert make_plane().macs is None
    assert make_plane(mac={"source": "Random"}).macs is None


@given(one=V4, other=V4, prefix=PREFIXES)
def test_two_addresses_have_two_macs(one: IPv4Address, other: IPv4Address, prefix: bytes) -> None:
    macs = PlaneMacs(prefix)
    assert (macs.of_address(one) == macs.of_address(other)) == (one == other)


@given(address=st.one_of(V4, V6), prefix=PREFIXES)
def test_a_mac_is_a_local_unicast_one_of_the_plane(
    address: IPv4Address | IPv6Address, prefix: bytes
) -> None:
    macs = PlaneMacs(prefix)
    mac = macs.of_address(address)
    assert why_unusable(mac) == ""
    assert mac[0] & 3 == 2
    assert macs.has(mac)


@pytest.mark.parametrize("mac", ["0a6f00000001", "0a6e000000010000", "0a6e"])
def test_other_macs_are_none_of_it(mac: str) -> None:
    assert not PlaneMacs().has(bytes.fromhex(mac))
