"""Free addresses of a plane near another one. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from heapq import merge
from typing import Final

from planes.model.addresses import AddressRange, IPAddress

_MOST_LOOKED_AT: Final = 65536
"""Addresses that are looked up: a range of IPv6 has no end."""


def free_near(
    spans: Iterable[AddressRange], near: IPAddress, taken: Container[IPAddress], most: int
) -> list[IPAddress]:
    """Return free addresses in order of their distance from one, the higher of two first.

    Args:
        spans: where to look; those of the other family are passed over.
        near: the address that they are to be near; it is none of them.
        taken: addresses that are not free.
        most: how many.
    """
    same = [span for span in spans if span.version == near.version]
    found: list[IPAddress] = []
    for looked_at, address in enumerate(_by_distance(same, near)):
        if len(found) >= most or looked_at >= _MOST_LOOKED_AT:
            break
        if address not in taken:
            found.append(address)
    return found


def _by_distance(spans: Sequence[AddressRange], near: IPAddress) -> Iterator[IPAddress]:
    """Yield the addresses of ranges by their distance from one, which is left out."""
    middle = int(near)
    make = type(near)
    above = sorted((max(int(s.first), middle + 1), int(s.last)) for s in spans)
    below = sorted(((min(int(s.last), middle - 1), int(s.first)) for s in spans), reverse=True)
    up = (number for first, last in above for number in range(first, last + 1))
    down = (number for last, first in below for number in range(last, first - 1, -1))
    # Both rise by distance. Of two that are as far, the higher one is first.
    for number in merge(up, down, key=lambda number: (abs(number - middle), number < middle)):
        yield make(number)
