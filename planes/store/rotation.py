"""Round-robin over address ranges that are too large to list.

Invariant: an iteration yields every address of the ranges exactly once, beginning after the one
assigned last, and costs nothing for addresses that it does not reach.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from planes.model.addresses import AddressRange, IPAddress


def in_turn(ranges: Sequence[AddressRange], last: IPAddress | None) -> Iterator[IPAddress]:
    """Yield the addresses of disjoint ranges of one family, those after `last` first."""
    index = next((i for i, span in enumerate(ranges) if last is not None and last in span), None)
    if index is None or last is None:  # never used, or the ranges were changed since
        for span in ranges:
            yield from span
        return
    yield from _after(ranges[index], last)
    for span in (*ranges[index + 1 :], *ranges[:index]):
        yield from span
    yield from _up_to(ranges[index], last)


def _after(span: AddressRange, last: IPAddress) -> Iterator[IPAddress]:
    if last != span.last:
        yield from span.starting_at(last + 1)


def _up_to(span: AddressRange, last: IPAddress) -> Iterator[IPAddress]:
    yield from AddressRange(span.first, last)
