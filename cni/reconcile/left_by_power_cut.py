"""Release host-local addresses of sandboxes that a power cut ended, where their entry is lost too.

A journal entry that names nothing which outlives the sandbox is not synced (decision 0038), so a
power cut may take it and leave the address file. Once for each boot of the machine, the directories
that our host-local has used are searched for addresses without a journal entry.

Invariant: an address is released only after `GRACE_SECONDS` without an entry, and while no
interface in any network namespace has it: another CNI may keep its addresses there as well.
"""

from __future__ import annotations

import logging
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from typing import Final

from cni.host.unwritable import unwritable
from cni.ipam.kept import Kept, KeptAddresses
from cni.ipam.used_networks import UsedNetworks
from cni.journal.journal import Journal
from cni.net.live_addresses import Live
from cni.serving.call_locks import CallLocks
from planes.run.clock import Clock
from planes.run.files import read_regular, replace
from planes.run.jobs import start
from planes.run.shielded import shielded

_log = logging.getLogger(__name__)

GRACE_SECONDS: Final = 60.0
BOOT_MARKER: Final = "boot"
"""The file in the state directory that says for which boot this was done."""
_LONGEST_BOOT_ID: Final = 64


class LeftByPowerCut:
    """Searches once for each boot.

    Args:
        journal: the entries of what is attached.
        kept: reads and removes address files.
        used: the directories that our host-local has used.
        live: lists the addresses of all interfaces.
        call_locks: exclude a running call of a sandbox.
        clock: for the grace.
        boot: boot ID of the machine; "" where unknown: then nothing is searched.
        marker: the file that names the last boot for which this was done.
        files: runs the searches; None for the default executor of the event loop.
    """

    def __init__(
        self,
        *,
        journal: Journal,
        kept: KeptAddresses,
        used: UsedNetworks,
        live: Live,
        call_locks: CallLocks,
        clock: Clock,
        boot: str,
        marker: Path,
        files: Executor | None = None,
    ) -> None:
        self._journal = journal
        self._kept = kept
        self._used = used
        self._live = live
        self._call_locks = call_locks
        self._clock = clock
        self._boot = boot
        self._marker = marker
        self._files = files
        self._found: list[Kept] | None = None
        self._since = 0.0
        self._is_over = not boot

    async def reconcile(self) -> None:
        """Search at the first call in a boot; release what is still left after the grace.

        Raises:
            PlanesError: files or namespaces cannot be read; nothing is released then.
        """
        if self._is_over:
            return
        now = self._clock.monotonic()
        if self._found is None:
            self._found = await shielded(start(self._search, self._files))
            self._since = now
        left = [one for one in self._found if not self._is_attached(one)]
        if left and now - self._since < GRACE_SECONDS:
            return
        if left:
            live = await self._live.addresses(entry.netns for entry in self._journal.entries())
            for one in left:
                if one.address not in live:
                    await self._release(one)
        await shielded(start(self._mark, self._files))
        self._is_over = True

    def _search(self) -> list[Kept]:
        return [] if self._is_marked() else self._kept.within(self._used.directories())

    def _is_marked(self) -> bool:
        try:
            return read_regular(self._marker, _LONGEST_BOOT_ID).decode() == self._boot
        except (OSError, ValueError):
            return False

    def _mark(self) -> None:
        if self._is_marked():
            return
        try:
            replace(self._marker, self._boot.encode())
        except OSError as error:
            raise unwritable("the boot ID", self._marker, error) from error

    async def _release(self, one: Kept) -> None:
        async with self._call_locks.sandbox(one.container_id):
            if self._is_attached(one):
                return
            await shielded(start(partial(self._kept.give_back, [one]), self._files))
        _log.warning(
            "gave back an address that a power cut left",
            extra={"container_id": one.container_id, "ips": [str(one.address)]},
        )

    def _is_attached(self, one: Kept) -> bool:
        return any(entry.container_id == one.container_id for entry in self._journal.entries())
