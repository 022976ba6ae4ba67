"""Static addresses for the attachments of one node: claimed in the API, released without it.

Invariant: what is released here is written down on this node first, and taken back from the API
server by `run` as soon as it answers; only what the same attachment holds is ever taken back, so a
later holder of the address loses nothing.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final

from planes.kube.holders import Holders, Identity, drop, identity_of
from planes.kube.static_attempt import Attempt
from planes.kube.static_ledger import StaticLedger
from planes.kube.static_records import Key, StaticRecord, StaticRecords
from planes.model.addresses import IPAddress
from planes.model.errors import PlanesError, Unavailable
from planes.model.spec.block_sizes import static_network_of
from planes.model.spec.plane import Plane
from planes.run.clock import Clock
from planes.run.locks import KeyedLocks
from planes.store.protocol import AddressOwner, Held

_log = logging.getLogger(__name__)

_MOST_DEAD: Final = 16
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 10.0


class StaticAddresses:
    """Static addresses of this node's attachments.

    Args:
        ledger: who holds what in the cluster.
        records: what this node's attachments may hold.
        clock: tells the time, paces what is tried again.
        rng: spreads what is tried again.
    """

    def __init__(
        self,
        ledger: StaticLedger,
        records: StaticRecords,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self._ledger = ledger
        self._records = records
        self._clock = clock
        self._rng = rng
        self._locks = KeyedLocks()
        self._released = asyncio.Event()
        self._seen: dict[str, Holders] = {}

    async def claim(
        self,
        plane: Plane,
        owner: AddressOwner,
        wanted: Sequence[IPAddress],
        candidates: Sequence[IPAddress],
    ) -> tuple[IPAddress, ...]:
        """Take all wanted addresses, or else one candidate of each family.

        Raises:
            Conflict: a wanted address is held by somebody else, or handed out by a node's block.
            Exhausted: no candidate of a family is free.
            PlanesError: the API server or this node's disk cannot be used.
        """
        key = (plane.name, owner.container_id, owner.interface)
        async with self._locks.hold(key):
            old = (await self._records.load()).get(key)
            intent = _intent(plane, owner, (*wanted, *candidates), old)
            await self._records.put(intent)
            try:
                chosen = await self._choose(plane, owner, wanted, candidates, intent.addresses)
                await self._give_up_others(old, chosen)
            except BaseException:
                if not intent.addresses:
                    await self._leave(intent)
                raise
            networks = tuple(dict.fromkeys(map(static_network_of, chosen)))
            await self._records.put(replace(intent, networks=networks, addresses=chosen))
            return chosen

    async def release(self, plane: str, container_id: str, interface: str) -> None:
        """Give back what an attachment holds, without asking the API server.

        Raises:
            Unavailable: it could not be written down.
        """
        key = (plane, container_id, interface)
        if key not in await self._records.load():
            return
        async with self._locks.hold(key):
            record = (await self._records.load()).get(key)
            if record is not None:
                await self._leave(record)

    async def holders(self, plane: str) -> Mapping[IPAddress, AddressOwner]:
        """Who holds static addresses of a plane; while the API server is away, as last seen."""
        records = await self._records.load()
        try:
            self._seen[plane] = await self._ledger.holders(plane)
        except Unavailable as error:
            _log.warning("static holders as last seen", extra={"plane": plane, "error": str(error)})
        gone = {identity_of(r.owner) for r in records.values() if r.plane == plane and r.is_leaving}
        found = {
            address: holder.owner
            for address, holder in self._seen.get(plane, {}).items()
            if holder.identity not in gone
        }
        for record in records.values():
            if record.plane == plane and not record.is_leaving:
                found.update({a: record.owner for a in record.addresses if a not in found})
        return found

    async def held_by_others(self, known: Collection[tuple[str, str]]) -> tuple[Held, ...]:
        """Give what this node's records hold for others than these attachments, not yet released.

        Raises:
            Unavailable: the records cannot be read.
        """
        return tuple(
            Held(record.plane, record.owner, record.addresses, "")
            for record in (await self._records.load()).values()
            if not record.is_leaving and record.key[1:] not in known
        )

    async def run(self) -> None:
        """Take back from the API server what was released, until cancelled."""
        pause = _FIRST_PAUSE
        while True:
            self._released.clear()
            try:
                await self.give_back()
            except PlanesError as error:
                _log.warning("cannot give back static addresses yet", extra={"error": str(error)})
                await self._clock.sleep(pause * self._rng.uniform(0.7, 1.3))
                pause = min(pause * 2, _LONGEST_PAUSE)
            else:
                pause = _FIRST_PAUSE
                await self._released.wait()

    async def give_back(self) -> None:
        """Take back now whatever was released and is still written down as held.

        Raises:
            PlanesError: not all of it; the rest is still to be done.
        """
        failed: PlanesError | None = None
        for record in tuple((await self._records.load()).values()):
            try:
                if record.is_leaving:
                    await self._give_back(record.key)
            except Unavailable:  # the next would fail as well, each after its own deadline
                raise
            except PlanesError as error:
                failed = error
        if failed is not None:
            raise failed

    async def _give_back(self, key: Key) -> None:
        async with self._locks.hold(key):
            record = (await self._records.load()).get(key)
            if record is None or not record.is_leaving:  # claimed again meanwhile
                return
            await self._give_up_others(record, ())
            await self._records.forget(key)

    async def _leave(self, record: StaticRecord) -> None:
        await self._records.put(replace(record, is_leaving=True))
        self._released.set()

    async def _give_up_others(self, record: StaticRecord | None, kept: Sequence[IPAddress]) -> None:
        """Take an attachment out of all its blocks, except from the kept addresses."""
        if record is None:
            return
        identity = identity_of(record.owner)
        for network in record.networks:
            await self._ledger.change(
                record.plane, network, lambda holders: drop(holders, identity, but=kept)
            )

    async def _choose(
        self,
        plane: Plane,
        owner: AddressOwner,
        wanted: Sequence[IPAddress],
        candidates: Sequence[IPAddress],
        held: Sequence[IPAddress],
    ) -> tuple[IPAddress, ...]:
        if wanted:
            groups: list[Sequence[IPAddress]] = [(address,) for address in dict.fromkeys(wanted)]
        else:
            first = [address for address in held if address in candidates]
            offered = tuple(dict.fromkeys((*first, *candidates)))
            groups = [[a for a in offered if a.version == version] for version in (4, 6)]
        chosen = []
        for addresses in groups:
            if addresses:
                attempt = Attempt(self._ledger, plane, owner, addresses, int(self._clock.now()))
                chosen.append(await self._take(attempt))
        return tuple(chosen)

    async def _take(self, attempt: Attempt) -> IPAddress:
        records = await self._records.load()

        def is_leaving(identity: Identity) -> bool:
            record = records.get((attempt.plane.name, *identity[1:]))
            return (
                record is not None and record.is_leaving and identity_of(record.owner) == identity
            )

        found = await attempt.first_free(is_leaving)
        if found is not None:
            return found
        dead = []
        for address, holder in tuple(attempt.held.items())[:_MOST_DEAD]:
            owner = holder.owner
            key = (attempt.plane.name, owner.container_id, owner.interface)
            is_ours = attempt.is_of_this_node(owner)
            if is_ours and key in records:  # its DEL is still to come
                continue
            if not (attempt.is_former_sandbox(owner) or await self._ledger.is_gone(owner)):
                continue
            if not is_ours:
                dead.append(address)
            elif await attempt.take_over(address, holder):
                return address
        if dead:
            raise await attempt.wait_for(dead[0])
        raise attempt.failure()


def _intent(
    plane: Plane, owner: AddressOwner, asked: Sequence[IPAddress], old: StaticRecord | None
) -> StaticRecord:
    """Give the record to write before anything is asked of the API server."""
    networks = dict.fromkeys(map(static_network_of, asked))
    networks.update(dict.fromkeys(old.networks if old is not None else ()))
    held = old.addresses if old is not None and not old.is_leaving else ()
    return StaticRecord(plane.name, owner, tuple(networks), held)
