"""Which blocks a plane has for nodes to take, in which order, and what is in one.

Pure arithmetic, lazy where subnets are large: nothing costs in proportion to their addresses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain, groupby, islice
from typing import Final

from planes.model.addresses import AddressRange, IPNetwork, range_of, subtract
from planes.model.spec.block_sizes import REGION, STATIC_BLOCK, network_around, region_of
from planes.model.spec.plane_spec import Plane

_START_REGIONS: Final = {4: 256, 6: 1}
"""Among how many regions the nodes' first blocks are spread: each costs a grid."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What a plane hands out by itself in one region."""

    region: IPNetwork
    spans: tuple[AddressRange, ...]


def grounds(plane: Plane, version: int) -> Iterator[Ground]:
    """Yield a plane's regions with what it may hand out in them, in rising order, lazily."""
    spans = sorted(
        (s for subnet in plane.subnets if subnet.version == version for s in subnet.dynamic),
        key=lambda span: int(span.first),
    )
    parts = (part for span in spans for part in _by_region(span))
    for region, found in groupby(parts, key=lambda part: region_of(part.first)):
        yield Ground(region, tuple(found))


def in_order(plane: Plane, version: int, node: str) -> Iterator[Ground]:
    """Yield the grounds beginning at a node's own place, then round."""
    few = list(islice(grounds(plane, version), _START_REGIONS[version]))
    start = seed(node, plane.name) % len(few) if few else 0
    yield from few[start:]
    yield from few[:start]
    yield from islice(grounds(plane, version), len(few), None)


def cells(ground: Ground, length: int, start: int) -> Iterator[IPNetwork]:
    """Yield the blocks of a size that have something to hand out, each once, from a start round.

    Args:
        ground: where.
        length: their prefix length, not less than the region's.
        start: any number; the same number begins at the same block.
    """
    family = type(ground.region.network_address)
    spare = ground.region.max_prefixlen - length
    runs: list[tuple[int, int]] = []
    for span in ground.spans:
        first, last = int(span.first) >> spare, int(span.last) >> spare
        if runs and first <= runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], max(last, runs[-1][1]))
        else:
            runs.append((first, last))
    count = sum(last - first + 1 for first, last in runs)
    begin = start % count if count else 0
    for index in chain(_numbers(runs, begin, count), _numbers(runs, 0, begin)):
        yield network_around(family(index << spare), length)


def _numbers(runs: Sequence[tuple[int, int]], begin: int, end: int) -> Iterator[int]:
    """Yield the begin-th to (before) the end-th number of rising runs."""
    passed = 0
    for first, last in runs:
        size = last - first + 1
        low, high = max(begin - passed, 0), min(end - passed, size)
        yield from range(first + low, first + high)
        passed += size


def _by_region(span: AddressRange) -> Iterator[AddressRange]:
    family = type(span.first)
    spare = span.first.max_prefixlen - REGION[span.version]
    first, last = int(span.first), int(span.last)
    while first <= last:
        end = min(((first >> spare) + 1 << spare) - 1, last)
        yield AddressRange(family(first), family(end))
        first = end + 1


def seed(node: str, plane: str) -> int:
    """Give the number that spreads nodes over a plane's blocks."""
    return int.from_bytes(sha256(f"{node}\n{plane}".encode()).digest()[:8])


def inside(spans: Iterable[AddressRange], network: IPNetwork) -> tuple[AddressRange, ...]:
    """Give what of some ranges lies in a network."""
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
    """Give what of a network a plane keeps for static addresses."""
    spans = [
        span
        for subnet in plane.subnets
        for span in (*subnet.static_ranges, *(AddressRange(a, a) for a in subnet.reserved))
    ]
    found = inside(spans, network)
    return tuple(sorted(set(found), key=lambda span: int(span.first)))


def static_networks(network: IPNetwork) -> tuple[IPNetwork, ...]:
    """Give the static blocks that share addresses with a block."""
    length = STATIC_BLOCK[network.version]
    if network.prefixlen >= length:
        return (network_around(network.network_address, length),)
    return tuple(network.subnets(new_prefix=length))


def askable(plane: Plane, version: int = 0) -> tuple[AddressRange, ...]:
    """Give what may be held as a static address: static ranges and reservations, if usable."""
    found: list[AddressRange] = []
    for subnet in plane.subnets:
        if version in {0, subnet.version}:
            unusable = (AddressRange(address, address) for address in subnet.unusable)
            own = (AddressRange(address, address) for address in subnet.reserved)
            found += subtract((*subnet.static_ranges, *own), (*unusable, *subnet.exclude))
    return tuple(found)


def block_name(plane: str, network: IPNetwork, kind: str = "") -> str:
    """Give the one name that a block of a plane can have; creating it is what takes it."""
    address = network.network_address
    text = address.exploded.replace(":", "-").replace(".", "-")
    return ".".join(part for part in (plane, kind, f"{text}-{network.prefixlen}") if part)
