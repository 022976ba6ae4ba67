"""The blocks that this node owns: found again at start, and taken as they are needed.

Invariant: a block is used only if its creation succeeded, under a name that no other block sharing
an address with it can avoid: the region's grid, written once, gives all of them one size. Static
addresses inside are read after the creation, so whoever came first is seen (see docs/addresses.md).
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Final

from planes.kube.api import KubeApi
from planes.kube.block_listing import BlockListing, exhausted
from planes.kube.errors import AlreadyExists
from planes.kube.held_elsewhere import HeldElsewhere
from planes.kube.holders import read_static
from planes.kube.ipblocks import (
    NodeBlock,
    Shape,
    grid_object,
    read_grid,
)
from planes.kube.kept_records import KeptRecords
from planes.kube.resources import IPBLOCKS
from planes.model.addresses import AddressRange, IPAddress, IPNetwork, subtract
from planes.model.errors import Internal, NotFound
from planes.model.spec.block_sizes import grid_length, region_of
from planes.model.spec.blocks import (
    block_name,
    cells,
    in_order,
    inside,
    seed,
    static_networks,
    static_spans,
)
from planes.model.spec.plane import Plane
from planes.run.locks import KeyedLocks
from planes.store.addressbook import NoneFree

_log = logging.getLogger(__name__)

_TRIES_BEFORE_LISTING: Final = 3


@dataclass(frozen=True, slots=True)
class Holding:
    """What this node may hand out of a plane now.

    Attributes:
        turn: changes whenever the node has taken a block of the plane.
        is_squeezed: a block gives nothing at all: its addresses are held as static ones.
    """

    plane: Plane
    turn: int
    spans: tuple[AddressRange, ...]
    is_squeezed: bool = False


@dataclass(slots=True)
class _Owned:
    """A block of ours; `kept` is what it must not hand out, None until that was read."""

    block: NodeBlock
    kept: tuple[AddressRange, ...] | None = None


class NodeBlocks:
    """Takes blocks of planes for one node.

    Args:
        api: the API server.
        node: this node's name.
        records: what was held in its blocks when it took them.
    """

    def __init__(self, api: KubeApi, node: str, records: KeptRecords) -> None:
        self._api = api
        self._node = node
        self._records = records
        self._locks = KeyedLocks()
        self._listing = BlockListing(api)
        self._loading = asyncio.Lock()
        self._is_listed = False
        self._own: dict[str, dict[str, _Owned]] = {}
        self._turns: Counter[str] = Counter()
        self._holdings: dict[str, Holding] = {}

    async def load(self) -> None:
        """Find the blocks this node has already, where they are not known.

        Raises:
            PlanesError: the API server cannot tell.
        """
        async with self._loading:
            if self._is_listed:
                return
            grids: dict[str, int] = {}
            # A list that every node asks for may be an old one: what counts is the block itself.
            # One that is missing in it is found when this node comes to take it.
            for name in [block.name for block in await self._listing.of_node(self._node)]:
                block = await self._listing.named(name)
                if block is not None and await self._is_ours(block, grids):
                    self._add(block)
            self._is_listed = True

    async def holding(self, plane: Plane) -> Holding:
        """Tell what may be handed out from the blocks this node has; asks the API only if new.

        Raises:
            PlanesError: the API server was not reached since the start.
        """
        await self.load()
        turn, known = self._turns[plane.name], self._holdings.get(plane.name)
        if known is not None and known.plane is plane and known.turn == turn:
            return known
        spans: list[AddressRange] = []
        is_squeezed = False
        dynamic = [span for subnet in plane.subnets for span in subnet.dynamic]
        for owned in tuple(self._own.get(plane.name, {}).values()):
            found = inside(dynamic, owned.block.network)
            if found:  # else the plane was changed since
                left = subtract(found, await self._kept(owned))
                is_squeezed = is_squeezed or not left
                spans += left
        holding = self._holdings[plane.name] = Holding(plane, turn, tuple(spans), is_squeezed)
        return holding

    async def grow(self, plane: Plane, holding: Holding, full: NoneFree) -> None:
        """Take one block more, unless somebody else did since `holding`.

        Raises:
            NoneFree: the plane hands out nothing by itself.
            Exhausted: all blocks are taken (says by whom).
            PlanesError: the API server cannot be asked.
        """
        async with self._locks.hold(plane.name):
            if self._turns[plane.name] != holding.turn:
                return
            others: dict[str, Shape | None] | None = None
            # Else one claim would take block after block of the plane, each for nothing.
            held = await HeldElsewhere.read(self._api, plane) if holding.is_squeezed else None
            collisions, is_any = 0, False
            async for network in self._candidates(plane, full.version):
                is_any = True
                name = block_name(plane.name, network)
                if name in self._own.get(plane.name, {}) or name in (others or {}):
                    continue
                if held is not None and not held.leaves(network):
                    await asyncio.sleep(0)
                    continue
                if await self._take(plane, network):
                    return
                collisions += 1
                if collisions == _TRIES_BEFORE_LISTING:
                    others = await self._others(plane)
                    if self._turns[plane.name] != holding.turn:
                        return
            if not is_any:
                raise full
            others = others or await self._others(plane)
            by_static = held.nodes if held is not None else None
            raise exhausted(plane, full, self._node, filter(None, others.values()), by_static)

    async def _candidates(self, plane: Plane, version: int) -> AsyncIterator[IPNetwork]:
        start = seed(self._node, plane.name)
        for ground in in_order(plane, version, self._node):
            for network in cells(ground, await self._grid(plane, ground.region), start):
                yield network

    async def _grid(self, plane: Plane, region: IPNetwork) -> int:
        """Give the size of blocks in a region, fixing it where nobody has.

        Never remembered: an administrator may clear a plane away and begin it anew.
        """
        name = block_name(plane.name, region, "grid")
        try:
            return read_grid(await self._api.get(IPBLOCKS, name), region)
        except NotFound:
            length = await self._listing.size_in_use(plane.name, region) or grid_length(
                plane, region
            )
        try:
            grid = grid_object(plane.name, region, length, self._node)
            obj = await self._api.create(IPBLOCKS, grid)
        except AlreadyExists:
            obj = await self._api.get(IPBLOCKS, name)
        return read_grid(obj, region)

    async def _take(self, plane: Plane, network: IPNetwork) -> bool:
        block = NodeBlock(plane.name, self._node, network, static_spans(plane, network))
        try:
            made = await self._api.create(IPBLOCKS, block.to_json())
            block = replace(block, uid=str(made["metadata"].get("uid") or ""))
        except AlreadyExists:
            found = await self._listing.named(block.name)
            if found is None or found.node != self._node:
                return False
            block = found  # ours already: the list at start was too old to show it
        except BaseException:
            self._is_listed = False  # it may have been created all the same
            raise
        self._add(block)
        _log.info("took an address block", extra={"plane": plane.name, "block": str(block.network)})
        return True

    def _add(self, block: NodeBlock) -> None:
        known = self._own.setdefault(block.plane, {})
        if block.name not in known:
            known[block.name] = _Owned(block)
            self._turns[block.plane] += 1

    async def _kept(self, owned: _Owned) -> tuple[AddressRange, ...]:
        """Give what a block of ours must not hand out.

        Read after the block was there: from then on nobody takes a static address of what the
        block hands out, so what is held at that moment is all that ever will be.
        """
        if owned.kept is None:
            block = owned.block
            held: list[IPAddress] = []
            for network in static_networks(block.network):
                try:
                    obj = await self._api.get(IPBLOCKS, block_name(block.plane, network, "static"))
                except NotFound:
                    continue
                held += [a for a in read_static(obj).holders if a in block.network]
            found = await self._records.still_held(block.name, block.uid, held)
            kept = [AddressRange(a, a) for a in sorted(found, key=int)]
            owned.kept = (*block.static, *kept)
        return owned.kept

    async def _others(self, plane: Plane) -> dict[str, Shape | None]:
        """List the blocks that nodes have where a plane hands out; our own are ours again.

        Those that nobody goes by have their names, too: they cannot be taken. Of blocks elsewhere
        a node can make as many as it likes.
        """
        dynamic = [span for subnet in plane.subnets for span in subnet.dynamic]
        found: dict[str, Shape | None] = {}
        grids: dict[str, int] = {}
        async for name, shape, obj in self._listing.of_plane(plane.name):
            if shape is not None and not inside(dynamic, shape.network):
                continue
            found[name] = shape
            is_new = shape is not None and name not in self._own.get(plane.name, {})
            if is_new and shape is not None and shape.node == self._node:
                block = self._listing.read(obj)
                if block is not None and await self._is_ours(block, grids):
                    self._add(block)
        return found

    async def _is_ours(self, block: NodeBlock, grids: dict[str, int]) -> bool:
        """Tell whether a block may be handed out from: it has this node's name and its grid's size.

        One of another size shares addresses with blocks of others. Where the grid was deleted by
        hand nothing is known until it is written anew; then its block is found when it is taken.
        """
        if block.node != self._node:
            return False
        region = region_of(block.network.network_address)
        name = block_name(block.plane, region, "grid")
        if name not in grids:
            try:
                grids[name] = read_grid(await self._api.get(IPBLOCKS, name), region)
            except NotFound:
                return False
            except Internal as error:  # of this plane alone: others have grids of their own
                self._listing.ignore(block.name, error.message)
                return False
        if grids[name] == block.network.prefixlen:
            return True
        self._listing.ignore(block.name, f"blocks of {region} are /{grids[name]} each")
        return False
