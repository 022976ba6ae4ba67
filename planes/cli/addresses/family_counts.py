"""Counts of one family of a plane, and of its nodes, as `netplane ip show` prints them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from planes.model.errors import JsonObject
from planes.model.lines import printable
from planes.model.spans import SpanSet
from planes.model.spec.plane_spec import Plane
from planes.model.state.plane_counts import capacity, dynamic_size

_EXACT: Final = 2**53
"""JSON clients read larger numbers inexactly, and many cannot be written at all: they are text."""
NODES: Final = "nodes"
LEADER: Final = "leader"
PODS_SHOW: Final = "pods"
RECORDS: Final = "records"
NOBODY: Final = "-"


@dataclass(slots=True)
class NodeCount:
    """What a node has of one family of a plane; None: not known.

    Attributes:
        blocks: CIDRs.
        addresses: how many its blocks hold that it hands out; None on one machine.
        used: of these, in use.
        cooling: of these, resting.
        static: static addresses that its pods hold.
        borrowed: dynamic addresses that it holds one by one, out of blocks of others.
    """

    node: str
    blocks: list[str] = field(default_factory=list)
    addresses: int | None = 0
    used: int | None = None
    cooling: int | None = None
    static: int = 0
    borrowed: int = 0

    def as_json(self) -> JsonObject:
        """Return it as it is printed."""
        keys = ("node", "addresses", "used", "cooling", "static", "borrowed", "blocks")
        return {**{key: getattr(self, key) for key in keys}, "node": printable(self.node)}


@dataclass(frozen=True, slots=True)
class FamilyCount:
    """Counts of one family of a plane; None: not known.

    Attributes:
        size: addresses that pods can have, asked for or not.
        used: of those handed out unasked, in use.
        kept: kept for IPAMClaims, and held by no pod now.
        source: who counted `used` and `cooling`, see the constants of this module.
    """

    plane: str
    version: int
    size: int
    used: int | None
    free: int | None
    static: int
    cooling: int | None
    kept: int
    source: str
    ranges: tuple[str, ...]
    static_ranges: tuple[str, ...]
    nodes: tuple[NodeCount, ...]

    def as_json(self) -> JsonObject:
        """Return it as it is printed."""
        return {
            "plane": self.plane,
            "family": self.version,
            "size": _number(self.size),
            "used": self.used,
            "free": _number(self.free),
            "static": self.static,
            "cooling": self.cooling,
            "kept": self.kept,
            "countedBy": self.source,
            "ranges": list(self.ranges),
            "staticRanges": list(self.static_ranges),
            "nodes": [node.as_json() for node in self.nodes],
        }


def _number(count: int | None) -> int | str | None:
    return str(count) if count is not None and count > _EXACT else count


def family_count(
    plane: Plane,
    version: int,
    *,
    used: int | None,
    cooling: int | None,
    static: int,
    kept: int,
    source: str,
    nodes: Mapping[str, NodeCount],
) -> FamilyCount:
    """Return the counts of a family, with what follows from them; arguments as its attributes."""
    size = capacity(plane, version)
    # Static and kept addresses beyond the plane's size are of an earlier definition of it.
    apart = min(static + kept, size - dynamic_size(plane, version))
    is_known = used is not None and cooling is not None
    left = size - (used or 0) - (cooling or 0) - apart
    subnets = [subnet for subnet in plane.subnets if subnet.version == version]
    return FamilyCount(
        plane=plane.name,
        version=version,
        size=size,
        used=used,
        free=max(left, 0) if is_known else None,
        static=static,
        cooling=cooling,
        kept=kept,
        source=source,
        ranges=tuple(str(span) for subnet in subnets for span in subnet.dynamic),
        static_ranges=tuple(str(span) for subnet in subnets for span in subnet.static_ranges),
        nodes=tuple(nodes[name] for name in sorted(nodes)),
    )


def dynamic_set(plane: Plane, version: int) -> SpanSet:
    """Return the addresses of a family that are handed out unasked."""
    return SpanSet(s for net in plane.subnets if net.version == version for s in net.dynamic)
