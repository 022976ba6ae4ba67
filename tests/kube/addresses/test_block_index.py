"""Addresses are found in many blocks as by a walk through all of them."""

from __future__ import annotations

from ipaddress import IPv4Address

from hypothesis import given
from hypothesis import strategies as st

from planes.kube.addresses.block_index import BlockIndex, size_within
from planes.kube.addresses.ipblocks import NodeBlock
from planes.model.addresses import AddressRange, parse_address, parse_network, parse_range
from planes.model.spans import SpanSet

FIRST = int(IPv4Address("10.9.0.0"))


def block(number: int, length: int, lent: list[int]) -> NodeBlock:
    """Return a block of 10.9.0.0/24; `lent` are addresses by their number in the subnet."""
    spare = 32 - length
    network = parse_network(f"{IPv4Address(FIRST + (number >> spare << spare))}/{length}")
    inside = (IPv4Address(FIRST + n) for n in lent)
    spans = tuple(AddressRange(a, a) for a in inside if a in network)
    return NodeBlock("business", f"n{number}", network, lent=spans)


blocks = st.lists(
    st.builds(
        block,
        st.integers(0, 255),
        st.integers(26, 32),
        st.lists(st.integers(0, 255), max_size=8),
    ),
    max_size=8,
    unique_by=lambda one: one.network,
)


@given(blocks, st.integers(0, 255))
def test_a_lookup_finds_what_a_walk_finds(found: list[NodeBlock], number: int) -> None:
    address = IPv4Address(FIRST + number)
    giving = BlockIndex(found).giving(address)
    assert (giving is not None) == any(one.gives(address) for one in found)
    assert giving is None or giving.gives(address)


@given(blocks)
def test_the_ranges_given_are_the_addresses_given(found: list[NodeBlock]) -> None:
    given_out = SpanSet(BlockIndex(found).given())
    every = [IPv4Address(FIRST + number) for number in range(256)]
    assert [a for a in every if a in given_out] == [
        a for a in every if any(one.gives(a) for one in found)
    ]


def test_the_size_counts_what_is_in_the_set_and_not_left_out() -> None:
    lent = (parse_range("10.9.0.4-10.9.0.7"),)
    one = NodeBlock("business", "n1", parse_network("10.9.0.0/28"), lent=lent)
    assert size_within(one, SpanSet([parse_range("10.9.0.2-10.9.0.9")])) == 4


def test_an_address_of_the_other_family_is_in_no_block() -> None:
    index = BlockIndex([block(0, 26, [])])
    assert index.giving(parse_address("::ffff:0:1")) is None
