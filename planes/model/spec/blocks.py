"""The address blocks of a plane: which a node may take, in which order, and their addresses.

Pure arithmetic, lazy where subnets are large: no cost is proportional to their addresses.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import accumulate, groupby, islice
from math import gcd
from typing import Final

from planes.model.addresses import AddressRange, IPNetwork, range_of
from planes.model.spans import subtract
from planes.model.spec.block_sizes import (
    REGION,
    STATIC_BLOCK,
    block_length,
    network_around,
    region_of,
)
from planes.model.spec.plane_spec import Plane

_START_REGIONS: Final = {4: 256, 6: 1}
"""Number of regions over which nodes' first blocks are spread: each needs a grid object."""
_REGION_BITS: Final = 48
"""A seed has 64 bits; the uppermost 16 choose the first region."""


@dataclass(frozen=True, slots=True)
class RegionSpans:
    """The dynamic addresses of a plane in one region."""

    region: IPNetwork
    spans: tuple[AddressRange, ...]


def region_spans(plane: Plane, version: int) -> Iterator[RegionSpans]:
    """Yield a plane's regions with its dynamic addresses in them, in rising order, lazily."""
    spans = sorted(
        (s for subnet in plane.subnets if subnet.version == version for s in subnet.dynamic),
        key=lambda span: int(span.first),
    )
    parts = (part for span in spans for part in _by_region(span))
    for region, found in groupby(parts, key=lambda part: region_of(part.first)):
        yield RegionSpans(region, tuple(found))


def in_order(plane: Plane, version: int, node: str) -> Iterator[RegionSpans]:
    """Yield the regions from a node's starting place on, then the others."""
    few = list(islice(region_spans(plane, version), _START_REGIONS[version]))
    # Not the bits by which `cells` begins: in each region nodes would begin at few of the blocks.
    start = (seed(node, plane.name) >> _REGION_BITS) % len(few) if few else 0
    yield from few[start:]
    yield from few[:start]
    yield from islice(region_spans(plane, version), len(few), None)


def blocks_of(plane: Plane, version: int) -> int:
    """Return about how many blocks a plane's dynamic addresses are; 0 where it has none."""
    count = 0
    for subnet in plane.subnets:
        if subnet.version == version:
            size = 1 << subnet.cidr.max_prefixlen - block_length(plane, subnet)
            count += sum(-(-span.size // size) for span in subnet.dynamic)
    return count


def cells(part: RegionSpans, length: int, start: int) -> Iterator[IPNetwork]:
    """Yield the blocks of a region that have dynamic addresses, each once.

    The start decides on the first one and on the distance to the next. So nodes whose first block
    is taken do not all go on to the block behind it, which would make long rows of taken blocks.

    Args:
        part: the region with its dynamic addresses.
        length: prefix length of blocks, not less than the region's.
        start: any number; the same number gives the same order.
    """
    family = type(part.region.network_address)
    spare = part.region.max_prefixlen - length
    runs: list[tuple[int, int]] = []
    for span in part.spans:
        first, last = int(span.first) >> spare, int(span.last) >> spare
        if runs and first <= runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], max(last, runs[-1][1]))
        else:
            runs.append((first, last))
    ends = [*accumulate(last - first + 1 for first, last in runs)]
    count = ends[-1] if ends else 0
    step = start // count % count + 1 if count else 1
    while gcd(step, count) > 1:
        step += 1
    for turn in range(count):
        index = (start + turn * step) % count
        run = bisect_right(ends, index)
        number = runs[run][1] - (ends[run] - 1 - index)
        yield network_around(family(number << spare), length)


def _by_region(span: AddressRange) -> Iterator[AddressRange]:
    family = type(span.first)
    spare = span.first.max_prefixlen - REGION[span.version]
    first, last = int(span.first), int(span.last)
    while first <= last:
        end = min(((first >> spare) + 1 << spare) - 1, last)
        yield AddressRange(family(first), family(end))
        first = end + 1


def seed(node: str, plane: str) -> int:
    """Return a number that spreads nodes over a plane's blocks."""
    return int.from_bytes(sha256(f"{node}\n{plane}".encode()).digest()[:8])


def inside(spans: Iterable[AddressRange], network: IPNetwork) -> tuple[AddressRange, ...]:
    """Return the parts of ranges that are in a network."""
    whole, family = range_of(network), type(network.network_address)
    return tuple(
        AddressRange(
            family(max(int(span.first), int(whole.first))),
            family(min(int(span.last), int(whole.last))),
        )
        for span in spans
        if span.overlaps(whole)
    )


def static_spans(plane: Plane, network: IPNetwork) -> tuple[AddressRange, ...]:
    """Return the parts of a network that a plane keeps for static addresses."""
    spans = [
        span
        for subnet in plane.subnets
        for span in (*subnet.static_ranges, *(AddressRange(a, a) for a in subnet.reserved))
    ]
    found = inside(spans, network)
    return tuple(sorted(set(found), key=lambda span: int(span.first)))


def static_networks(network: IPNetwork) -> tuple[IPNetwork, ...]:
    """Return the static blocks that overlap a block."""
    length = STATIC_BLOCK[network.version]
    if network.prefixlen >= length:
        return (network_around(network.network_address, length),)
    return tuple(network.subnets(new_prefix=length))


def askable(plane: Plane, version: int = 0) -> tuple[AddressRange, ...]:
    """Return the addresses that can be static: usable ones of static ranges and reservations."""
    found: list[AddressRange] = []
    for subnet in plane.subnets:
        if version in {0, subnet.version}:
            unusable = (AddressRange(address, address) for address in subnet.unusable)
            own = (AddressRange(address, address) for address in subnet.reserved)
            found += subtract((*subnet.static_ranges, *own), (*unusable, *subnet.exclude))
    return tuple(found)


def block_name(plane: str, network: IPNetwork, kind: str = "") -> str:
    """Return the name of a block's object; the node that creates the object has the block."""
    address = network.network_address
    text = address.exploded.replace(":", "-").replace(".", "-")
    return ".".join(part for part in (plane, kind, f"{text}-{network.prefixlen}") if part)
