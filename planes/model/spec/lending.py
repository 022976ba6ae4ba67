"""What a node lends of its address blocks, which blocks it returns, and which nodes it asks.

Pure decisions; `planes.kube.addresses` carries them out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from planes.model.addresses import AddressRange, IPAddress
from planes.model.spans import SpanSet, subtract

MOST_ASKED: Final = 4
"""Nodes that one attempt asks."""
ASK_AGAIN_SECONDS: Final = 30.0
"""For so long no node is asked a second time, unless it has lent something since."""
MOST_ENTRIES: Final = 16
"""Nodes that may ask for addresses of one block at a time; as the definition has it."""


def joined(spans: Iterable[AddressRange]) -> tuple[AddressRange, ...]:
    """Return the same addresses in as few ranges as possible, in rising order."""
    ordered = sorted(spans, key=lambda span: (span.version, int(span.first)))
    if not ordered:
        return ()
    found: list[AddressRange] = [ordered[0]]
    for span in ordered[1:]:
        last = found[-1]
        if span.version == last.version and int(span.first) <= int(last.last) + 1:
            if int(span.last) > int(last.last):
                found[-1] = AddressRange(last.first, span.last)
        else:
            found.append(span)
    return tuple(found)


def singles(addresses: Iterable[IPAddress]) -> tuple[AddressRange, ...]:
    """Return addresses as ranges."""
    return joined(AddressRange(address, address) for address in addresses)


def common(
    spans: Iterable[AddressRange], others: Iterable[AddressRange]
) -> tuple[AddressRange, ...]:
    """Return the addresses that are in both, as ranges."""
    within = SpanSet(others)
    return joined(part for span in spans for part in within.within(span))


def unused(spans: Iterable[AddressRange], used: Collection[IPAddress]) -> list[IPAddress]:
    """Return the addresses of ranges that are not in use, in rising order."""
    return [address for span in joined(spans) for address in span if address not in used]


def to_lend(free: Sequence[IPAddress]) -> tuple[AddressRange, ...]:
    """Return what to lend of a block's free addresses: the upper half, rounded up.

    A node hands out its own from below, mostly; so both halves stay whole ranges. Of one address
    that one is lent: else the last address of a plane could be used by its owner alone.
    """
    count = (len(free) + 1) // 2
    return singles(free[len(free) - count :])


@dataclass(frozen=True, slots=True)
class OwnedBlock:
    """A block of this node, for `to_return`.

    Attributes:
        name: of its object.
        version: the family of its addresses.
        empty_since: when it was first seen empty, and ever since; None for one in use.
    """

    name: str
    version: int
    empty_since: float | None


def to_return(
    blocks: Collection[OwnedBlock], now: float, grace: float, *, keeps_spare: bool = True
) -> list[str]:
    """Return the names of a plane's blocks to give back.

    Each was seen empty for `grace` seconds. One empty block of each family is kept as a spare: the
    one that became empty last.
    """
    found: list[str] = []
    for version in (4, 6):
        empty = [
            (block.empty_since, block.name)
            for block in blocks
            if block.version == version and block.empty_since is not None
        ]
        empty.sort()
        spare = 1 if keeps_spare else 0
        candidates = empty[: len(empty) - spare]
        found += [name for since, name in candidates if now - since >= grace]
    return found


@dataclass(frozen=True, slots=True)
class ForeignBlock:
    """A block of another node, for `whom_to_ask`.

    Attributes:
        askers: how many nodes wait for an answer.
    """

    name: str
    node: str
    askers: int = 0


def whom_to_ask(
    blocks: Iterable[ForeignBlock],
    asked: Mapping[str, float],
    now: float,
    start: int,
) -> list[ForeignBlock]:
    """Return the blocks to ask for addresses: one of each of a few nodes.

    A node answers for all its blocks of the plane and family, so one of them is enough.

    Args:
        blocks: of other nodes.
        asked: when each node was last asked by this one.
        now: on the same clock.
        start: any number; spreads nodes that ask at the same time.
    """
    waiting: dict[str, ForeignBlock] = {}
    for block in sorted(blocks, key=lambda block: (block.node, block.askers, block.name)):
        is_recent = now - asked.get(block.node, float("-inf")) < ASK_AGAIN_SECONDS
        if block.askers < MOST_ENTRIES and not is_recent:
            waiting.setdefault(block.node, block)
    found = list(waiting.values())
    begin = start % len(found) if found else 0
    return [*found[begin:], *found[:begin]][:MOST_ASKED]


def without(
    spans: Iterable[AddressRange], holes: Iterable[AddressRange]
) -> tuple[AddressRange, ...]:
    """Return ranges without others."""
    return subtract(joined(spans), holes)
