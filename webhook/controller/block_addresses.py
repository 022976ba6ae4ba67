"""Which addresses of an IPBlock are held, as far as the counts of a plane need it.

Nodes write these fields, so what cannot be read is left out: nothing here is refused. A node can
make thousands of blocks with a thousand ranges each, so of ranges only a bit for each address of
the block is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from planes.kube.addresses.block_spans import bits_between, read_bits
from planes.kube.addresses.holders import held_in
from planes.kube.addresses.ipblocks import NODE, STATIC, Shape
from planes.model.addresses import AddressRange, IPAddress, IPNetwork
from planes.model.errors import BadInput


@dataclass(frozen=True, slots=True)
class BlockAddresses:
    """The addresses of one block.

    Attributes:
        not_given: addresses of a node's block that the node does not hand out, a bit for each: it
            kept them for static addresses, or lends them. The block's first address is bit 0.
        holders: addresses of a static block that are held, each with its node; "" where one is
            kept for a claim and no pod has it.
        keeps: whether the block keeps addresses for claims.
    """

    not_given: int = 0
    holders: tuple[tuple[IPAddress, str], ...] = ()
    keeps: bool = False

    def given_of(self, network: IPNetwork, span: AddressRange) -> int:
        """Count the addresses of a range that the node hands out.

        Args:
            network: the block's.
            span: a range inside it.
        """
        base = int(network.network_address)
        bits = bits_between(int(span.first) - base, int(span.last) - base)
        return (bits & ~self.not_given).bit_count()

    def gives(self, network: IPNetwork, address: IPAddress) -> bool:
        """Report whether the node hands out an address of the block's network."""
        return not self.not_given >> (int(address) - int(network.network_address)) & 1


def read_addresses(obj: Mapping[str, Any], shape: Shape) -> BlockAddresses:
    """Return the addresses of a block.

    Args:
        obj: the block.
        shape: what it is, valid.
    """
    if shape.use == NODE:
        static, lent = obj["spec"].get("static"), obj.get("lent")
        return BlockAddresses(not_given=_bits(static, shape.network) | _bits(lent, shape.network))
    if shape.use != STATIC:
        return BlockAddresses()
    held = tuple(held_in(obj, shape.network).items())
    return BlockAddresses(holders=held, keeps=bool(obj.get("claims")))


def _bits(texts: Any, network: IPNetwork) -> int:
    try:
        return read_bits(texts, network, "addresses of the block")
    except BadInput:
        return 0
