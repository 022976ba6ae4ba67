"""Released static and borrowed addresses: removed from the API server when it answers.

Invariant: a release is recorded on this node first. Only the entry of that very attachment is
removed, and a borrowed address not before it has rested. Where the outcome of a claim is not known,
its request may arrive after the release: its blocks are looked at again when that is past.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from planes.kube.addresses.holders import Identity, drop, identity_of
from planes.kube.addresses.static_ledger import StaticLedger
from planes.kube.addresses.static_records import Key, StaticRecord, StaticRecords
from planes.model.addresses import IPAddress
from planes.model.errors import PlanesError, Unavailable
from planes.run.backoff import Backoff, Randomness
from planes.run.clock import Clock
from planes.run.locks import KeyedLocks
from planes.run.wake import wait_either

_log = logging.getLogger(__name__)

_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 10.0
LATE_SECONDS: Final = 75.0
"""An API server ends a request after 60 s (kube-apiserver --request-timeout)."""


class StaticReleases:
    """Releases of this node's attachments.

    Args:
        ledger: the holders of all static addresses in the cluster.
        records: what this node's attachments may hold.
        clock: tells the time, paces retries.
        locks: one for each attachment, held while it claims or is released.
        randomness: spreads retries.
    """

    def __init__(
        self,
        ledger: StaticLedger,
        records: StaticRecords,
        clock: Clock,
        locks: KeyedLocks,
        randomness: Randomness,
    ) -> None:
        self._ledger = ledger
        self._records = records
        self._clock = clock
        self._locks = locks
        self._backoff = Backoff(
            _FIRST_PAUSE, _LONGEST_PAUSE, jitter=(0.7, 1.3), randomness=randomness
        )
        self._released = asyncio.Event()

    async def leave(self, record: StaticRecord) -> None:
        """Record that an attachment was released; its lock is held.

        Raises:
            Unavailable: it could not be recorded.
        """
        rest = record.cooldown_seconds if record.is_borrowed and record.addresses else 0.0
        if record.is_leaving and not record.addresses and not record.is_unsure:
            return  # its blocks are looked at once more
        rests_until = self._clock.now() + rest if rest else 0.0
        await self._records.put(replace(record, is_leaving=True, rests_until=rests_until))
        self._released.set()

    async def leaving(self, plane: str) -> Callable[[Identity], bool]:
        """Return what reports whether an attachment of this node was released, and has rested."""
        records = await self._records.load()

        def is_leaving(identity: Identity) -> bool:
            record = records.get((plane, *identity[1:]))
            if record is None or not record.is_leaving or identity_of(record.owner) != identity:
                return False
            # Without addresses no pod had any: nothing rests.
            return not record.addresses or not record.left(self._clock.now())

        return is_leaving

    async def give_up_others(self, record: StaticRecord | None, kept: Sequence[IPAddress]) -> None:
        """Remove an attachment from the holders of all its blocks, except of the kept addresses.

        Raises:
            PlanesError: the API server cannot be used.
        """
        if record is None:
            return
        identity = identity_of(record.owner)
        for network in record.networks:
            await self._ledger.change(
                record.plane, network, lambda holders: drop(holders, identity, but=kept)
            )

    async def run(self) -> None:
        """Remove released addresses from the API server, until cancelled."""
        while True:
            self._released.clear()
            try:
                await self.give_back()
            except PlanesError as error:
                _log.warning("cannot give back static addresses yet", extra={"error": str(error)})
                await self._clock.sleep(self._backoff.next())
            else:
                self._backoff.reset()
                await self._until_due()

    async def _until_due(self) -> None:
        """Wait until something is released, or has rested."""
        now = self._clock.now()
        left = [rest for r in (await self._records.load()).values() if (rest := r.left(now))]
        await wait_either(self._released, self._clock, min(left, default=None))

    async def give_back(self, *, waits: bool = True) -> None:
        """Remove from the API server what was released and still has its holder there.

        Args:
            waits: what still rests is left for later.

        Raises:
            PlanesError: not all of it was removed; the rest is tried again.
        """
        failed: PlanesError | None = None
        for record in tuple((await self._records.load()).values()):
            try:
                is_resting = waits and record.left(self._clock.now())
                if record.is_leaving and not is_resting:
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
            await self.give_up_others(record, ())
            if not record.is_unsure:
                await self._records.forget(key)
                return
            until = self._clock.now() + LATE_SECONDS
            again = replace(
                record,
                addresses=(),
                is_unsure=False,
                cooldown_seconds=LATE_SECONDS,
                rests_until=until,
            )
            await self._records.put(again)
