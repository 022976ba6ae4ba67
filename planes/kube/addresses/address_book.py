"""The address book of one node on a cluster: dynamic addresses from blocks, static ones by request.

Invariant: an address is handed out only by its owner in the API server: a node hands out those of
its blocks that it does not lend, the static ledger the rest. An ADD sends requests only for a new
block, or for a static or borrowed address.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from secrets import token_hex
from typing import Final

from planes.kube.addresses.adopted_addresses import AdoptedAddresses
from planes.kube.addresses.asking import Asker
from planes.kube.addresses.block_keeper import BlockKeeper
from planes.kube.addresses.block_watch import BlockWatch
from planes.kube.addresses.block_writes import BlockWrites
from planes.kube.addresses.borrowing import Borrowing
from planes.kube.addresses.draining import Draining, cordoned
from planes.kube.addresses.kept_records import KeptRecords
from planes.kube.addresses.lending import Emit, Lender
from planes.kube.addresses.node_blocks import NodeBlocks
from planes.kube.addresses.own_blocks import OwnBlocks
from planes.kube.addresses.persistent_addresses import PersistentAddresses
from planes.kube.addresses.returning import Returning
from planes.kube.addresses.searching import Search
from planes.kube.addresses.static_addresses import StaticAddresses
from planes.kube.addresses.static_ledger import StaticLedger
from planes.kube.addresses.static_records import StaticRecords
from planes.kube.api import KubeApi, Query
from planes.kube.informers.reflector import Reflector
from planes.kube.resources import IPBLOCKS
from planes.model.addresses import IPAddress
from planes.model.errors import PlanesError
from planes.model.events import Event
from planes.model.spec.plane_spec import Plane
from planes.model.wire.result import Address
from planes.run.backoff import Randomness
from planes.run.clock import Clock
from planes.run.locks import KeyedLocks
from planes.store.address_book import LocalAddressBook
from planes.store.address_claim import NoneFree
from planes.store.plane_addresses import check_askable, with_subnet
from planes.store.protocol import AddressOwner, ClaimReference, Held
from planes.store.used_addresses import ADDRESSES

_log = logging.getLogger(__name__)

_INSTANCE_BYTES: Final = 16


class KubeAddressBook:
    """An `AddressBook` over IPBlock objects; `run` must run beside it.

    Args:
        api: the API server.
        node: this node's name: no two nodes may share it.
        state_dir: this node's state: `addresses/`, `static-addresses/`, `kept-static/` in it.
        clock: tells the time, paces retries.
        executor: where files are written; None = the event loop's own threads.
        randomness: spreads retries of nodes that try the same at once.
        plane_of: returns a plane as it is now; None = as the last claim had it.
        emit: publishes an event; None = nowhere.
    """

    def __init__(
        self,
        api: KubeApi,
        node: str,
        state_dir: Path,
        clock: Clock,
        *,
        executor: Executor | None = None,
        randomness: Randomness = random.random,
        plane_of: Callable[[str], Plane | None] | None = None,
        emit: Emit | None = None,
    ) -> None:
        instance = token_hex(_INSTANCE_BYTES)
        self._own = OwnBlocks()
        kept = KeptRecords(state_dir / "kept-static", executor)
        writes = BlockWrites(api, self._own, kept, instance)
        self._blocks = NodeBlocks(api, node, self._own, writes)
        self._local = LocalAddressBook(state_dir / ADDRESSES, clock, executor)
        records = StaticRecords(state_dir / "static-addresses", executor)
        ledger = StaticLedger(api, node, clock, randomness)
        locks = KeyedLocks()
        self._static = StaticAddresses(ledger, records, clock, randomness, locks=locks)
        self._persistent = PersistentAddresses(api, ledger, self._static)
        self._adopted = AdoptedAddresses(ledger, records, clock, locks)
        asker = Asker(api, node, clock, randomness)
        self._borrowing = Borrowing(api, node, self._static, asker, clock)
        self._search = Search(self._own, self._blocks, self._borrowing, clock)
        self._draining = Draining(self._on_cordoned)
        self._returning = Returning(
            self._own, writes, self._local, clock, lambda: self._draining.is_cordoned
        )
        lender = Lender(
            node,
            self._own,
            self._blocks,
            writes,
            self._local,
            plane_of=plane_of or self._own.last_seen,
            emit=emit or _nowhere,
        )
        self._keeper = BlockKeeper(self._blocks, lender, self._returning, clock)
        own_blocks = Query(IPBLOCKS, fields=f"spec.node={node}", at_least="0")
        watch = BlockWatch(self._own, instance, self._keeper.notice)
        self._watches = (
            Reflector(api, own_blocks, watch, clock=clock, randomness=randomness),
            Reflector(api, cordoned(node), self._draining, clock=clock, randomness=randomness),
        )

    async def claim(
        self,
        plane: Plane,
        owner: AddressOwner,
        *,
        wanted: Sequence[IPAddress] = (),
        candidates: Sequence[IPAddress] = (),
        reference: ClaimReference | None = None,
    ) -> tuple[Address, ...]:
        """Take addresses as `AddressBook.claim` says.

        Raises:
            Conflict: a wanted address has another holder, or is in a node's block (names it).
            Exhausted: no address is free (names the owners of the blocks).
            BadInput: a wanted address is no static address of the plane.
            Unavailable: the API server is needed and away, or the state directory cannot be used.
        """
        if reference is not None:
            chosen = await self._persistent.claim(plane, owner, reference)
            await self._local.release(plane.name, owner.container_id, owner.interface)
            return tuple(with_subnet(plane, address) for address in chosen)
        if wanted or candidates:
            check_askable(plane, (*wanted, *candidates))
            chosen = await self._static.claim(plane, owner, wanted, candidates)
            await self._local.release(plane.name, owner.container_id, owner.interface)
            return tuple(with_subnet(plane, address) for address in chosen)
        return await self._claim_dynamic(plane, owner)

    async def release(self, plane: str, container_id: str, interface: str) -> None:
        """Release what this attachment holds in the plane; needs no API server.

        Raises:
            Unavailable: the state directory cannot be used.
        """
        await self._local.release(plane, container_id, interface)
        await self._static.release(plane, container_id, interface)

    async def quarantine(
        self, plane: Plane, owner: AddressOwner, answered: Mapping[IPAddress, str]
    ) -> None:
        """Keep addresses that nobody asked for from being used for a while; see `AddressBook`.

        Raises:
            Unavailable: the state directory cannot be used.
        """
        await self._borrowing.avoid(plane, owner, answered)
        holding = await self._blocks.holding(plane)
        await self._local.quarantine(plane, owner, answered, spans=holding.spans)

    async def holders(self, plane: str) -> Mapping[IPAddress, AddressOwner]:
        """Return holders of this node's dynamic addresses of a plane, and of all static ones.

        Raises:
            PlanesError: the state directory or a static block cannot be read.
        """
        return {**await self._static.holders(plane), **await self._local.holders(plane)}

    async def held_by_others(self, known: Collection[tuple[str, str]]) -> tuple[Held, ...]:
        """Return what this node's records hold for attachments other than these.

        Raises:
            Unavailable: the state directory cannot be read.
        """
        local = await self._local.held_by_others(known)
        return (*local, *await self._static.held_by_others(known))

    async def give_back(self, held: Held) -> None:
        """Release what a record holds; see `AddressBook`.

        Raises:
            Unavailable: the state directory cannot be used.
        """
        if held.record:
            await self._local.give_back(held)
        else:
            await self._static.release(held.plane, held.owner.container_id, held.owner.interface)

    def is_complete(self, plane: str) -> bool:
        """Report whether this node has records of the addresses of its pods in a plane."""
        return self._local.is_complete(plane)

    async def hold(
        self,
        plane: str,
        used: Mapping[AddressOwner, Sequence[IPAddress]],
        *,
        cooldown_seconds: float,
    ) -> tuple[IPAddress, ...]:
        """Keep this node from handing out addresses, now and from blocks that it takes later.

        Raises:
            Unavailable: the state directory cannot be written.
        """
        return await self._local.hold(plane, used, cooldown_seconds=cooldown_seconds)

    async def adopt(
        self, plane: Plane, owner: AddressOwner, addresses: Sequence[IPAddress]
    ) -> Mapping[IPAddress, str]:
        """Keep all nodes from handing out addresses in use; return why not of those refused.

        Raises:
            PlanesError: the API server is away, or the state directory cannot be written.
        """
        found = {**await self._local.adopt(plane, owner, addresses)}
        for address in addresses:
            if address not in found:
                found[address] = await self._adopted.adopt(plane.name, owner, address)
        return {address: cause for address, cause in found.items() if cause}

    async def set_complete(self, plane: str) -> None:
        """Record that this node has records of the addresses of its pods in a plane.

        Raises:
            Unavailable: the state directory cannot be written.
        """
        await self._local.set_complete(plane)

    async def run(self) -> None:
        """Remove released addresses from the API server, and keep the blocks, until cancelled."""
        try:
            await self._blocks.load()
        except PlanesError as error:  # the first claim will try again
            _log.warning("cannot list this node's blocks yet", extra={"error": str(error)})
        async with asyncio.TaskGroup() as group:
            group.create_task(self._static.run(), name="release addresses")
            group.create_task(self._keeper.run(), name="keep blocks")
            for watch in self._watches:
                group.create_task(watch.run(), name=f"watch own {watch.name}")

    async def retire(self) -> None:
        """Return all that no attachment holds: the daemon is removed. `run` must not run.

        Raises:
            PlanesError: the API server cannot be read or written.
        """
        await self._static.give_back(waits=False)
        await self._blocks.load()
        await self._returning.look(is_leaving=True)

    def _on_cordoned(self) -> None:
        self._keeper.look_now()

    async def _claim_dynamic(self, plane: Plane, owner: AddressOwner) -> tuple[Address, ...]:
        borrowed = await self._borrowing.held(plane, owner)
        local: tuple[Address, ...] = ()
        while families := plane.families - {address.version for address in borrowed}:
            # Each time the node has more to hand out, has borrowed one, or this raises.
            holding = await self._blocks.holding(plane)
            try:
                local = await self._local.claim(
                    plane,
                    owner,
                    spans=lambda: self._own.holding(plane).spans,
                    families=families,
                )
                break
            except NoneFree as full:
                found = await self._search.search(plane, owner, holding, full, borrowed)
                borrowed = borrowed if found is None else (*borrowed, found)
        if not borrowed:
            await self._static.release(plane.name, owner.container_id, owner.interface)
            return local
        if not local:
            await self._local.release(plane.name, owner.container_id, owner.interface)
        mixed = (*local, *(with_subnet(plane, address) for address in borrowed))
        return tuple(sorted(mixed, key=lambda one: one.family))


async def _nowhere(_event: Event) -> None:
    return None
