"""Writes to the blocks of this node: claimed for a start of the daemon, lent, asked back, deleted.

Each write is compared and swapped over a live read that shows this start in `instance`. So a write
of an earlier start, or an earlier one of this start, that arrives late fails.

Invariant: addresses are withheld in memory before the request that lends or deletes them, and are
handed out again only after a write that was confirmed, and after the holders of static addresses
were read since. docs/addresses.md has the reasons, `tests/kube/addresses/lending_model.py` the
protocol.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from enum import Enum
from typing import Final

from planes.kube.addresses.holders import Holder, read_static
from planes.kube.addresses.ipblocks import NodeBlock, read_node_block
from planes.kube.addresses.kept_records import KeptRecords
from planes.kube.addresses.own_blocks import OwnBlock, OwnBlocks
from planes.kube.api import KubeApi
from planes.kube.resources import IPBLOCKS
from planes.model.addresses import AddressRange, IPAddress
from planes.model.errors import BadInput, Conflict, JsonObject, NotFound, Unavailable
from planes.model.spec.blocks import block_name, static_networks
from planes.model.spec.lending import common, joined, singles, without
from planes.run.locks import KeyedLocks

_log = logging.getLogger(__name__)

_TRIES: Final = 16
"""Any node may write its request into a block, as often as it likes: each write is a race that is
won one time in three or four, measured against one that does nothing else."""


class Lost(Enum):
    """Why a block is not this daemon's any more."""

    GONE = "it was deleted"
    TAKEN = "another daemon of this node's name uses it"


