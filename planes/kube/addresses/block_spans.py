"""Addresses of one block, as the `static` and `lent` of an IPBlock list them.

A node writes these texts, and the definition does not hold them to the block's own addresses: a
range may be of 2^128. Invariant: what is read has no address outside of the block, so nobody who
goes through it goes through more than a block has. Reading is cheap, because many nodes read them.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any, Final

from planes.model.addresses import AddressRange, IPNetwork, parse_range, range_of
from planes.model.errors import BadInput

_MOST: Final = 1100
"""As the definition has it: every address of the widest block, and some ranges."""
_FAMILIES: Final = {4: socket.AF_INET, 6: socket.AF_INET6}


def read_spans(texts: Any, network: IPNetwork, what: str) -> tuple[AddressRange, ...]:
    """Return the addresses of a block that a list names, in rising order, as few ranges.

    Args:
        texts: the list, as the object has it; None for none.
        network: the block's.
        what: for the error, e.g. "which addresses the block lends".

    Raises:
        BadInput: it is no list of addresses and ranges, or too long.
    """
    family = type(network.network_address)
    pairs = _joined(_pairs(texts, network, what))
    return tuple(AddressRange(family(first), family(last)) for first, last in pairs)


def read_bits(texts: Any, network: IPNetwork, what: str) -> int:
    """Return the same addresses as bits of one number; the block's first address is bit 0.

    Raises:
        BadInput: as `read_spans` does.
    """
    base, bits = int(network.network_address), 0
    for first, last in _pairs(texts, network, what):
        bits |= bits_between(first - base, last - base)
    return bits


def bits_between(first: int, last: int) -> int:
    """Return a number with the bits from `first` to `last` set, both included."""
    return ((1 << (last - first + 1)) - 1) << first


def _joined(pairs: Iterator[tuple[int, int]]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for first, last in sorted(pairs):
        if found and first <= found[-1][1] + 1:
            found[-1] = found[-1][0], max(found[-1][1], last)
        else:
            found.append((first, last))
    return found


def _pairs(texts: Any, network: IPNetwork, what: str) -> Iterator[tuple[int, int]]:
    """Yield first and last address of each range, as numbers, as far as it is in the network."""
    texts = texts or ()
    if not isinstance(texts, list | tuple) or len(texts) > _MOST:
        raise BadInput(f"cannot read {what}")
    whole = range_of(network)
    low, high = int(whole.first), int(whole.last)
    for text in texts:
        pair = _numbers(str(text), network.version)
        if pair is not None and pair[0] <= high and pair[1] >= low:
            yield max(pair[0], low), min(pair[1], high)


def _numbers(text: str, version: int) -> tuple[int, int] | None:
    """Return the ends of a range of this family; None for one of the other family."""
    head, _, tail = text.partition("-")
    for family in (version, 10 - version):
        try:
            first = int.from_bytes(socket.inet_pton(_FAMILIES[family], head))
            last = int.from_bytes(socket.inet_pton(_FAMILIES[family], tail)) if tail else first
        except (OSError, ValueError):  # of the other family, or none at all
            continue
        if first <= last and (tail or head == text):
            return (first, last) if family == version else None
    span = parse_range(text)  # says what is wrong
    return (int(span.first), int(span.last)) if span.version == version else None
