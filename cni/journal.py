"""The on-disk record of what we attached: one file per ADD call, written before its first step.

Invariant: at every instant the directory holds, per call, either no entry or one whole entry
(temporary file, fsync, rename). A new entry's name is synced too; for a later stage of it the
older stage is as good, since after a power loss no sandbox is left and `begun` means "undo".
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from cni.entry import Damaged, Entry, Key, Stage
from cni.journal_files import (
    entry_path,
    read_entries,
    remove_damaged,
    remove_entry,
    write_entry,
)
from planes.run.jobs import ended, start

T = TypeVar("T")


class Journal:
    """Entries in a directory of ours, and in memory since `open`; writes run in threads.

    Args:
        directory: made if absent, 0700.
        executor: where files are written; None = the event loop's own threads.
        boot: which start of the machine this is; "" where that is not known.
    """

    def __init__(
        self, directory: Path, executor: Executor | None = None, *, boot: str = ""
    ) -> None:
        self._directory = directory
        self._executor = executor
        self._boot = boot
        self._entries: dict[Key, Entry] = {}
        self._damaged: tuple[Damaged, ...] = ()

    def __len__(self) -> int:
        """Count the calls remembered."""
        return len(self._entries)

    async def open(self) -> None:
        """Make the directory, drop unfinished temporary files, read what is there.

        Raises:
            Internal: the directory cannot be made or read.
        """
        found = await self._in_thread(read_entries, self._directory)
        self._damaged = found.damaged
        self._entries = {entry.key: entry for entry in found.entries}

    async def begin(self, entry: Entry) -> None:
        """Record a call, durably, before anything is done for it.

        Raises:
            Internal: it could not be written; nothing may be attached then.
        """
        await self._write(entry, is_new=True)

    async def update(self, entry: Entry) -> None:
        """Record the next stage of a call; one that was never begun is as durable as `begin`.

        Raises:
            Internal: it could not be written; the older stage stands.
        """
        await self._write(entry, is_new=entry.key not in self._entries)

    async def forget(self, key: Key) -> None:
        """Remove a call's record; none there is fine.

        Raises:
            Internal: it could not be removed.
        """
        await self._in_thread(remove_entry, entry_path(self._directory, key))
        self._entries.pop(key, None)

    def find(self, key: Key) -> Entry | None:
        """Give a call's record."""
        return self._entries.get(key)

    def damaged(self) -> tuple[Damaged, ...]:
        """Give what is known of calls whose records were damaged."""
        return self._damaged

    def find_damaged(self, key: Key) -> Damaged | None:
        """Give what is known of a call whose record was damaged."""
        return next((one for one in self._damaged if one.key == key), None)

    async def settle(self, damaged: Damaged) -> None:
        """Forget a damaged record: what its call held was given back.

        Raises:
            Internal: it could not be removed.
        """
        await self._in_thread(remove_damaged, damaged)
        self._damaged = tuple(one for one in self._damaged if one.kept != damaged.kept)

    def is_of_former_boot(self, entry: Entry) -> bool:
        """Tell whether a call was begun before the machine was started last, surely."""
        return "" not in {entry.boot, self._boot} and entry.boot != self._boot

    def cut_off(self, container_id: str) -> tuple[Entry, ...]:
        """Give the calls of a sandbox that were begun and never came to an end.

        The caller holds the sandbox: nobody carries them out now.
        """
        return tuple(
            entry
            for key, entry in self._entries.items()
            if key[0] == container_id and entry.stage is Stage.BEGUN
        )

    def entries(self) -> tuple[Entry, ...]:
        """Give all calls, oldest first."""
        return tuple(self._entries.values())

    def siblings(self, entry: Entry) -> tuple[Entry, ...]:
        """Give the other attached calls of the same pod and sandbox (another network of ours)."""
        return tuple(
            other
            for key, other in self._entries.items()
            if key[0] == entry.container_id
            and key != entry.key
            and (other.namespace, other.pod) == (entry.namespace, entry.pod)
            and other.stage is Stage.ATTACHED
        )

    def holds_pod(self, namespace: str, pod: str, *, but: Key) -> bool:
        """Tell whether another call than `but` has the pod attached, and is not on its way out."""
        return any(
            (entry.namespace, entry.pod) == (namespace, pod)
            and key != but
            and entry.stage is not Stage.LEAVING
            for key, entry in self._entries.items()
        )

    async def _write(self, entry: Entry, *, is_new: bool) -> None:
        known = self._entries.get(entry.key)
        entry = replace(entry, boot=self._boot if known is None else known.boot)
        # What may be on disk is remembered even where the write was cancelled or failed half-way.
        if is_new:
            self._entries[entry.key] = entry
        path = entry_path(self._directory, entry.key)
        await self._in_thread(write_entry, path, entry, is_new)
        self._entries[entry.key] = entry

    async def _in_thread(self, work: Callable[..., T], *args: Any) -> T:
        return await ended(start(partial(work, *args), self._executor))
