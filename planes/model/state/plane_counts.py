"""Counts of a plane's addresses: what there are, what is in use, what rests, what is left.

A node reports how many addresses of its blocks are in use and rest, and is believed as far as its
blocks hold addresses. For nodes that report nothing (their daemon is older, or is being replaced)
the network-status of pods stands in, within the blocks of these nodes: pods say what they like.
Static and borrowed addresses are those that have a holder in the API server.

Invariant: each count is at least 0, and `in_use + cooling + available` is the capacity.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from planes.model.addresses import AddressRange
from planes.model.spans import subtract
from planes.model.spec.plane_spec import Allow, Plane
from planes.model.state.node_use import NodeUse

_LOW: Final = 10
"""Exhausted is true where less than one in so many dynamic addresses is left."""
_FEWEST: Final = 2
"""But not below this number, where the plane has more than twice as many."""


@dataclass(frozen=True, slots=True)
class BlockHoldings:
    """Addresses of one family of a plane that nodes have, by their IPBlocks.

    Attributes:
        own: how many addresses the blocks of each node hold that the node hands out.
        borrowed: how many dynamic addresses each node holds one by one.
        static: how many static addresses are held.
    """

    own: Mapping[str, int] = field(default_factory=dict)
    borrowed: Mapping[str, int] = field(default_factory=dict)
    static: int = 0


@dataclass(frozen=True, slots=True)
class AddressCounts:
    """Counts of one family.

    Attributes:
        dynamic: addresses that are handed out unasked.
        capacity: those and the static ones.
        used: dynamic addresses in use.
        static: static addresses in use.
        cooling: dynamic addresses that rest.
    """

    version: int
    dynamic: int
    capacity: int
    used: int = 0
    static: int = 0
    cooling: int = 0

    @property
    def in_use(self) -> int:
        """Addresses in use."""
        return self.used + self.static

    @property
    def available(self) -> int:
        """Addresses that pods can get now, asked for or not."""
        return self.capacity - self.in_use - self.cooling

    @property
    def left(self) -> int:
        """Addresses that pods can get now without asking for one."""
        return self.dynamic - self.used - self.cooling


def count_addresses(
    plane: Plane,
    version: int,
    blocks: BlockHoldings,
    reported: Callable[[str], NodeUse | None],
    shown: int = 0,
) -> AddressCounts:
    """Count the addresses of one family.

    Args:
        plane: of the addresses.
        version: the family.
        blocks: what nodes have by IPBlocks.
        reported: returns what a node reports, None for one that does not; it may say anything.
        shown: dynamic addresses that pods show; they may say anything. Where they show one, at
            least one counts as in use, also where no block is known (it was deleted by hand): the
            definition refuses changes only while some are.
    """
    dynamic, total = dynamic_size(plane, version), capacity(plane, version)
    borrowed = sum(blocks.borrowed.values())
    used = cooling = silent = 0
    for node, own in blocks.own.items():
        use = reported(node)
        if use is None:
            silent += own
            continue
        here = min(max(use.held(version), 0), own)
        used += here
        cooling += min(max(use.resting(version), 0), own - here)
    used += min(max(shown - used - borrowed, 0), silent) + borrowed
    static = min(blocks.static, total - dynamic)
    if shown > 0 and not used and not static:
        used = 1
    used = min(used, dynamic)
    return AddressCounts(version, dynamic, total, used, static, min(cooling, dynamic - used))


def low_mark(dynamic: int) -> int:
    """Return the number of addresses left below which a plane counts as exhausted, at least 1."""
    return max(min(max(-(-dynamic // _LOW), _FEWEST), dynamic // 2), 1)


def is_exhausted(counts: AddressCounts, before: bool) -> bool:
    """Report whether so few addresses are left that pods will soon get none.

    It begins below the mark, and ends half above it, so that it does not change with every pod.

    Args:
        counts: of a family that has addresses to hand out.
        before: what was reported last.
    """
    mark = low_mark(counts.dynamic)
    if not before:
        return counts.left < mark
    return counts.left < min(mark + -(-mark // 2), counts.dynamic)


def dynamic_size(plane: Plane, version: int) -> int:
    """Return how many addresses of a family are handed out without being asked for."""
    return sum(
        span.size
        for subnet in plane.subnets
        if subnet.version == version
        for span in subnet.dynamic
    )


def capacity(plane: Plane, version: int) -> int:
    """Return how many addresses of a family pods of the plane can have, asked for or not."""
    size = dynamic_size(plane, version)
    for subnet in plane.subnets:
        if subnet.version == version and plane.allow is Allow.ANY:
            more: tuple[AddressRange, ...] = subtract(subnet.askable, subnet.dynamic)
            size += sum(span.size for span in more)
    if plane.allow is not Allow.NEVER:
        size += sum(each.address.version == version for each in plane.reservations)
    return size
