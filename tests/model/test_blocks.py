"""Block arithmetic: sizes, places, order, and what is in a block."""

from __future__ import annotations

from ipaddress import IPv4Network, ip_address, ip_network
from itertools import islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planes.model.addresses import AddressRange, IPNetwork, parse_range
from planes.model.errors import BadInput
from planes.model.spec.block_sizes import (
    REGION,
    WIDEST_BLOCK,
    block_length,
    grid_length,
    network_around,
    region_of,
)
from planes.model.spec.blocks import (
    RegionSpans,
    askable,
    block_name,
    blocks_of,
    cells,
    in_order,
    inside,
    region_spans,
    seed,
    static_networks,
    static_spans,
)
from tests.support.planes import make_plane


def wanted(cidr: str, **spec: Any) -> int:
    plane = make_plane(subnets=[{"cidr": cidr}], **spec)
    return block_length(plane, plane.subnets[0])


@pytest.mark.parametrize(
    ("cidr", "length"),
    [
        ("10.0.0.0/8", 26),
        ("10.0.0.0/23", 26),
        ("10.0.0.0/24", 27),
        ("10.0.0.0/28", 31),
        ("10.0.0.0/29", 32),
        ("10.0.0.0/30", 32),
        ("fd00::/64", 122),
        ("fd00::/120", 123),
        ("fd00::/126", 128),
    ],
)
def test_a_subnet_serves_at_least_eight_nodes_if_it_has_the_addresses(
    cidr: str, length: int
) -> None:
    assert wanted(cidr) == length


def test_the_plane_may_say_how_large_blocks_are() -> None:
    assert wanted("10.0.0.0/16", ipam={"blockSize": 28}) == 28
    assert wanted("fd00::/64", ipam={"blockSize": 28}) == 122
    assert wanted("fd00::/64", ipam={"blockSize": 120}) == 120


@pytest.mark.parametrize("size", [16, 21, 33, 64, 117])
def test_blocks_that_are_too_large_are_refused(size: int) -> None:
    with pytest.raises(BadInput, match=r"spec\.ipam\.blockSize: cannot give every node"):
        make_plane(ipam={"blockSize": size})


def test_the_smallest_subnet_of_a_region_decides_its_grid() -> None:
    plane = make_plane(subnets=[{"cidr": "10.9.0.0/22"}, {"cidr": "10.9.200.0/28"}])
    assert grid_length(plane, IPv4Network("10.9.0.0/16")) == 31
    assert grid_length(plane, IPv4Network("10.10.0.0/16")) == 26


def test_one_name_for_one_block() -> None:
    assert block_name("business", ip_network("10.9.0.64/26")) == "business.10-9-0-64-26"
    assert block_name("business", ip_network("10.9.0.64/26"), "static") == (
        "business.static.10-9-0-64-26"
    )
    assert (
        block_name("b", ip_network("::40/122")) == "b.0000-0000-0000-0000-0000-0000-0000-0040-122"
    )


def test_regions_come_with_what_may_be_handed_out_in_them() -> None:
    plane = make_plane(subnets=[{"cidr": "10.8.0.0/15", "ranges": ["10.8.255.250-10.9.0.5"]}])
    assert list(region_spans(plane, 4)) == [
        RegionSpans(IPv4Network("10.8.0.0/16"), (parse_range("10.8.255.250-10.8.255.255"),)),
        RegionSpans(IPv4Network("10.9.0.0/16"), (parse_range("10.9.0.0-10.9.0.5"),)),
    ]


def test_a_huge_subnet_costs_nothing() -> None:
    plane = make_plane(subnets=[{"cidr": "fd00::/16"}])
    first = next(in_order(plane, 6, "n1"))
    assert len(list(islice(cells(first, 122, 10**30), 5))) == 5


def test_nodes_begin_at_different_blocks() -> None:
    plane = make_plane(subnets=[{"cidr": "10.0.0.0/8"}])
    starts = {next(in_order(plane, 4, f"node{n}")).region for n in range(50)}
    assert len(starts) > 30


