"""How many addresses of each plane every node has, by the IPBlocks.

A holder in a static block counts as static where the plane has the address for that, and as
borrowed where it is a dynamic address that no node's block hands out. Any other entry takes no
address from anybody, and counts nothing. So the counts of a plane never exceed its addresses.

A block that changes costs what shares addresses with it: there may be a quarter of a million
holders, and the leader answers admission in the same event loop.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from planes.kube.addresses.ipblocks import NODE, STATIC
from planes.model.addresses import IPAddress, IPNetwork, range_of
from planes.model.spans import SpanSet
from planes.model.spec.blocks import askable, block_name, static_networks
from planes.model.spec.plane_spec import Plane
from planes.model.state.plane_counts import BlockHoldings
from webhook.controller.blocks import BlockSeen


@dataclass(frozen=True, slots=True)
class _Part:
    """What one block counts for a plane.

    Attributes:
        size: addresses of the plane that a node's block hands out.
        static: static addresses that are held.
        dynamic: dynamic addresses that are held, each with its node.
    """

    size: int = 0
    static: int = 0
    dynamic: tuple[tuple[IPAddress, str], ...] = ()


class _Ranges:
    """The addresses of a plane, for looking up single ones."""

    def __init__(self, plane: Plane) -> None:
        self.plane = plane
        self.dynamic = SpanSet(span for subnet in plane.subnets for span in subnet.dynamic)
        self.static = SpanSet(askable(plane))

    def part(self, seen: BlockSeen) -> _Part:
        """Return what a block with a shape counts."""
        if seen.shape is None or seen.shape.use == NODE:
            return _Part(size=self._size(seen))
        holders = seen.addresses.holders
        static = sum(address in self.static for address, _ in holders)
        return _Part(static=static, dynamic=tuple(one for one in holders if one[0] in self.dynamic))

    def _size(self, seen: BlockSeen) -> int:
        if seen.shape is None:
            return 0
        network = seen.shape.network
        spans = self.dynamic.within(range_of(network))
        return sum(seen.addresses.given_of(network, span) for span in spans)


class HeldByNodes:
    """Counts by plane; computed when asked for, and kept until a block or the plane changes.

    Args:
        ignored: returns the blocks of a plane that nodes ignore, by name.
    """

    def __init__(self, ignored: Callable[[str], Mapping[str, str]]) -> None:
        self._ignored = ignored
        self._blocks: dict[str, dict[str, BlockSeen]] = {}
        self._parts: dict[str, _Part] = {}
        self._ranges: dict[str, _Ranges] = {}
        self._found: dict[str, Mapping[int, BlockHoldings]] = {}
        self._borrowed: dict[str, Counter[str]] = {}
        self._ignored_before: dict[str, frozenset[str]] = {}

    def changed(self, name: str, old: BlockSeen | None, new: BlockSeen | None) -> None:
        """A block was added, changed or deleted."""
        for seen in (old, new):
            if seen is not None:
                self._found.pop(seen.plane, None)
                self._forget_borrowed(_overlapping(seen))
        self._parts.pop(name, None)
        self._borrowed.pop(name, None)
        if old is not None and (of_plane := self._blocks.get(old.plane)) is not None:
            of_plane.pop(name, None)
            if not of_plane:
                del self._blocks[old.plane]
        if new is not None and new.shape is not None and new.shape.use in {NODE, STATIC}:
            self._blocks.setdefault(new.plane, {})[name] = new

    def forget(self, plane: str) -> None:
        """Drop what was computed for a plane that is gone."""
        self._found.pop(plane, None)
        self._ranges.pop(plane, None)
        self._ignored_before.pop(plane, None)

    def of(self, plane: Plane) -> Mapping[int, BlockHoldings]:
        """Return what nodes have of a plane, by IP version."""
        ranges = self._ranges.get(plane.name)
        if ranges is None or ranges.plane != plane:
            ranges = self._ranges[plane.name] = _Ranges(plane)
            self._found.pop(plane.name, None)
            for name in self._blocks.get(plane.name, ()):
                self._parts.pop(name, None)
                self._borrowed.pop(name, None)
        found = self._found.get(plane.name)
        if found is None:
            found = self._found[plane.name] = self._count(plane, ranges)
        return found

    def _count(self, plane: Plane, ranges: _Ranges) -> Mapping[int, BlockHoldings]:
        ignored, blocks = self._ignored(plane.name), self._blocks.get(plane.name, {})
        if ignored.keys() != self._ignored_before.get(plane.name, frozenset()):
            self._ignored_before[plane.name] = frozenset(ignored)
            self._forget_borrowed(blocks)
        own: dict[int, Counter[str]] = {4: Counter(), 6: Counter()}
        borrowed: dict[int, Counter[str]] = {4: Counter(), 6: Counter()}
        static: Counter[int] = Counter()
        given: dict[IPNetwork, BlockSeen] = {}
        unknown: dict[str, Sequence[tuple[IPAddress, str]]] = {}
        for name, seen in blocks.items():
            shape = seen.shape
            if shape is None or name in ignored:
                continue
            part = self._parts.get(name)
            if part is None:
                part = self._parts[name] = ranges.part(seen)
            version = shape.network.version
            if shape.use == NODE:
                own[version][shape.node] += part.size
                given[shape.network] = seen
            static[version] += part.static
            if part.dynamic and name not in self._borrowed:
                unknown[name] = part.dynamic
        self._borrowed.update(_not_given(unknown, given))
        for name, seen in blocks.items():
            if (nodes := self._borrowed.get(name)) is not None and seen.shape is not None:
                borrowed[seen.shape.network.version].update(nodes)
        return {
            version: BlockHoldings(own[version], borrowed[version], static[version])
            for version in (4, 6)
        }

    def _forget_borrowed(self, names: Iterable[str]) -> None:
        for name in names:
            self._borrowed.pop(name, None)


def _overlapping(seen: BlockSeen) -> Iterable[str]:
    """Return the names of the static blocks that share addresses with a node's block."""
    if seen.shape is None or seen.shape.use != NODE:
        return ()
    plane = seen.shape.plane
    return [block_name(plane, net, "static") for net in static_networks(seen.shape.network)]


def _not_given(
    held: Mapping[str, Sequence[tuple[IPAddress, str]]], given: Mapping[IPNetwork, BlockSeen]
) -> Iterator[tuple[str, Counter[str]]]:
    """Yield the nodes of held addresses that no node's block hands out, for each static block."""
    if not held:
        return
    networks = {(net.version, net.prefixlen, int(net.network_address)): net for net in given}
    lengths = {(version, length) for version, length, _ in networks}
    for name, entries in held.items():
        nodes: Counter[str] = Counter()
        for address, node in entries:
            for version, length in lengths:
                if version != address.version:
                    continue
                spare = address.max_prefixlen - length
                network = networks.get((version, length, int(address) >> spare << spare))
                if network is None:
                    continue
                if given[network].addresses.gives(network, address):
                    break  # its owner may hand it out, whatever the entry says
            else:
                nodes[node] += 1
        yield name, nodes
