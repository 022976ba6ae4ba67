"""Release orphaned addresses: those without a journal entry, as files get damaged.

At start and on a timer, the plane addresses of this node and the allocations of host-local are
compared with the journal and with the interfaces of the node.

Invariant: an address is released only after it was orphaned for `GRACE_SECONDS`, while no interface
in any network namespace of the machine has it. One held for a pod whose records were lost stays as
long as its network-status, read live, has it. A sandbox with a damaged entry keeps its addresses
until DEL, as long as its network namespace exists.
"""

from __future__ import annotations

import logging
from collections.abc import Hashable, Iterable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Final

from cni.attaching.detacher import LinkRemover
from cni.attaching.teardown import Teardown
from cni.ipam.kept import Kept, KeptAddresses
from cni.journal.damaged import Damaged
from cni.journal.journal import Journal
from cni.net.live_addresses import Live
from cni.reconcile.left_by_power_cut import LeftByPowerCut
from cni.reconcile.shown_addresses import ShownAddresses
from cni.serving.call_locks import CallLocks
from planes.model.addresses import IPAddress
from planes.model.errors import PlanesError
from planes.run.clock import Clock
from planes.run.jobs import start
from planes.run.metrics import Metrics
from planes.run.shielded import shielded
from planes.store.plane_addresses import describe
from planes.store.protocol import AddressBook, Held

_log = logging.getLogger(__name__)

INTERVAL: Final = 30.0
GRACE_SECONDS: Final = 60.0


