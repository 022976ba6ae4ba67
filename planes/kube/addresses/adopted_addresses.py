"""Addresses that this node's pods have from another IPAM, held in the API server as static ones.

There may be no block of the address yet, or that of any node. As with static addresses the holder
is written first, then the node looks whether a block hands the address out (docs/addresses.md,
"Why it is safe", 4): a block that is created later leaves the address out, and one that was created
before is seen.

Invariants: one adoption, claim or release of an owner runs at a time, as each edits the owner's
record and may undo what it wrote. An address of another node's block is never taken out of it:
that node may have given it to a pod already, and what one node states must not shrink the blocks
of others. It is refused.
"""

from __future__ import annotations

from dataclasses import replace

from planes.kube.addresses.holders import Holder, Holders, drop, identity_of, put
from planes.kube.addresses.ipblocks import NodeBlock
from planes.kube.addresses.static_ledger import StaticLedger
from planes.kube.addresses.static_records import StaticRecord, StaticRecords
from planes.model.addresses import IPAddress
from planes.model.spec.block_sizes import static_network_of
from planes.run.clock import Clock
from planes.run.locks import KeyedLocks
from planes.store.plane_addresses import describe
from planes.store.protocol import AddressOwner


class AdoptedAddresses:
    """Takes addresses in use into the ledger.

    Args:
        ledger: the holders of all static addresses in the cluster.
        records: what this node's attachments may hold.
        clock: since when an address is held.
        locks: one for each owner's record, those of `StaticAddresses`.
    """

    def __init__(
        self, ledger: StaticLedger, records: StaticRecords, clock: Clock, locks: KeyedLocks
    ) -> None:
        self._ledger = ledger
        self._records = records
        self._clock = clock
        self._locks = locks

    async def adopt(self, plane: str, owner: AddressOwner, address: IPAddress) -> str:
        """Hold an address of a plane; return why not, "" where it is held.

        Where the attachment is the holder already, its record on this node is made again.

        Raises:
            PlanesError: the API server or this node's disk cannot be used.
        """
        async with self._locks.hold((plane, owner.container_id, owner.interface)):
            block = await self._ledger.block_giving(plane, address)
            if block is not None:
                return _refusal(block, owner.node)  # ours: the record on this node is enough
            return await self._hold(plane, owner, address)

    async def _hold(self, plane: str, owner: AddressOwner, address: IPAddress) -> str:
        network = static_network_of(address)
        before = await self._record(plane, owner)
        networks = tuple(dict.fromkeys((*before.networks, network)))
        held = tuple(dict.fromkeys((*before.addresses, address)))
        await self._records.put(replace(before, networks=networks, addresses=held))

        def edit(holders: Holders) -> Holder | None:
            holder = holders.get(address)
            if holder is None:
                put(holders, address, owner, self._clock.now())
            return holder

        holder = await self._ledger.change(plane, network, edit)
        if holder is not None and holder.identity != identity_of(owner):
            await self._put_or_forget(before)
            return f"it is held by {describe(holder.owner)}"
        block = await self._ledger.block_giving(plane, address)
        if block is None:
            return ""
        # A holder that was there stays: it may have been adopted before that block was taken, whose
        # node then counts on seeing it.
        if holder is None:
            await self._ledger.change(
                plane, network, lambda holders: drop(holders, identity_of(owner), only=address)
            )
            await self._put_or_forget(before)
        return _refusal(block, owner.node)

    async def _record(self, plane: str, owner: AddressOwner) -> StaticRecord:
        key = (plane, owner.container_id, owner.interface)
        found = (await self._records.load()).get(key)
        return found or StaticRecord(plane, owner, ())

    async def _put_or_forget(self, before: StaticRecord) -> None:
        if before.networks:
            await self._records.put(before)
        else:
            await self._records.forget(before.key)


def _refusal(block: NodeBlock, node: str) -> str:
    if block.node == node:
        return ""
    return f"it is in block {block.network}, which node {block.node} hands out"
