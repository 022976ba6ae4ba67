"""The daemon's last work on a node: giving back what can be given back, and telling what cannot.

Invariant: a sandbox that still runs keeps what it has, unless its planes are to be taken out now:
an address is given back only when its interface is gone. The default network of a running sandbox
is always left alone: its own plugin gets the DEL from now on.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from cni.entry import Damaged, Entry, Stage, whose
from cni.gate import Gate
from cni.journal import Journal
from cni.leave import Leaver
from cni.orphans import Orphans
from cni.recovery import Recovery
from cni.serving.spool import Spool
from planes.model.errors import PlanesError
from planes.run.logs import bind

_log = logging.getLogger(__name__)


class Retirement:
    """Empties the journal as far as the sandboxes of the node allow."""

    def __init__(
        self,
        journal: Journal,
        recovery: Recovery,
        spool: Spool,
        leaver: Leaver,
        *,
        orphans: Orphans,
        gate: Gate,
    ) -> None:
        self._orphans = orphans
        self._journal = journal
        self._recovery = recovery
        self._spool = spool
        self._leaver = leaver
        self._gate = gate

    async def retire(self, *, takes_out: bool) -> tuple[Entry | Damaged, ...]:
        """Finish what was begun, give back what sandboxes that are gone held; who is left.

        That is also who is known by what remains of a damaged entry alone.

        Args:
            takes_out: take the planes out of the sandboxes that still run.

        Raises:
            PlanesError: the journal cannot be read or written.
        """
        await self._journal.open()
        await self._recovery.start()
        undone = (await self._spool.replay()).failed
        left: list[Entry | Damaged] = [*await self._orphans.retire(takes_out=takes_out)]
        for entry in self._journal.entries():
            async with self._gate.call(entry.container_id):
                remains = await self._look_at(entry, takes_out)
            if remains is not None:
                left.append(remains)
        if undone and not left:
            # They wait for a default network, which may never come back; nothing else is to wait.
            _log.error("spooled DELs are given up", extra={"files": undone})
        return tuple(left)

    async def _look_at(self, entry: Entry, takes_out: bool) -> Entry | None:
        """Give back what an entry allows; it, where something is left."""
        if entry.stage is Stage.LEAVING:
            return await self._leave(entry)
        if not await self._leaver.is_alive(entry.netns, entry.netns_inode):
            return await self._leave(entry)
        planes = tuple(one for one in entry.attachments if not one.is_default)
        if planes and not takes_out:
            return entry
        if planes:
            return await self._leave(replace(entry, attachments=planes))
        await self._journal.forget(entry.key)
        return None

    async def _leave(self, entry: Entry) -> Entry | None:
        with bind(**whose(entry)):
            _log.info("giving back")
            try:
                await self._leaver.leave(entry)
            except PlanesError as error:
                _log.error("cannot give back", extra={"reason": str(error)})
                return entry
        return self._journal.find(entry.key)
