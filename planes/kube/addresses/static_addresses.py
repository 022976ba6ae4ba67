"""Static and borrowed addresses for the attachments of one node: claimed in the API server.

Invariant: a record on this node is durable before the first request, so that a release needs none
(see `planes.kube.addresses.static_releases`).
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from planes.kube.addresses.holders import Holders, identity_of
from planes.kube.addresses.static_choice import StaticChoice
from planes.kube.addresses.static_ledger import StaticLedger
from planes.kube.addresses.static_records import StaticRecord, StaticRecords
from planes.kube.addresses.static_releases import StaticReleases
from planes.model.addresses import IPAddress
from planes.model.errors import Conflict, Exhausted, Unavailable
from planes.model.spec.block_sizes import static_network_of
from planes.model.spec.plane_spec import Plane
from planes.run.backoff import Randomness
from planes.run.clock import Clock
from planes.run.locks import KeyedLocks
from planes.store.plane_addresses import is_useless
from planes.store.protocol import AddressOwner, Held

_log = logging.getLogger(__name__)


class StaticAddresses:
    """Static addresses of this node's attachments.

    Args:
        ledger: the holders of all static addresses in the cluster.
        records: what this node's attachments may hold.
        clock: tells the time, paces retries.
        randomness: spreads retries.
        locks: one for each owner's record; whoever edits a record holds its lock.
    """

    def __init__(
        self,
        ledger: StaticLedger,
        records: StaticRecords,
        clock: Clock,
        randomness: Randomness,
        *,
        locks: KeyedLocks,
    ) -> None:
        self._ledger = ledger
        self._records = records
        self._clock = clock
        self._locks = locks
        self._releases = StaticReleases(ledger, records, clock, self._locks, randomness)
        self._choice = StaticChoice(ledger, records, self._releases, clock)
        self._seen: dict[str, Holders] = {}

    async def claim(
        self,
        plane: Plane,
        owner: AddressOwner,
        wanted: Sequence[IPAddress],
        candidates: Sequence[IPAddress],
        *,
        claim: str = "",
    ) -> tuple[IPAddress, ...]:
        """Take all wanted addresses, or else one candidate of each family.

        Args:
            plane: their plane.
            owner: the attachment.
            wanted: to take all of them.
            candidates: where none are wanted.
            claim: the IPAMClaim for which some may be kept.

        Raises:
            Conflict: a wanted address has another holder, or is in a node's block.
            Exhausted: no candidate of a family is free.
            PlanesError: the API server or this node's disk cannot be used.
        """
        key = (plane.name, owner.container_id, owner.interface)
        async with self._locks.hold(key):
            old = (await self._records.load()).get(key)
            intent, writes = _intent(plane, owner, (*wanted, *candidates), old), self._ledger.writes
            await self._records.put(intent)
            try:
                chosen = await self._choice.choose(
                    plane, owner, wanted, candidates, intent.addresses, claim=claim
                )
                await self._releases.give_up_others(old, chosen)
            except BaseException as error:
                if old is None and self._ledger.writes == writes:
                    # Else a pod that is tried again for hours leaves a record each time.
                    await self._records.forget(key)
                elif not intent.addresses:
                    is_unsure = not isinstance(error, Conflict | Exhausted)
                    await self._releases.leave(replace(intent, is_unsure=is_unsure))
                raise
            networks = tuple(dict.fromkeys(map(static_network_of, chosen)))
            await self._records.put(replace(intent, networks=networks, addresses=chosen))
            return chosen

    async def run(self) -> None:
        """Remove released addresses from the API server, until cancelled."""
        await self._releases.run()

    async def give_back(self, *, waits: bool = True) -> None:
        """Remove from the API server what was released and still has its holder there.

        Args:
            waits: what still rests is left for later.

        Raises:
            PlanesError: not all of it was removed; the rest is tried again.
        """
        await self._releases.give_back(waits=waits)

    async def borrowed(self, plane: Plane, owner: AddressOwner) -> tuple[IPAddress, ...]:
        """Return the addresses that an attachment has borrowed already and may keep.

        Raises:
            Unavailable: the records cannot be read.
        """
        key = (plane.name, owner.container_id, owner.interface)
        record = (await self._records.load()).get(key)
        if record is None or record.is_leaving or not record.is_borrowed:
            return ()
        return tuple(address for address in record.addresses if not is_useless(plane, address))

    async def borrow(
        self,
        plane: Plane,
        owner: AddressOwner,
        kept: Sequence[IPAddress],
        candidates: Sequence[IPAddress],
    ) -> IPAddress | None:
        """Take one of several addresses that blocks lend; None where others were faster.

        Args:
            plane: their plane.
            owner: the attachment.
            kept: what it has borrowed already: of the other family.
            candidates: in the order of preference.

        Raises:
            PlanesError: the API server or this node's disk cannot be used.
        """
        key = (plane.name, owner.container_id, owner.interface)
        async with self._locks.hold(key):
            old = (await self._records.load()).get(key)
            intent = replace(
                _intent(plane, owner, (*kept, *candidates), old),
                is_borrowed=True,
                cooldown_seconds=float(plane.cooldown_seconds),
            )
            await self._records.put(intent)
            try:
                attempt = self._choice.attempt(plane, owner, candidates, intent.addresses)
                found = await attempt.first_free(await self._releases.leaving(plane.name))
                chosen = (*kept, *([] if found is None else [found]))
                await self._releases.give_up_others(old, chosen)
            except BaseException as error:
                if not intent.addresses:
                    is_unsure = not isinstance(error, Conflict | Exhausted)
                    await self._releases.leave(replace(intent, is_unsure=is_unsure))
                raise
            if found is None and not intent.addresses:
                await self._releases.leave(intent)
            elif found is not None:
                networks = tuple(dict.fromkeys(map(static_network_of, chosen)))
                await self._records.put(replace(intent, networks=networks, addresses=chosen))
            return found

    async def release(self, plane: str, container_id: str, interface: str) -> None:
        """Release what an attachment holds, without a request to the API server.

        Raises:
            Unavailable: it could not be recorded.
        """
        key = (plane, container_id, interface)
        if key not in await self._records.load():
            return
        async with self._locks.hold(key):
            record = (await self._records.load()).get(key)
            if record is not None:
                # A claim without an outcome that no longer runs: of an earlier start.
                is_unsure = record.is_unsure or not (record.addresses or record.is_leaving)
                await self._releases.leave(replace(record, is_unsure=is_unsure))

    async def holders(self, plane: str) -> Mapping[IPAddress, AddressOwner]:
        """Return holders of a plane's static addresses; without the API server, as last seen."""
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
        """Return what this node's records hold, unreleased, for attachments other than these.

        Raises:
            Unavailable: the records cannot be read.
        """
        return tuple(
            Held(record.plane, record.owner, record.addresses, "")
            for record in (await self._records.load()).values()
            if not record.is_leaving and record.key[1:] not in known
        )


def _intent(
    plane: Plane, owner: AddressOwner, asked: Sequence[IPAddress], old: StaticRecord | None
) -> StaticRecord:
    """Return the record to write before the first request to the API server."""
    networks = dict.fromkeys(map(static_network_of, asked))
    networks.update(dict.fromkeys(old.networks if old is not None else ()))
    held = old.addresses if old is not None and not old.is_leaving else ()
    return StaticRecord(plane.name, owner, tuple(networks), held)
