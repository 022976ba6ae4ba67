"""The blocks that this node owns: found again at start, and taken as they are needed.

Invariant: a block is used only if its creation succeeded. Any block that shares an address with it
has the same name: the region's grid, written once, fixes one size for all. Static addresses inside
are read after the creation, so earlier holders are seen (see docs/addresses.md).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import compress
from typing import Final

from planes.kube.addresses.block_listing import AllTaken, BlockListing
from planes.kube.addresses.block_writes import BlockWrites
from planes.kube.addresses.grids import Grids
from planes.kube.addresses.held_elsewhere import HeldElsewhere
from planes.kube.addresses.ipblocks import NodeBlock, read_grid
from planes.kube.addresses.own_blocks import Holding, OwnBlocks
from planes.kube.api import KubeApi
from planes.kube.errors import AlreadyExists
from planes.kube.resources import IPBLOCKS
from planes.model.addresses import IPNetwork
from planes.model.errors import Internal, NotFound, Unavailable
from planes.model.spec.block_sizes import region_of
from planes.model.spec.blocks import (
    block_name,
    blocks_of,
    cells,
    in_order,
    inside,
    seed,
    static_spans,
)
from planes.model.spec.plane_spec import Plane
from planes.run.locks import KeyedLocks
from planes.store.address_claim import NoneFree

_log = logging.getLogger(__name__)

_FEWEST_TRIES: Final = 3
_MOST_TRIES: Final = 128
_BLOCKS_OF_A_TRY: Final = 16
"""To list a plane's blocks costs the API server as much as to read one of each 5 to 10 of them."""
_LOOKS: Final = 4
"""Blocks that are looked at at once."""
_PASSED_AT_ONCE: Final = 256


