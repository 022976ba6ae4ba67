"""The node blocks of one plane by their addresses, for looking up many addresses in many blocks.

A node may lend a thousand spans of each of its blocks, so neither all blocks nor all spans of one
are gone through for an address: a lookup costs one step for each size of blocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from planes.kube.addresses.ipblocks import NodeBlock
from planes.model.addresses import AddressRange, IPAddress, range_of
from planes.model.spans import SpanSet

_Key = tuple[int, int, int]
"""IP version, prefix length, and the bits of the network."""


class BlockIndex:
    """Blocks of one plane; of two with the same addresses the last one counts."""

    def __init__(self, blocks: Iterable[NodeBlock]) -> None:
        self._blocks: dict[_Key, NodeBlock] = {}
        self._not_given: dict[_Key, SpanSet] = {}
        for block in blocks:
            network = block.network
            spare = network.max_prefixlen - network.prefixlen
            key = network.version, network.prefixlen, int(network.network_address) >> spare
            self._blocks[key] = block
        self._lengths = {
            version: sorted({length for family, length, _ in self._blocks if family == version})
            for version in (4, 6)
        }

    def giving(self, address: IPAddress) -> NodeBlock | None:
        """Return the block whose node may hand an address out, None where there is none."""
        for length in self._lengths[address.version]:
            key = address.version, length, int(address) >> (address.max_prefixlen - length)
            block = self._blocks.get(key)
            if block is not None and address not in self._spans(key, block):
                return block
        return None

    def given(self) -> Iterator[AddressRange]:
        """Yield the ranges that nodes may hand out, block by block."""
        for key, block in self._blocks.items():
            yield from self._spans(key, block).outside(range_of(block.network))

    def _spans(self, key: _Key, block: NodeBlock) -> SpanSet:
        found = self._not_given.get(key)
        if found is None:
            found = self._not_given[key] = SpanSet(block.not_given)
        return found


def size_within(block: NodeBlock, spans: SpanSet) -> int:
    """Return how many addresses of a set the node of a block may hand out of it."""
    left_out = SpanSet(block.not_given)
    inside = spans.within(range_of(block.network))
    return sum(part.size for span in inside for part in left_out.outside(span))
