"""The on-disk record of what we attached: one file per ADD call, written before any plugin runs.

Invariant: while the machine runs, the directory has, per call, either no entry or one whole entry
(temporary file, rename); a kill while a stage is appended may leave a damaged one. After a power
cut, an entry that was synced is whole, in one of its stages; any other may be gone or damaged
(decision 0038). The directory is synced for a new entry only: no sandbox is left then, and an entry
of any stage is torn down.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from cni.journal.damaged import Damaged
from cni.journal.entry import Entry, Key, Stage
from cni.journal.files import (
    entry_path,
    grow_entry,
    read_entries,
    remove_damaged,
    remove_entry,
    write_entry,
)
from planes.run.jobs import start
from planes.run.shielded import shielded

T = TypeVar("T")


class Journal:
    """Entries in a directory, and in memory since `open`; writes run in threads.

    Args:
        directory: created with mode 0700 if absent.
        executor: runs the writes; None for the default executor of the event loop.
        boot: boot ID of the machine; "" where unknown.
    """

    def __init__(
        self, directory: Path, executor: Executor | None = None, *, boot: str = ""
    ) -> None:
        self._directory = directory
        self._executor = executor
        self._boot = boot
        self._entries: dict[Key, Entry] = {}
        self._damaged: tuple[Damaged, ...] = ()

    @property
    def boot(self) -> str:
        """The boot ID that new entries get."""
        return self._boot

    def __len__(self) -> int:
        """Return the number of entries."""
        return len(self._entries)

    async def open(self) -> None:
        """Create the directory, remove unfinished temporary files and read all entries.

        Raises:
            Internal: the directory cannot be created or read.
        """
        found = await self._in_thread(read_entries, self._directory)
        self._damaged = found.damaged
        self._entries = {entry.key: entry for entry in found.entries}

    async def begin(self, entry: Entry, *, is_synced: bool = True) -> None:
        """Record a call, before any plugin runs.

        Args:
            entry: the call.
            is_synced: the entry is on the disk when this returns; False where a power cut, which
                may take it, ends all that it names as well.

        Raises:
            Internal: it could not be written; nothing may be attached then.
        """
        await self._write(entry, is_new=True, is_synced=is_synced)

    def beginning(self, entry: Entry) -> Callable[[], None]:
        """Record a call as `begin` does, unsynced; return what writes it, for a thread.

        The call is in the journal from now on.
        """
        entry = replace(entry, boot=self._boot)
        self._entries[entry.key] = entry
        return partial(write_entry, entry_path(self._directory, entry.key), entry, True, False)

    def write_stage(self, entry: Entry) -> None:
        """Record a later stage of a call in the journal, in the same file and unsynced; blocks.

        Raises:
            Internal: it could not be written; the earlier stage stays.
        """
        known = self._entries[entry.key]
        entry = replace(entry, boot=known.boot)
        grow_entry(entry_path(self._directory, entry.key), entry)
        self._entries[entry.key] = entry  # no new key: a loop over the entries may be running

    def remove_file(self, key: Key) -> None:
        """Remove the file of a call's entry, before `forget`; blocks.

        Raises:
            Internal: it could not be removed.
        """
        remove_entry(entry_path(self._directory, key))

    async def update(self, entry: Entry, *, is_synced: bool = True) -> None:
        """Record a later stage of a call; one without an entry is written as by `begin`.

        Args:
            entry: the call.
            is_synced: as of `begin`, of which it must be the same.

        Raises:
            Internal: it could not be written; the earlier stage stays.
        """
        is_new = entry.key not in self._entries
        await self._write(entry, is_new=is_new, is_synced=is_synced)

    async def forget(self, key: Key, *, is_removed: bool = False) -> None:
        """Remove a call's entry; a missing one is no error.

        Args:
            key: the call.
            is_removed: its file is removed already.

        Raises:
            Internal: it could not be removed.
        """
        if not is_removed:
            await self._in_thread(remove_entry, entry_path(self._directory, key))
        self._entries.pop(key, None)

    def find(self, key: Key) -> Entry | None:
        """Return a call's entry."""
        return self._entries.get(key)

    def damaged(self) -> tuple[Damaged, ...]:
        """Return the damaged entries."""
        return self._damaged

    def find_damaged(self, key: Key) -> Damaged | None:
        """Return the damaged entry of a call."""
        return next((one for one in self._damaged if one.key == key), None)

    async def forget_damaged(self, damaged: Damaged) -> None:
        """Remove a damaged entry, once the addresses of its call are released.

        Raises:
            Internal: it could not be removed.
        """
        await self._in_thread(remove_damaged, damaged)
        self._damaged = tuple(one for one in self._damaged if one.kept != damaged.kept)

    def is_of_earlier_boot(self, entry: Entry) -> bool:
        """Report whether a call is known to be of an earlier boot of the machine."""
        return "" not in {entry.boot, self._boot} and entry.boot != self._boot

    def unfinished(self, container_id: str) -> tuple[Entry, ...]:
        """Return the calls of a sandbox whose ADD was interrupted.

        The caller has locked the sandbox, so no ADD of it is running.
        """
        return tuple(
            entry
            for key, entry in self._entries.items()
            if key[0] == container_id and entry.stage is Stage.BEGUN
        )

    def entries(self) -> tuple[Entry, ...]:
        """Return all calls, oldest first."""
        return tuple(self._entries.values())

    def siblings(self, entry: Entry) -> tuple[Entry, ...]:
        """Return the other attached calls of the same pod and sandbox, e.g. of `/delegate`."""
        return tuple(
            other
            for key, other in self._entries.items()
            if key[0] == entry.container_id
            and key != entry.key
            and (other.namespace, other.pod) == (entry.namespace, entry.pod)
            and other.stage is Stage.ATTACHED
        )

    def has_pod(self, namespace: str, pod: str, *, but: Key) -> bool:
        """Report whether another call than `but` has the pod and is not being torn down."""
        return any(
            (entry.namespace, entry.pod) == (namespace, pod)
            and key != but
            and entry.stage is not Stage.LEAVING
            for key, entry in self._entries.items()
        )

    async def _write(self, entry: Entry, *, is_new: bool, is_synced: bool) -> None:
        known = self._entries.get(entry.key)
        entry = replace(entry, boot=self._boot if known is None else known.boot)
        # The file may be on disk even where the write fails or is cancelled.
        if is_new:
            self._entries[entry.key] = entry
        path = entry_path(self._directory, entry.key)
        await self._in_thread(write_entry, path, entry, is_new, is_synced)
        self._entries[entry.key] = entry

    async def _in_thread(self, work: Callable[..., T], *args: Any) -> T:
        return await shielded(start(partial(work, *args), self._executor))
