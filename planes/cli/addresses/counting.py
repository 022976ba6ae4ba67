"""Counts of planes' addresses: by family, and by node.

On a cluster nodes report what they use of their blocks. Where one reports nothing, the counts in
the plane's status stand in: the leader had the pods, too. Only where there are none are all pods
read; what they show is a hint, and what rests is not known then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from planes.cli.addresses.family_counts import (
    LEADER,
    NOBODY,
    NODES,
    PODS_SHOW,
    RECORDS,
    FamilyCount,
    NodeCount,
    dynamic_set,
    family_count,
)
from planes.cli.reading.address_use import PlaneUse, Proof, plane_uses
from planes.cli.reading.node_reports import ReportedUses, reported_uses
from planes.cli.reading.place import Place
from planes.kube.addresses.block_index import size_within
from planes.model.errors import Denied
from planes.model.spans import SpanSet
from planes.model.spec.blocks import askable
from planes.model.spec.plane_spec import IpamMode, Plane
from planes.model.state.node_use import NodeUse
from planes.model.state.plane_counts import (
    AddressCounts,
    BlockHoldings,
    capacity,
    count_addresses,
    dynamic_size,
)


async def count_planes(
    place: Place, only: Collection[str], warn: Callable[[str], None]
) -> list[FamilyCount]:
    """Count the addresses of planes that hand them out themselves, sorted by plane and family.

    Args:
        place: where to read.
        only: names of planes; () for all.
        warn: called with what could not be read, and is left out or not known therefore.

    Raises:
        PlanesError: planes or blocks cannot be read.
    """
    if not place.is_cluster:
        found = await plane_uses(place, only, warn=warn)
        return [_of_records(use, v) for use in found.values() for v in _families(use.plane)]
    uses = await plane_uses(place, only, reads_pods=False, warn=warn)
    try:
        reports = await reported_uses(place.api)
    except Denied as error:
        warn(f"what nodes use of their blocks is not known: {error}")
        reports = ReportedUses()
    of_blocks = [_OfBlocks(use, v, reports) for use in uses.values() for v in _families(use.plane)]
    asked = {one.plane.name for one in of_blocks if one.needs_pods}
    shown: Mapping[str, PlaneUse] | None = {}
    if asked:
        try:
            shown = await plane_uses(place, asked)
        except Denied as error:
            warn(f"what pods show is not known: {error}")
            shown = None
    if shown is not None:
        for space in sorted({space for use in shown.values() for space in use.cut}):
            warn(f"pods of namespace {space} show more addresses than are counted")
    return [one.counted(shown) for one in of_blocks]


def _families(plane: Plane) -> list[int]:
    return sorted(plane.families) if plane.ipam_mode is IpamMode.PLANE else []


class _OfBlocks:
    """The counts of one family of a plane on a cluster."""

    def __init__(self, use: PlaneUse, version: int, reports: ReportedUses) -> None:
        self.plane, self._use, self._version = use.plane, use, version
        self._reported = reports.of(use.plane.name)
        self._dynamic = dynamic_set(use.plane, version)
        self._nodes: dict[str, NodeCount] = {}
        own = self._add_blocks()
        borrowed, static = self._add_holders()
        self._holdings = BlockHoldings(own, borrowed, static)
        self._add_reports(own)
        self._leader = _leader_counts(use, version)
        self._is_silent = any(own[node] and self._reported(node) is None for node in own)
        self.needs_pods = self._is_silent and self._leader is None

    def counted(self, shown: Mapping[str, PlaneUse] | None) -> FamilyCount:
        """Return the counts; `shown` has what pods show of planes that need it, if readable."""
        counts, source = self._leader, LEADER
        if not self._is_silent:
            counts, source = self._by_reports(0), NODES
        elif counts is None:
            source = NOBODY if shown is None else PODS_SHOW
            counts = None if shown is None else self._by_reports(self._count_shown(shown))
        kept = sum(
            any(each.proof is Proof.CLAIM for each in uses)
            for address, uses in self._use.uses.items()
            if address.version == self._version
        )
        is_whole = counts is not None and source != PODS_SHOW
        return family_count(
            self.plane,
            self._version,
            used=None if counts is None else counts.used,
            cooling=counts.cooling if counts is not None and is_whole else None,
            static=self._holdings.static,
            kept=kept,
            source=source,
            nodes=self._nodes,
        )

    def _by_reports(self, shown: int) -> AddressCounts:
        return count_addresses(self.plane, self._version, self._holdings, self._reported, shown)

    def _count_shown(self, shown: Mapping[str, PlaneUse]) -> int:
        use = shown.get(self.plane.name)
        of_plane = () if use is None else use.uses
        return sum(a.version == self._version and a in self._dynamic for a in of_plane)

    def _node(self, name: str) -> NodeCount:
        return self._nodes.setdefault(name, NodeCount(name))

    def _add_blocks(self) -> Counter[str]:
        own: Counter[str] = Counter()
        for block in self._use.blocks:
            if block.network.version == self._version:
                node, size = self._node(block.node), size_within(block, self._dynamic)
                node.blocks.append(str(block.network))
                node.addresses = (node.addresses or 0) + size
                own[block.node] += size
        return own

    def _add_holders(self) -> tuple[Counter[str], int]:
        """Count holders as the leader does; return borrowed addresses by node, and static ones."""
        may_be_static = SpanSet(askable(self.plane, self._version))
        borrowed: Counter[str] = Counter()
        static = 0
        for address, uses in self._use.uses.items():
            one = uses[0]
            if address.version != self._version or one.proof is not Proof.HOLDER:
                continue
            if address in may_be_static:
                static += 1
                self._node(one.node or NOBODY).static += 1
            elif address in self._dynamic and self._use.index.giving(address) is None:
                borrowed[one.node] += 1
                self._node(one.node or NOBODY).borrowed += 1
        return borrowed, static

    def _add_reports(self, own: Mapping[str, int]) -> None:
        for node, size in own.items():
            if (use := self._reported(node)) is not None:
                here = self._nodes[node]
                here.used, here.cooling = _within(use, self._version, size)


def _within(use: NodeUse, version: int, size: int) -> tuple[int, int]:
    """Return what a node uses, and what rests, as far as its blocks hold addresses."""
    used = min(max(use.held(version), 0), size)
    return used, min(max(use.resting(version), 0), size - used)


def _of_records(use: PlaneUse, version: int) -> FamilyCount:
    """Return the counts of one machine, by its records."""
    dynamic = dynamic_set(use.plane, version)
    nodes: dict[str, NodeCount] = {}
    used = static = 0
    for address, uses in use.uses.items():
        if address.version != version:
            continue
        name = uses[0].node or NOBODY
        node = nodes.setdefault(name, NodeCount(name, addresses=None, used=0))
        if address in dynamic:
            used, node.used = used + 1, (node.used or 0) + 1
        else:
            static, node.static = static + 1, node.static + 1
    rests = [a for a in use.cooling if a.version == version and a not in use.uses]
    return family_count(
        use.plane,
        version,
        used=used,
        cooling=sum(address in dynamic for address in rests),
        static=static,
        kept=0,
        source=RECORDS,
        nodes=nodes,
    )


def _leader_counts(use: PlaneUse, version: int) -> AddressCounts | None:
    """Return the counts in a plane's status, None where they are not known to be of this family.

    A status has the counts of one family, the one with the fewest addresses left.
    """
    plane, status = use.plane, use.obj.get("status")
    if not isinstance(status, dict) or status.get("observedGeneration") != plane.generation:
        return None
    found = _numbers(status, ("inUse", "static", "cooling"))
    size = capacity(plane, version)
    others = {capacity(plane, other) for other in plane.families if other != version}
    if found is None or status.get("capacity", None if others else size) != size or size in others:
        return None
    in_use, static, cooling = found
    if not static <= in_use:
        return None
    dynamic = dynamic_size(plane, version)
    used = min(in_use - static, dynamic)
    return AddressCounts(version, dynamic, size, used, static, min(cooling, dynamic - used))


def _numbers(status: Mapping[str, Any], keys: Sequence[str]) -> Sequence[int] | None:
    found = [status.get(key) for key in keys]
    numbers = [one for one in found if type(one) is int and one >= 0]
    return numbers if len(numbers) == len(keys) else None
