"""Sets of address ranges with binary search.

A lookup costs the logarithm of the number of ranges, whatever their sizes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator

from planes.model.addresses import AddressRange, IPAddress


class SpanSet:
    """A set of addresses of both families; overlapping and adjacent ranges are joined."""

    __slots__ = ("_firsts", "_lasts")

    def __init__(self, ranges: Iterable[AddressRange]) -> None:
        self._firsts: dict[int, list[int]] = {4: [], 6: []}
        self._lasts: dict[int, list[int]] = {4: [], 6: []}
        pairs = sorted((span.version, int(span.first), int(span.last)) for span in ranges)
        for version, first, last in pairs:
            lasts = self._lasts[version]
            if lasts and first <= lasts[-1] + 1:
                lasts[-1] = max(lasts[-1], last)
            else:
                self._firsts[version].append(first)
                lasts.append(last)

    def __contains__(self, address: IPAddress) -> bool:
        number = int(address)
        place = bisect_right(self._firsts[address.version], number) - 1
        return place >= 0 and number <= self._lasts[address.version][place]

    def within(self, span: AddressRange) -> Iterator[AddressRange]:
        """Yield the parts of a range that are in the set, in rising order."""
        version, family = span.version, type(span.first)
        first, last = int(span.first), int(span.last)
        firsts, lasts = self._firsts[version], self._lasts[version]
        place = max(bisect_right(firsts, first) - 1, 0)
        while place < len(firsts) and firsts[place] <= last:
            if lasts[place] >= first:
                low, high = max(firsts[place], first), min(lasts[place], last)
                yield AddressRange(family(low), family(high))
            place += 1

    def outside(self, span: AddressRange) -> Iterator[AddressRange]:
        """Yield the parts of a range that are not in the set, in rising order."""
        family, first, last = type(span.first), int(span.first), int(span.last)
        for taken in self.within(span):
            if first < int(taken.first):
                yield AddressRange(family(first), family(int(taken.first) - 1))
            first = int(taken.last) + 1
        if first <= last:
            yield AddressRange(family(first), span.last)


def subtract(
    ranges: Iterable[AddressRange], holes: Iterable[AddressRange]
) -> tuple[AddressRange, ...]:
    """Return the ranges without the holes, in order, in as few ranges as possible."""
    taken = SpanSet(holes)
    return tuple(piece for span in ranges for piece in taken.outside(span))
