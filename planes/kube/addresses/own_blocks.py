"""The blocks of this node in memory: what it may hand out of each now.

Invariant: an address that is lent, or that a request which may have been carried out lends or
returns, is not handed out. It is again only after a write of this start was confirmed and the
ledger was read since (see `planes.kube.addresses.block_writes`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from planes.kube.addresses.ipblocks import NodeBlock
from planes.model.addresses import AddressRange, range_of
from planes.model.spans import subtract
from planes.model.spec.blocks import inside
from planes.model.spec.lending import joined
from planes.model.spec.plane_spec import Plane


@dataclass(frozen=True, slots=True)
class Holding:
    """What this node may hand out of a plane now.

    Attributes:
        generation: changes whenever that changes.
        is_squeezed: a block has no address to hand out: all are held as static ones.
    """

    plane: Plane
    generation: int
    spans: tuple[AddressRange, ...]
    is_squeezed: bool = False


@dataclass(slots=True)
class OwnBlock:
    """A block of this node.

    Attributes:
        block: as it was after the last confirmed write.
        kept: addresses that others held when the node took it.
        pending: what unconfirmed writes may have lent, or were about to give again.
        is_leaving: it may be deleted at any moment: nothing is handed out.
    """

    block: NodeBlock
    kept: tuple[AddressRange, ...] = ()
    pending: tuple[AddressRange, ...] = ()
    is_leaving: bool = False

    @property
    def name(self) -> str:
        """The name of its object."""
        return self.block.name

    @property
    def withheld(self) -> tuple[AddressRange, ...]:
        """Addresses that must not be handed out, but for those in `block.static`."""
        if self.is_leaving:
            return (range_of(self.block.network),)
        return (*self.kept, *self.block.lent, *self.pending)

    def gives(self, plane: Plane) -> tuple[AddressRange, ...]:
        """Return what the node may hand out of it for a plane as the plane is now."""
        dynamic = (span for subnet in plane.subnets for span in subnet.dynamic)
        holes = (*self.block.static, *self.withheld)
        return subtract(inside(dynamic, self.block.network), holes)


@dataclass(slots=True)
class OwnBlocks:
    """The blocks of this node that it may use, by plane and name."""

    _blocks: dict[str, dict[str, OwnBlock]] = field(default_factory=dict)
    _generations: Counter[str] = field(default_factory=Counter)
    _holdings: dict[str, Holding] = field(default_factory=dict)

    @property
    def planes(self) -> tuple[str, ...]:
        """Planes of which this node has blocks."""
        return tuple(plane for plane, blocks in self._blocks.items() if blocks)

    def of(self, plane: str) -> Mapping[str, OwnBlock]:
        """Return the blocks of a plane by name."""
        return self._blocks.get(plane, {})

    def named(self, name: str) -> OwnBlock | None:
        """Return a block by its name."""
        return self.of(name.partition(".")[0]).get(name)

    def __iter__(self) -> Iterator[OwnBlock]:
        return iter([own for blocks in self._blocks.values() for own in blocks.values()])

    def generation(self, plane: str) -> int:
        """Return a number that changes whenever what may be handed out of a plane does."""
        return self._generations[plane]

    def add(self, own: OwnBlock) -> None:
        """Use a block from now on, in the place of an earlier one of its name."""
        self._blocks.setdefault(own.block.plane, {})[own.name] = own
        self.changed(own)

    def drop(self, own: OwnBlock) -> None:
        """Hand nothing out of a block any more."""
        blocks = self._blocks.get(own.block.plane, {})
        if blocks.get(own.name) is own:
            del blocks[own.name]
        self.changed(own)

    def withhold(
        self, own: OwnBlock, spans: tuple[AddressRange, ...] = (), *, is_leaving: bool = False
    ) -> None:
        """Hand addresses of a block out no more, or none of it."""
        own.pending = joined((*own.pending, *spans))
        own.is_leaving = own.is_leaving or is_leaving
        self.changed(own)

    def changed(self, own: OwnBlock) -> None:
        """Note that a block was changed."""
        self._generations[own.block.plane] += 1

    def holding(self, plane: Plane) -> Holding:
        """Return what may be handed out of a plane; the same object while nothing changes."""
        generation, known = self._generations[plane.name], self._holdings.get(plane.name)
        if known is not None and known.plane is plane and known.generation == generation:
            return known
        spans: list[AddressRange] = []
        is_squeezed = False
        for own in self.of(plane.name).values():
            left = own.gives(plane)
            is_squeezed = is_squeezed or not (left or own.block.lent or own.is_leaving)
            spans += left
        holding = self._holdings[plane.name] = Holding(plane, generation, tuple(spans), is_squeezed)
        return holding

    def last_seen(self, plane: str) -> Plane | None:
        """Return a plane as the last claim had it."""
        known = self._holdings.get(plane)
        return None if known is None else known.plane
