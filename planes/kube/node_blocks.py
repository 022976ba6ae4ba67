"""The blocks that this node owns: found again at start, and taken as they are needed.

Invariant: a block is used only if its creation succeeded, under a name that no other block sharing
an address with it can avoid: the region's grid, written once, gives all of them one size. Static
addresses inside are read after the creation, so whoever came first is seen (see docs/addresses.md).
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Final

from planes.kube.api import KubeApi, Query
from planes.kube.errors import AlreadyExists
from planes.kube.holders import read_static
from planes.kube.ipblocks import NODE, NodeBlock, grid_object, read_grid, read_node_block
from planes.kube.resources import IPBLOCKS
from planes.model.addresses import AddressRange, IPNetwork, subtract
from planes.model.errors import BadInput, Exhausted, Internal, JsonObject, NotFound
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
_NAMED: Final = 3
_MOST_IGNORED: Final = 256
"""Of so many objects a log line is written."""


@dataclass(frozen=True, slots=True)
class Holding:
    """What this node may hand out of a plane now.

    Attributes:
        turn: changes whenever the node has taken a block of the plane.
    """

    plane: Plane
    turn: int
    spans: tuple[AddressRange, ...]


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
    """

    def __init__(self, api: KubeApi, node: str) -> None:
        self._api = api
        self._node = node
        self._locks = KeyedLocks()
        self._listing = asyncio.Lock()
        self._is_listed = False
        self._own: dict[str, dict[str, _Owned]] = {}
        self._turns: Counter[str] = Counter()
        self._ignored: set[str] = set()
        self._holdings: dict[str, Holding] = {}

    async def load(self) -> None:
        """Find the blocks this node has already, where they are not known.

        Raises:
            PlanesError: the API server cannot tell.
        """
        async with self._listing:
            if self._is_listed:
                return
            query = Query(IPBLOCKS, fields=f"spec.node={self._node}", at_least="0")
            seen = [self._read(obj) async for page in self._api.pages(query) for obj in page.items]
            grids: dict[str, int] = {}
            # A list that every node asks for may be an old one: what counts is the block itself.
            # One that is missing in it is found when this node comes to take it.
            for name in [block.name for block in seen if block is not None]:
                block = await self._block(name)
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
        dynamic = [span for subnet in plane.subnets for span in subnet.dynamic]
        for owned in tuple(self._own.get(plane.name, {}).values()):
            found = inside(dynamic, owned.block.network)
            if found:  # else the plane was changed since
                spans += subtract(found, await self._kept(owned))
        holding = self._holdings[plane.name] = Holding(plane, turn, tuple(spans))
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
            others: dict[str, NodeBlock] | None = None
            collisions, is_any = 0, False
            async for network in self._candidates(plane, full.version):
                is_any = True
                name = block_name(plane.name, network)
                if name in self._own.get(plane.name, {}) or name in (others or {}):
                    continue
                if await self._take(plane, network):
                    return
                collisions += 1
                if collisions == _TRIES_BEFORE_LISTING:
                    others = await self._others(plane.name)
                    if self._turns[plane.name] != holding.turn:
                        return
            if not is_any:
                raise full
            others = others or await self._others(plane.name)
            raise _exhausted(plane, full, self._node, others.values())

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
            length = await self._size_in_use(plane.name, region) or grid_length(plane, region)
        try:
            grid = grid_object(plane.name, region, length, self._node)
            obj = await self._api.create(IPBLOCKS, grid)
        except AlreadyExists:
            obj = await self._api.get(IPBLOCKS, name)
        return read_grid(obj, region)

    async def _size_in_use(self, plane: str, region: IPNetwork) -> int:
        """Give the size of the blocks that are there without a grid (deleted by hand), else 0."""
        networks = [block.network for block in await self._blocks_of(plane)]
        same = [n for n in networks if n.version == region.version and n.overlaps(region)]
        return max((network.prefixlen for network in same), default=0)

    async def _take(self, plane: Plane, network: IPNetwork) -> bool:
        block = NodeBlock(plane.name, self._node, network, static_spans(plane, network))
        try:
            await self._api.create(IPBLOCKS, block.to_json())
        except AlreadyExists:
            found = await self._block(block.name)
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
            block, kept = owned.block, list(owned.block.static)
            for network in static_networks(block.network):
                try:
                    obj = await self._api.get(IPBLOCKS, block_name(block.plane, network, "static"))
                except NotFound:
                    continue
                kept += [AddressRange(address, address) for address in read_static(obj).holders]
            owned.kept = tuple(kept)
        return owned.kept

    async def _block(self, name: str) -> NodeBlock | None:
        try:
            return self._read(await self._api.get(IPBLOCKS, name))
        except NotFound:
            return None

    def _read(self, obj: JsonObject) -> NodeBlock | None:
        try:
            return read_node_block(obj)
        except BadInput as error:
            self._ignore(str(obj["metadata"]["name"]), error.message)
            return None

    async def _others(self, plane: str) -> dict[str, NodeBlock]:
        """List all blocks by name; our own that we did not know are ours again."""
        blocks = {block.name: block for block in await self._blocks_of(plane)}
        grids: dict[str, int] = {}
        for block in blocks.values():
            if block.name not in self._own.get(plane, {}) and await self._is_ours(block, grids):
                self._add(block)
        return blocks

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
                self._ignore(block.name, error.message)
                return False
        if grids[name] == block.network.prefixlen:
            return True
        self._ignore(block.name, f"blocks of {region} are /{grids[name]} each")
        return False

    def _ignore(self, name: str, cause: str) -> None:
        if name not in self._ignored and len(self._ignored) < _MOST_IGNORED:
            self._ignored.add(name)
            _log.error("ignoring an IPBlock", extra={"block": name, "error": cause})

    async def _blocks_of(self, plane: str) -> list[NodeBlock]:
        query = Query(IPBLOCKS, fields=f"spec.plane={plane},spec.use={NODE}")
        found = [self._read(obj) async for page in self._api.pages(query) for obj in page.items]
        return [block for block in found if block is not None]


def _exhausted(plane: Plane, full: NoneFree, node: str, blocks: Iterable[NodeBlock]) -> Exhausted:
    counts = Counter(block.node for block in blocks if block.network.version == full.version)
    own = counts.pop(node, 0)
    named = ", ".join(f"{name} ({count})" for name, count in counts.most_common(_NAMED))
    more = f" and {len(counts) - _NAMED} more nodes" if len(counts) > _NAMED else ""
    return Exhausted(
        f"cannot take an IPv{full.version} address in plane {plane.name}: node {node} has {own} of "
        f"its blocks with {full.capacity} addresses, all taken, and the others belong to "
        f"{named or 'nobody'}{more}",
        remedy="run the pod on a node with room, delete pods of the plane on this one, or give "
        "the plane wider ranges or another subnet",
    )
