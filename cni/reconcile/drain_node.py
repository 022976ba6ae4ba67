"""Drain a node before uninstall: tear down what can be torn down, and return the rest.

Invariant: a running sandbox keeps its attachments, unless the drain is forced; an address is
released only after its interface is gone. The default network of a running sandbox is never
detached: the DEL goes to its own plugin once Netplane is uninstalled.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from cni.attaching.teardown import LONGEST_RETRY, Teardown
from cni.journal.damaged import Damaged
from cni.journal.entry import Entry, Stage, log_fields
from cni.journal.journal import Journal
from cni.reconcile.orphans import Orphans
from cni.reconcile.pending_removal import GivenUp, PendingRemoval
from cni.reconcile.reconciler import Reconciler
from cni.serving.call_locks import CallLocks
from cni.serving.spool import Spool
from planes.model.errors import PlanesError
from planes.run.logs import bind

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DrainResult:
    """The outcome of a drain.

    Attributes:
        left: entries of running sandboxes, and entries that could not be torn down.
        given_up: attachments that were dropped without being detached.
    """

    left: tuple[Entry | Damaged, ...] = ()
    given_up: tuple[GivenUp, ...] = ()


class NodeDrain:
    """Tears down the entries of the journal before uninstall."""

    def __init__(
        self,
        journal: Journal,
        reconciler: Reconciler,
        spool: Spool,
        teardown: Teardown,
        *,
        orphans: Orphans,
        call_locks: CallLocks,
        pending_removal: PendingRemoval,
    ) -> None:
        self._pending_removal = pending_removal
        self._orphans = orphans
        self._journal = journal
        self._reconciler = reconciler
        self._spool = spool
        self._teardown = teardown
        self._call_locks = call_locks

    async def drain(self, *, is_forced: bool) -> DrainResult:
        """Replay spooled DELs and tear down entries, damaged ones too; return what is left.

        Args:
            is_forced: detach planes from running sandboxes too, and drop what cannot be detached.

        Raises:
            PlanesError: the journal cannot be read or written.
        """
        await self._journal.open()
        await self._reconciler.recover()
        undone = (await self._spool.replay()).failed
        left: list[Entry | Damaged] = [*await self._orphans.drain(is_forced=is_forced)]
        given_up: list[GivenUp] = []
        for entry in self._journal.entries():
            async with self._call_locks.call(entry.container_id):
                remains = await self._drain_entry(entry, is_forced)
                if remains is not None and is_forced:
                    given_up += await self._pending_removal.drop(remains)
                elif remains is not None:
                    left.append(remains)
        for container_id in dict.fromkeys(one.container_id for one in given_up):
            await self._pending_removal.release_sandbox(container_id)
        if undone and not left:
            # They wait for a default network, which may never come back.
            _log.error("spooled DELs are given up", extra={"files": undone})
        return DrainResult(tuple(left), tuple(given_up))

    async def _drain_entry(self, entry: Entry, is_forced: bool) -> Entry | None:
        """Tear an entry down as far as allowed; return it where something is left."""
        if entry.stage is Stage.LEAVING:
            return await self._tear_down(entry)
        if not await self._teardown.is_alive(entry.netns, entry.netns_inode):
            return await self._tear_down(entry)
        planes = tuple(one for one in entry.attachments if not one.is_default)
        if planes and not is_forced:
            return entry
        if planes:
            return await self._tear_down(replace(entry, attachments=planes))
        await self._journal.forget(entry.key)
        return None

    async def _tear_down(self, entry: Entry) -> Entry | None:
        with bind(**log_fields(entry)):
            _log.info("giving back")
            try:
                await self._teardown.tear_down(entry, within=LONGEST_RETRY)
            except PlanesError as error:
                _log.error("cannot give back", extra={"reason": str(error)})
                return entry
        return self._journal.find(entry.key)