class BlockWrites:
    """Writes to blocks of this node.

    Args:
        api: the API server.
        own: the blocks in memory; they are changed with what is written.
        records: which of their addresses others may hold.
        instance: this start of the daemon.
    """

    def __init__(self, api: KubeApi, own: OwnBlocks, records: KeptRecords, instance: str) -> None:
        self._api = api
        self._own = own
        self._records = records
        self._locks = KeyedLocks()
        self.instance = instance

    async def adopt(self, block: NodeBlock, *, is_new: bool = False) -> OwnBlock | None:
        """Use a block of this node from now on; None where it is gone.

        Args:
            block: as it was read.
            is_new: this start has just created it. Any other is read again: it may have been
                returned by this very daemon since.

        Raises:
            PlanesError: it is not known whether the block can be used; nothing is handed out.
        """
        async with self._locks.hold(block.name):
            known = self._own.named(block.name)
            if known is not None and known.block.uid == block.uid:
                return known
            if not is_new:
                found = await self._claimed(block)
                if found is None:
                    return None
                block = found
            held = await self.holders(block)
            kept = await self._records.still_held(block.name, block.uid, held)
            own = OwnBlock(block, without(singles(kept), block.lent))
            self._own.add(own)
            return own

    async def undo(self, block: NodeBlock) -> None:
        """Delete a block that was just created and never used; one that is gone is fine.

        Raises:
            PlanesError: it is not known whether it is gone.
        """
        with suppress(NotFound):
            await self._api.delete(
                IPBLOCKS, block.name, uid=block.uid, resource_version=block.version
            )

    async def lend(self, own: OwnBlock, answered: Collection[str] | None = None) -> Lost | None:
        """Lend what is withheld of a block, and remove the requests of nodes.

        Args:
            own: the block; `pending` was withheld before.
            answered: nodes whose requests are removed; None for all.

        Raises:
            PlanesError: not confirmed; what is withheld stays so.
        """

        def edit(block: NodeBlock) -> NodeBlock:
            lent = joined((*block.lent, *own.pending))
            kept = (
                {}
                if answered is None
                else {node: since for node, since in block.asked.items() if node not in answered}
            )
            return replace(block, lent=lent, asked=kept)

        async with self._locks.hold(own.name):
            pending = own.pending
            lost = await self._write(own, edit)
            if lost is None:
                own.pending = without(own.pending, pending)
                self._own.changed(own)
            return lost

    async def take_back(self, own: OwnBlock, spans: tuple[AddressRange, ...]) -> Lost | None:
        """Hand lent addresses out again, except those that somebody holds.

        Raises:
            PlanesError: not confirmed, or holders cannot be read: they stay withheld.
        """
        async with self._locks.hold(own.name):
            self._own.withhold(own, spans)
            pending = own.pending
            await self._expect(own, own.withheld, is_durable=True)
            lost = await self._write(
                own, lambda block: replace(block, lent=without((*block.lent, *own.pending), spans))
            )
            if lost is not None:
                return lost
            # From here on no other node can claim them: who holds one is known to the ledger.
            held = common(singles(await self.holders(own.block)), spans)
            own.pending = joined((*without(own.pending, pending), *held))
            self._own.changed(own)
            if held:
                await self._write(
                    own, lambda block: replace(block, lent=joined((*block.lent, *held)))
                )
                own.pending = without(own.pending, held)
            await self._expect(own, (*own.kept, *own.pending), is_durable=False)
            return None

    async def delete(self, own: OwnBlock) -> bool:
        """Return a block that was withheld whole; report whether it is gone.

        Raises:
            PlanesError: not known; it stays withheld.
        """
        async with self._locks.hold(own.name):
            version, uid = own.block.version, own.block.uid
            for _ in range(_TRIES):
                try:
                    await self._api.delete(IPBLOCKS, own.name, uid=uid, resource_version=version)
                except Conflict:
                    found = await self._live(own)
                    if isinstance(found, Lost):
                        break
                    version = found[1].version
                    continue
                break
            else:
                return False
            self._own.drop(own)
            await self._records.forget(own.name)
            return True

    async def refresh_kept(self, own: OwnBlock) -> bool:
        """Hand out what nobody holds any more of the addresses that were held at first.

        No other node can claim them: the block does not lend them. Report whether there were any.

        Raises:
            PlanesError: holders cannot be read.
        """
        async with self._locks.hold(own.name):
            if not own.kept:
                return False
            left = common(own.kept, singles(await self.holders(own.block)))
            if left == joined(own.kept):
                return False
            own.kept = left
            self._own.changed(own)
            await self._expect(own, left, is_durable=False)
            return True

    async def look(self, own: OwnBlock) -> NodeBlock | Lost:
        """Read a block as it is now.

        Raises:
            PlanesError: it cannot be read.
        """
        async with self._locks.hold(own.name):
            found = await self._live(own)
            return found if isinstance(found, Lost) else found[1]

    async def holders(self, *blocks: NodeBlock) -> Mapping[IPAddress, Holder]:
        """Return who holds addresses of blocks as static, borrowed or claimed ones, by a live read.

        Raises:
            PlanesError: it cannot be read.
        """
        held: dict[IPAddress, Holder] = {}
        parts = {(b.plane, part): b for b in blocks for part in static_networks(b.network)}
        for plane, network in parts:
            try:
                obj = await self._api.get(IPBLOCKS, block_name(plane, network, "static"))
            except NotFound:
                continue
            held |= read_static(obj).taken
        inside = [block.network for block in blocks]
        return {a: holder for a, holder in held.items() if any(a in net for net in inside)}

    async def _claimed(self, block: NodeBlock) -> NodeBlock | None:
        """Write this start into a block, so that writes of earlier ones fail; None: not ours."""
        for _ in range(_TRIES):
            try:
                obj = await self._api.get(IPBLOCKS, block.name)
                found = _read(obj)
                if found is None or found.node != block.node:
                    return None
                if found.instance == self.instance:
                    return found
                return await self._put(obj, replace(found, instance=self.instance))
            except NotFound:
                return None
            except Conflict:
                continue
        raise _outrun(block)

    async def _write(self, own: OwnBlock, edit: Callable[[NodeBlock], NodeBlock]) -> Lost | None:
        for _ in range(_TRIES):
            found = await self._live(own)
            if isinstance(found, Lost):
                return found
            obj, block = found
            wanted = edit(block)
            try:
                own.block = await self._put(obj, wanted)
            except (Conflict, NotFound):
                continue
            self._own.changed(own)
            return None
        raise _outrun(own.block)

    async def _live(self, own: OwnBlock) -> tuple[JsonObject, NodeBlock] | Lost:
        """Read a block; one that is not this daemon's any more is dropped from memory."""
        lost, block = Lost.GONE, None
        try:
            obj = await self._api.get(IPBLOCKS, own.name)
            block = _read(obj)
        except NotFound:
            pass
        if block is not None and block.uid == own.block.uid:
            if block.instance == self.instance:
                return obj, block
            lost = Lost.TAKEN
        self._own.drop(own)
        return lost

    async def _put(self, obj: JsonObject, block: NodeBlock) -> NodeBlock:
        written = await self._api.replace(IPBLOCKS, block.written_over(obj))
        return _read(written) or block

    async def _expect(
        self, own: OwnBlock, spans: Iterable[AddressRange], *, is_durable: bool
    ) -> None:
        held = [address for span in spans for address in span]
        await self._records.expect(own.name, own.block.uid, held, is_durable=is_durable)


def _outrun(block: NodeBlock) -> Unavailable:
    return Unavailable(
        f"cannot write block {block.network} of plane {block.plane}: others were faster "
        f"{_TRIES} times",
        remedy="it is tried again",
    )


def _read(obj: JsonObject) -> NodeBlock | None:
    try:
        return read_node_block(obj)
    except BadInput:  # every reader ignores it
        return None