def test_in_a_region_nodes_begin_at_all_blocks_and_go_on_in_different_orders() -> None:
    """The bits that choose the region do not choose the block in it, too."""
    plane = make_plane(subnets=[{"cidr": "10.0.0.0/13"}])
    firsts: dict[IPNetwork, set[IPNetwork]] = {}
    for number in range(2000):
        node = f"node{number}"
        part = next(in_order(plane, 4, node))
        first, second = islice(cells(part, 26, seed(node, plane.name)), 2)
        firsts.setdefault(first, set()).add(second)
    assert len(firsts) > 1600
    shared = [seconds for seconds in firsts.values() if len(seconds) > 1]
    assert len(shared) > 150


@pytest.mark.parametrize(
    ("cidr", "ipam", "count"),
    [
        ("10.0.0.0/13", {}, 8192),
        ("10.9.0.0/24", {}, 8),
        ("10.9.0.0/24", {"blockSize": 32}, 254),
        ("fd00::/64", {}, 1 << 58),
    ],
)
def test_about_how_many_blocks_a_plane_has(cidr: str, ipam: dict[str, Any], count: int) -> None:
    plane = make_plane(subnets=[{"cidr": cidr}], ipam=ipam)
    version = 6 if ":" in cidr else 4
    assert blocks_of(plane, version) == count
    assert blocks_of(plane, 10 - version) == 0


def test_static_spans_are_static_ranges_and_reservations() -> None:
    plane = make_plane(
        subnets=[{"cidr": "10.9.0.0/24", "staticRanges": ["10.9.0.20-10.9.0.40"]}],
        staticIPs={"reservations": [{"ip": "10.9.0.3", "namespace": "ns"}]},
    )
    found = static_spans(plane, ip_network("10.9.0.0/27"))
    assert [str(span) for span in found] == ["10.9.0.3", "10.9.0.20-10.9.0.31"]
    assert [str(span) for span in askable(plane)] == ["10.9.0.20-10.9.0.40", "10.9.0.3"]


def test_what_no_pod_can_have_is_not_askable() -> None:
    plane = make_plane(
        subnets=[
            {
                "cidr": "10.9.0.0/28",
                "gateway": "10.9.0.1",
                "staticRanges": ["10.9.0.0/29"],
                "exclude": ["10.9.0.4"],
            }
        ]
    )
    assert [str(span) for span in askable(plane)] == ["10.9.0.2-10.9.0.3", "10.9.0.5-10.9.0.7"]


def test_a_block_meets_the_static_blocks_that_share_its_addresses() -> None:
    assert static_networks(ip_network("10.9.0.32/27")) == (ip_network("10.9.0.0/26"),)
    assert static_networks(ip_network("10.9.0.0/25")) == (
        ip_network("10.9.0.0/26"),
        ip_network("10.9.0.64/26"),
    )


numbers = st.integers(0, 2**16 - 1)


@given(
    pairs=st.lists(st.tuples(numbers, st.integers(0, 300)), min_size=1, max_size=5),
    length=st.integers(WIDEST_BLOCK[4], 32),
    start=st.integers(0, 2**64),
)
def test_every_block_with_something_to_hand_out_comes_up_once(
    pairs: list[tuple[int, int]], length: int, start: int
) -> None:
    base, spans, end = int(ip_address("10.9.0.0")), [], -1
    for number, size in sorted(pairs):
        first, last = max(number, end + 1), min(number + size, 2**16 - 1)
        if first <= last:
            spans.append(AddressRange(ip_address(base + first), ip_address(base + last)))
            end = last
    region = IPv4Network("10.9.0.0/16")
    found = list(cells(RegionSpans(region, tuple(spans)), length, start))
    assert len(found) == len(set(found))
    assert all(inside(spans, network) for network in found)
    covered = sum(span.size for network in found for span in inside(spans, network))
    assert covered == sum(span.size for span in spans)


@given(address=st.ip_addresses(), data=st.data())
def test_blocks_of_a_grid_never_leave_their_region(address: Any, data: st.DataObject) -> None:
    lengths = st.integers(REGION[address.version], address.max_prefixlen)
    network: IPNetwork = network_around(address, data.draw(lengths))
    assert address in network
    region = region_of(address)
    assert int(region.network_address) <= int(network.network_address)
    assert int(network.broadcast_address) <= int(region.broadcast_address)