class Orphans:
    """Finds and releases orphaned addresses.

    Args:
        journal: the entries of what is attached.
        addresses: the plane addresses.
        kept: the allocations of host-local.
        left: releases those that a power cut left without an entry.
        live: lists the addresses of all interfaces.
        shown: reports whether network-status of a pod may have an address.
        teardown: reports whether a network namespace exists.
        kernel: removes links.
        node: the name of this node; records of other nodes are ignored.
        metrics: counts released addresses.
        shares_addresses: whether other daemons keep plane addresses in the same directory; the
            owner of an unreadable record is unknown then.
        files: runs the file searches; None for the default executor of the event loop.
        interval: seconds between two passes.
    """

    def __init__(
        self,
        *,
        journal: Journal,
        addresses: AddressBook,
        kept: KeptAddresses,
        left: LeftByPowerCut,
        live: Live,
        shown: ShownAddresses,
        teardown: Teardown,
        kernel: LinkRemover,
        call_locks: CallLocks,
        clock: Clock,
        node: str,
        metrics: Metrics,
        shares_addresses: bool = False,
        files: Executor | None = None,
        interval: float = INTERVAL,
    ) -> None:
        self._journal = journal
        self._addresses = addresses
        self._kept = kept
        self._left = left
        self._live = live
        self._shown = shown
        self._teardown = teardown
        self._kernel = kernel
        self._call_locks = call_locks
        self._clock = clock
        self._node = node
        self._shares_addresses = shares_addresses
        self._files = files
        self._interval = interval
        self._since: dict[Hashable, float] = {}
        self._released = metrics.counter(
            "addresses_leaked", "plane addresses that were held for nobody, and are released"
        )

    async def run(self) -> None:
        """Reconcile on a timer until cancelled."""
        while True:
            try:
                await self.reconcile()
                await self._left.reconcile()
            except PlanesError as error:
                _log.warning("cannot look for what nobody has", extra={"error": str(error)})
            await self._clock.sleep(self._interval)

    async def reconcile(self) -> None:
        """Release the addresses that were orphaned for `GRACE_SECONDS` and no interface has.

        Raises:
            PlanesError: records or namespaces cannot be read; nothing is released then.
        """
        held = {(one.plane, one.record, one.owner): one for one in await self._orphaned()}
        damaged = {one.kept: one for one in self._journal.damaged() if one.container_id}
        now = self._clock.monotonic()
        keys: tuple[Hashable, ...] = (*held, *damaged)
        self._since = {key: self._since.get(key, now) for key in keys}
        due = {key for key, since in self._since.items() if now - since >= GRACE_SECONDS}
        if not due:
            return
        live = await self._live.addresses(self._namespaces())
        running = {
            one.container_id for one in damaged.values() if await self._teardown.is_alive(one.netns)
        }
        for key, one in held.items():
            is_due = key in due and one.owner.container_id not in running
            if is_due and not await self._shown.may_have(one):
                await self._release(one, live)
        for kept, entry in damaged.items():
            if kept in due and entry.container_id not in running:
                await self._remove_damaged(entry, live)

    async def suspects(self) -> tuple[tuple[Held, float], ...]:
        """Return the records without a journal entry, and for how many seconds each is known.

        Raises:
            PlanesError: the records cannot be read.
        """
        now = self._clock.monotonic()
        return tuple(
            (one, now - self._since.get((one.plane, one.record, one.owner), now))
            for one in await self._orphaned()
        )

    async def release_damaged(self, damaged: Damaged, netns: str, *, is_alone: bool) -> None:
        """Remove the links and release the addresses of a damaged entry, as far as known, at DEL.

        Args:
            damaged: what is left of the entry.
            netns: path of its network namespace, "" where it is gone.
            is_alone: only the interface of the call, since the sandbox still runs.

        Raises:
            PlanesError: something is left; the DEL must be repeated.
        """
        only = {damaged.ifname} if is_alone else None
        held = [
            one
            for one in await self._orphaned()
            if one.owner.container_id == damaged.container_id
            and (only is None or one.owner.interface in only)
        ]
        kept = [
            one for one in await self._allocations(damaged) if only is None or one.ifname in only
        ]
        names = (
            *damaged.ifnames,
            *(one.owner.interface for one in held),
            *(one.ifname for one in kept),
        )
        await self._kernel.remove_links(netns, tuple(dict.fromkeys(filter(None, names))))
        for one in held:
            await self._addresses.give_back(one)
            _log_released(one)
        await self._forget(damaged, kept)

    async def release_sandbox(self, container_id: str) -> None:
        """Release the orphaned addresses of a sandbox at once, unless an interface has them.

        Raises:
            PlanesError: records or namespaces cannot be read; nothing is released then.
        """
        live = await self._live.addresses(self._namespaces())
        for held in await self._orphaned():
            if held.owner.container_id == container_id:
                await self._release(held, live)
        async with self._call_locks.sandbox(container_id):
            kept = await self._allocations(Damaged(container_id))
            going = [one for one in kept if one.address not in live]
            await shielded(start(partial(self._kept.give_back, going), self._files))

    async def drain(self, *, is_forced: bool) -> tuple[Damaged, ...]:
        """Release the addresses of damaged entries; return the entries of running sandboxes.

        Args:
            is_forced: tear down the running sandboxes too.

        Raises:
            PlanesError: records or namespaces cannot be read.
        """
        left = []
        live = await self._live.addresses(self._namespaces())
        for damaged in self._journal.damaged():
            if not damaged.container_id:
                continue
            is_alive = await self._teardown.is_alive(damaged.netns)
            if is_alive and not is_forced:
                left.append(damaged)
            elif is_alive:
                await self.release_damaged(damaged, damaged.netns, is_alone=False)
            else:
                for one in await self._orphaned():
                    if one.owner.container_id == damaged.container_id:
                        await self._release(one, live)
                await self._remove_damaged(damaged, live)
        return tuple(left)

    async def _release(self, held: Held, live: frozenset[IPAddress]) -> None:
        if not live.isdisjoint(held.addresses):
            return
        try:
            # Wait for a running call of the sandbox: its ADD may have claimed just these addresses.
            async with self._call_locks.sandbox(held.owner.container_id or held.record):
                found = await self._orphaned()
                if any((one.plane, one.record) == (held.plane, held.record) for one in found):
                    await self._addresses.give_back(held)
                    self._released.inc(len(held.addresses))
                    _log_released(held)
        except PlanesError as error:
            _log.warning("cannot give back what nobody has", extra={"error": str(error)})

    async def _remove_damaged(self, damaged: Damaged, live: frozenset[IPAddress]) -> None:
        """Release the addresses of a damaged entry whose sandbox is gone, and remove the entry."""
        try:
            async with self._call_locks.sandbox(damaged.container_id):
                kept = await self._allocations(damaged)
                if live.isdisjoint(one.address for one in kept):
                    await self._forget(damaged, kept)
        except PlanesError as error:
            _log.warning("cannot give back what nobody has", extra={"error": str(error)})

    async def _allocations(self, damaged: Damaged) -> list[Kept]:
        """Return the allocations of host-local for its sandbox, without those in the journal."""
        work = partial(self._kept.of, damaged.container_id, damaged.data_dirs)
        known = {ifname for owner, ifname in self._attached() if owner == damaged.container_id}
        return [one for one in await shielded(start(work, self._files)) if one.ifname not in known]

    async def _forget(self, damaged: Damaged, kept: Sequence[Kept]) -> None:
        """Release allocations of host-local, and remove the damaged entry."""
        await shielded(start(partial(self._kept.give_back, kept), self._files))
        await self._journal.forget_damaged(damaged)
        facts = {"container_id": damaged.container_id, "ifname": damaged.ifname}
        _log.warning("settled a damaged journal entry", extra=facts)

    async def _orphaned(self) -> tuple[Held, ...]:
        found = await self._addresses.held_by_others(frozenset(self._attached()))
        results = {
            (one.plane, ip.ip)
            for entry in self._journal.entries()
            for one in entry.attachments
            if one.result is not None
            for ip in one.result.ips
        }
        return tuple(
            one
            for one in found
            if self._is_ours(one)
            and not any((one.plane, str(address)) in results for address in one.addresses)
        )

    def _is_ours(self, held: Held) -> bool:
        if not held.owner.container_id:
            return not self._shares_addresses
        return held.owner.node in {"", self._node}

    def _attached(self) -> Iterable[tuple[str, str]]:
        for entry in self._journal.entries():
            for one in entry.attachments:
                yield entry.container_id, one.ifname

    def _namespaces(self) -> list[str]:
        known = [entry.netns for entry in self._journal.entries()]
        return [path for path in (*known, *(d.netns for d in self._journal.damaged())) if path]


def _log_released(held: Held) -> None:
    _log.warning(
        "gave back addresses that nobody has",
        extra={
            "plane": held.plane,
            "ips": [str(address) for address in held.addresses],
            "holder": describe(held.owner),
        },
    )