class NodeBlocks:
    """Takes blocks of planes for one node.

    Args:
        api: the API server.
        node: this node's name.
        own: its blocks in memory.
        writes: what it writes to them.
    """

    def __init__(self, api: KubeApi, node: str, own: OwnBlocks, writes: BlockWrites) -> None:
        self._api = api
        self._node = node
        self._own = own
        self._writes = writes
        self._locks = KeyedLocks()
        self._listing = BlockListing(api)
        self._grids = Grids(api, node, self._listing)
        self._loading = asyncio.Lock()
        self._is_listed = False
        self._shunned: set[str] = set()

    async def load(self) -> None:
        """Find the blocks that this node has already, unless that was done.

        Raises:
            PlanesError: the API server cannot be read.
        """
        async with self._loading:
            if self._is_listed:
                return
            grids: dict[str, int] = {}
            # The list comes from a cache and may be old, so each block is read itself. A block that
            # is missing in the list is found when this node tries to take it.
            for block in await self._listing.of_node(self._node):
                async with self._locks.hold(block.plane):
                    await self._find(block.name, grids)
            self._is_listed = True

    async def find(self, name: str) -> None:
        """Use a block that was made in this node's name, if it is not used yet.

        Raises:
            PlanesError: the API server cannot be read, or the block cannot be written.
        """
        async with self._locks.hold(name.partition(".")[0]):
            if self._own.named(name) is None:
                await self._find(name, {})

    async def take_again(self, plane: Plane, network: IPNetwork) -> bool:
        """Take a block that was deleted under its pods; report whether it is this node's.

        Raises:
            PlanesError: the API server cannot be read or written.
        """
        async with self._locks.hold(plane.name):
            if block_name(plane.name, network) in self._own.of(plane.name):
                return True
            region = region_of(network.network_address)
            if await self._grids.size(plane, region) != network.prefixlen:
                return False
            return await self._take(plane, network)

    def shun(self, name: str, *, for_now: bool = True) -> None:
        """Leave a block to another daemon of this node's name, or use it again."""
        (self._shunned.add if for_now else self._shunned.discard)(name)

    async def holding(self, plane: Plane) -> Holding:
        """Return what the blocks of this node can hand out; new blocks are read from the API.

        Raises:
            PlanesError: the API server was not reached since the start.
        """
        await self.load()
        return self._own.holding(plane)

    async def grow(self, plane: Plane, holding: Holding, full: NoneFree) -> None:
        """Take one block more, unless there is more to hand out than in `holding`.

        Raises:
            NoneFree: the plane has no dynamic addresses.
            AllTaken: all blocks are taken (has them).
            PlanesError: the API server cannot be read.
        """
        async with self._locks.hold(plane.name):
            is_same = self._own.generation(plane.name) == holding.generation
            if not is_same or await self._has_unkept(plane):
                return
            if not blocks_of(plane, full.version):
                raise full
            # Else one claim would take block after block of the plane, each for nothing.
            held = await HeldElsewhere.read(self._api, plane) if holding.is_squeezed else None
            async for network in self._untaken(plane, full.version, held):
                if await self._take(plane, network):
                    return
            others = await self._others(plane)
            async for network in self._candidates(plane, full.version, held):
                if self._own.generation(plane.name) != holding.generation:
                    return
                if block_name(plane.name, network) in others:
                    continue
                if await self._take(plane, network):
                    return
            if self._own.generation(plane.name) == holding.generation:
                raise AllTaken(full, tuple(filter(None, others.values())))

    async def _has_unkept(self, plane: Plane) -> bool:
        """Report whether an address of own blocks that was held at first is free by now."""
        found = [
            await self._writes.refresh_kept(own)
            for own in self._own
            if own.block.plane == plane.name
        ]
        return any(found)

    async def _candidates(
        self, plane: Plane, version: int, held: HeldElsewhere | None
    ) -> AsyncIterator[IPNetwork]:
        """Yield the blocks that this node may take, in its own order, without those it has."""
        start, passed = seed(self._node, plane.name), 0
        for part in in_order(plane, version, self._node):
            for network in cells(part, await self._grids.size(plane, part.region), start):
                passed += 1
                if passed % _PASSED_AT_ONCE == 0 or held is not None:
                    await asyncio.sleep(0)
                is_own = block_name(plane.name, network) in self._own.of(plane.name)
                if not is_own and (held is None or held.leaves(network)):
                    yield network

    async def _untaken(
        self, plane: Plane, version: int, held: HeldElsewhere | None
    ) -> AsyncIterator[IPNetwork]:
        """Yield the first candidate, then those of some more that no other node seems to have.

        Where few blocks are taken the first one is free nearly always. Further ones are read
        first, several at once. A large plane is not listed before so many were taken that it has
        hardly a free one.
        """
        left = min(max(blocks_of(plane, version) // _BLOCKS_OF_A_TRY, _FEWEST_TRIES), _MOST_TRIES)
        candidates = self._candidates(plane, version, held)
        async for first in candidates:
            yield first
            break
        while left > 0 and (networks := await _next(candidates, min(_LOOKS, left))):
            left -= len(networks)
            names = [block_name(plane.name, network) for network in networks]
            free = await asyncio.gather(
                *(self._listing.is_takable(name, self._node) for name in names)
            )
            for network in compress(networks, free):
                yield network

    async def _take(self, plane: Plane, network: IPNetwork) -> bool:
        static = static_spans(plane, network)
        block = NodeBlock(plane.name, self._node, network, static, self._writes.instance)
        try:
            made = await self._api.create(IPBLOCKS, block.to_json())
            metadata = made["metadata"]
            block = replace(
                block,
                uid=str(metadata.get("uid") or ""),
                version=str(metadata.get("resourceVersion") or ""),
            )
            await self._check_grid(block)
            await self._writes.adopt(block, is_new=True)
        except AlreadyExists:
            return await self._find(block.name, {})
        except BaseException:
            self._is_listed = False  # it may have been created all the same
            raise
        _log.info("took an address block", extra={"plane": plane.name, "block": str(block.network)})
        return True

    async def _check_grid(self, block: NodeBlock) -> None:
        """Delete a new block again if its grid is gone: whoever makes the next one lists blocks."""
        if not await self._is_ours(block, {}):
            await self._writes.undo(block)
            raise Unavailable(f"the Grid around {block.network} was deleted just now")

    async def _find(self, name: str, grids: dict[str, int]) -> bool:
        """Use a block if it is this node's; report whether it is."""
        if name in self._shunned:
            return False
        block = await self._listing.named(name)
        if block is None or not await self._is_ours(block, grids):
            return False
        return await self._writes.adopt(block) is not None

    async def _others(self, plane: Plane) -> dict[str, NodeBlock | None]:
        """List the blocks of nodes in a plane's dynamic ranges; add our own that were missing.

        Invalid blocks are listed, too: their names cannot be taken. Blocks outside of the ranges
        are left out: a node can make any number of them.
        """
        dynamic = [span for subnet in plane.subnets for span in subnet.dynamic]
        found: dict[str, NodeBlock | None] = {}
        grids: dict[str, int] = {}
        async for name, block in self._listing.of_plane(plane.name):
            if block is not None and not inside(dynamic, block.network):
                continue
            found[name] = block
            is_new = name not in self._own.of(plane.name)
            if is_new and block is not None and block.node == self._node:
                await self._find(name, grids)
        return found

    async def _is_ours(self, block: NodeBlock, grids: dict[str, int]) -> bool:
        """Report whether a block has this node's name and the size of its grid.

        One of another size shares addresses with blocks of other nodes. Where the grid was deleted
        by hand this is not known until it is written anew; then the block is found when it is
        taken.
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


async def _next(networks: AsyncIterator[IPNetwork], count: int) -> list[IPNetwork]:
    """Return the next few."""
    found = []
    async for network in networks:
        found.append(network)
        if len(found) == count:
            break
    return found
