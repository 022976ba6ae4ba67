"""Subnets of chance, and addresses and ranges inside them."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_network

from hypothesis import strategies as st

from planes.model.addresses import AddressRange, IPAddress, IPNetwork


@dataclass(frozen=True, slots=True)
class SomeSubnet:
    """A subnet that makes strategies for what is inside it."""

    cidr: IPNetwork

    def addresses(self) -> st.SearchStrategy[IPAddress]:
        family = type(self.cidr.network_address)
        first, last = int(self.cidr.network_address), int(self.cidr.broadcast_address)
        return st.integers(first, last).map(family)

    def ranges(self) -> st.SearchStrategy[AddressRange]:
        two = st.tuples(self.addresses(), self.addresses())
        return two.map(lambda pair: AddressRange(min(pair), max(pair)))


def subnets() -> st.SearchStrategy[SomeSubnet]:
    v4 = st.tuples(st.integers(0, (1 << 32) - 1), st.integers(8, 32))
    v6 = st.tuples(st.integers(1 << 64, (1 << 128) - 1), st.integers(32, 128))
    return st.one_of(v4, v6).map(lambda pair: SomeSubnet(ip_network(pair, strict=False)))
