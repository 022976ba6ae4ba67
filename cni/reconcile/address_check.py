"""Compare journal, address records, sandboxes and pods; repair records that are missing.

An attachment in the journal without its record could lose its address to another pod: its record is
made again. A record without an attachment is released by `cni.reconcile.orphans`. What cannot be
repaired is reported: an address that two attachments have.

Invariant: a record is made only under its sandbox's lock, while the journal has the attachment.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from cni.attaching.status_reports import StatusReporter
from cni.journal.entry import Entry, Stage
from cni.journal.journal import Journal
from cni.plugins.attachment import PlannedAttachment
from cni.reconcile.address_findings import AddressFinding, FindingKind
from cni.reconcile.lost_allocations import LostAllocations
from cni.serving.call_locks import CallLocks
from planes.model.addresses import IPAddress
from planes.model.errors import Conflict, PlanesError
from planes.model.events import about_node
from planes.model.spans import SpanSet
from planes.model.spec.blocks import askable
from planes.model.spec.plane_spec import IpamMode, Plane
from planes.model.state.claims import bare_address
from planes.run.clock import Clock
from planes.run.metrics import Metrics
from planes.store.plane_addresses import describe
from planes.store.protocol import AddressOwner, Held, Store

_log = logging.getLogger(__name__)

INTERVAL: Final = 30.0
REASON: Final = "AddressHeldTwice"
_MOST_EVENTS: Final = 16


@dataclass(frozen=True, slots=True)
class _Use:
    """The addresses of a plane that an attachment has."""

    entry: Entry
    plane: Plane
    owner: AddressOwner
    addresses: tuple[IPAddress, ...]


class AddressCheck:
    """Compares and repairs.

    Args:
        journal: what is attached.
        store: planes and their addresses.
        allocations: repairs files of host-local.
        call_locks: exclude a running call of a sandbox.
        reporter: writes events.
        clock: paces the comparisons.
        metrics: counts what is repaired.
        node: the name of this node.
        interval: seconds between two comparisons.
    """

    def __init__(
        self,
        *,
        journal: Journal,
        store: Store,
        allocations: LostAllocations,
        call_locks: CallLocks,
        reporter: StatusReporter,
        clock: Clock,
        metrics: Metrics,
        node: str,
        interval: float = INTERVAL,
    ) -> None:
        self._journal = journal
        self._store = store
        self._allocations = allocations
        self._call_locks = call_locks
        self._reporter = reporter
        self._clock = clock
        self._node = node
        self._interval = interval
        self._told: frozenset[tuple[str, str]] = frozenset()
        self._repaired = metrics.counter(
            "addresses_repaired", "addresses of running pods whose record was missing, made again"
        )
        self._twice = metrics.gauge(
            "addresses_held_twice", "addresses of running pods that another one holds, too"
        )

    async def run(self) -> None:
        """Compare on a timer until cancelled."""
        while True:
            try:
                await self.reconcile()
            except PlanesError as error:
                _log.warning("cannot compare addresses", extra={"error": str(error)})
            await self._clock.sleep(self._interval)

    async def reconcile(self) -> None:
        """Make missing records, and report addresses that two attachments have.

        Raises:
            PlanesError: records cannot be read or written.
        """
        records = await self._records()
        for use in tuple(self._uses()):
            if _missing(use, records):
                await self._repair(use)
        self._repaired.inc(await self._allocations.restore())
        self._report(tuple(self._doubled(await self._records())))

    async def findings(self) -> tuple[AddressFinding, ...]:
        """Return what `reconcile` would repair, and what it cannot; nothing is changed.

        Raises:
            PlanesError: records cannot be read.
        """
        records = await self._records()
        missing = (
            _finding(FindingKind.MISSING, use, address, "it is recorded again")
            for use in self._uses()
            for address in _missing(use, records)
        )
        return (*missing, *self._doubled(records), *await self._allocations.findings())

    async def _records(self) -> Mapping[tuple[str, IPAddress], AddressOwner]:
        held: Iterable[Held] = await self._store.addresses.held_by_others(frozenset())
        return {(one.plane, address): one.owner for one in held for address in one.addresses}

    def _uses(self) -> Iterator[_Use]:
        """Yield what attachments have, without those with a call at work."""
        for entry in self._journal.entries():
            if entry.stage is not Stage.ATTACHED or self._call_locks.is_busy(entry.container_id):
                continue
            for attachment in entry.attachments:
                yield from self._uses_of(entry, attachment)

    def _uses_of(self, entry: Entry, attachment: PlannedAttachment) -> Iterator[_Use]:
        owner = entry.call(attachment, "").owner
        texts = {name: list(held) for name, held in attachment.holds.items()}
        if attachment.plane and attachment.result is not None:
            texts[attachment.plane] = [ip.address for ip in attachment.result.ips]
        for name, found in texts.items():
            plane = self._store.catalog.plane(name)
            if plane is None or plane.ipam_mode is not IpamMode.PLANE:
                continue
            read = (bare_address(text) for text in found)
            addresses = tuple(a for a in read if a is not None and plane.subnet_of(a) is not None)
            yield _Use(entry, plane, owner, addresses)

    async def _repair(self, use: _Use) -> None:
        async with self._call_locks.sandbox(use.entry.container_id):
            if self._journal.find(use.entry.key) is not use.entry:
                return
            missing = _missing(use, await self._records())
            if not missing:
                return
            static = SpanSet(askable(use.plane))
            book, name = self._store.addresses, use.plane.name
            try:
                if all(address in static for address in use.addresses):
                    await book.claim(use.plane, use.owner, wanted=use.addresses)
                else:
                    cooldown = use.plane.cooldown_seconds
                    await book.hold(name, {use.owner: missing}, cooldown_seconds=cooldown)
            except Conflict as error:
                _log.error("an address has two holders", extra={"error": str(error)})
                return
        self._repaired.inc(len(missing))
        _log.warning(
            "recorded addresses of a running pod again",
            extra={
                "plane": name,
                "ips": [str(address) for address in missing],
                "holder": describe(use.owner),
            },
        )

    def _doubled(
        self, records: Mapping[tuple[str, IPAddress], AddressOwner]
    ) -> Iterator[AddressFinding]:
        for use in self._uses():
            for address in use.addresses:
                other = records.get((use.plane.name, address))
                if other is None or not other.container_id or _is_same(other, use.owner):
                    continue
                outlook = f"delete one of both: {describe(other)} holds it, too"
                yield _finding(FindingKind.TWICE, use, address, outlook)

    def _report(self, doubled: tuple[AddressFinding, ...]) -> None:
        self._twice.set(len(doubled))
        news = [one for one in doubled if (one.where, one.address) not in self._told]
        self._told = frozenset((one.where, one.address) for one in doubled)
        for one in news[:_MOST_EVENTS]:
            text = f"plane {one.where}: {one.holder} has {one.address}; {one.outlook}"
            _log.error("an address has two holders", extra={"cause": text})
            self._reporter.queue([about_node(self._node, REASON, text, warns=True)])


def _missing(
    use: _Use, records: Mapping[tuple[str, IPAddress], AddressOwner]
) -> tuple[IPAddress, ...]:
    return tuple(one for one in use.addresses if (use.plane.name, one) not in records)


def _is_same(one: AddressOwner, other: AddressOwner) -> bool:
    return (one.container_id, one.interface) == (other.container_id, other.interface)


def _finding(kind: FindingKind, use: _Use, address: IPAddress, outlook: str) -> AddressFinding:
    return AddressFinding(kind, use.plane.name, str(address), describe(use.owner), outlook)
