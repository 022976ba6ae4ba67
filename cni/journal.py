"""The on-disk record of what we attached: one file per ADD call, written before its first step.

Invariant: at every instant the directory holds, per call, either no entry or one whole entry
(temporary file, fsync, rename). A new entry's name is synced too; for a later stage of it the
older stage is as good, since after a power loss no sandbox is left and `begun` means "undo".
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from cni.entry import Damaged, Entry, Key, Stage, decode, encode, salvage
from planes.model.errors import CniCode, Internal, PlanesError
from planes.run.jobs import ended, start

_log = logging.getLogger(__name__)

T = TypeVar("T")

_SUFFIX: Final = ".json"
_TEMPORARY: Final = ".tmp"
_LONGEST_NAME: Final = 200


class Journal:
    """Entries in a directory of ours, and in memory since `open`; writes run in threads.

    Args:
        directory: made if absent, 0700.
        executor: where files are written; None = the event loop's own threads.
    """

    def __init__(self, directory: Path, executor: Executor | None = None) -> None:
        self._directory = directory
        self._executor = executor
        self._entries: dict[Key, Entry] = {}
        self._damaged: dict[Path, Damaged] = {}

    def __len__(self) -> int:
        """Count the calls remembered."""
        return len(self._entries)

    async def open(self) -> None:
        """Make the directory, drop unfinished temporary files, read what is there.

        Raises:
            Internal: the directory cannot be made or read.
        """
        entries, self._damaged = await self._in_thread(_open, self._directory)
        self._entries = {entry.key: entry for entry in entries}

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
        await self._in_thread(_unlink, self._path(key))
        self._entries.pop(key, None)

    def find(self, key: Key) -> Entry | None:
        """Give a call's record."""
        return self._entries.get(key)

    def take_damaged(self, key: Key) -> Damaged | None:
        """Give what is known of a call whose record was damaged, once."""
        return self._damaged.pop(self._path(key), None)

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

    def _path(self, key: Key) -> Path:
        name = "@".join(key)
        if len(name.encode()) > _LONGEST_NAME:
            name = hashlib.sha256(name.encode()).hexdigest()
        return self._directory / (name + _SUFFIX)

    async def _write(self, entry: Entry, *, is_new: bool) -> None:
        # What may be on disk is remembered even where the write was cancelled or failed half-way.
        if is_new:
            self._entries[entry.key] = entry
        await self._in_thread(_write, self._path(entry.key), entry, is_new)
        self._entries[entry.key] = entry

    async def _in_thread(self, work: Callable[..., T], *args: Any) -> T:
        return await ended(start(partial(work, *args), self._executor))


def _open(directory: Path) -> tuple[list[Entry], dict[Path, Damaged]]:
    entries: list[Entry] = []
    damaged: dict[Path, Damaged] = {}
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in directory.glob(f"*{_TEMPORARY}"):
            path.unlink()
        for path in sorted(directory.glob(f"*{_SUFFIX}"), key=lambda one: one.stat().st_mtime_ns):
            data = path.read_bytes()
            try:
                entries.append(decode(data))
            except PlanesError as error:
                damaged[path] = _put_aside(path, data, error)
    except OSError as error:
        raise _failed("open", directory, error) from error
    return entries, damaged


def _put_aside(path: Path, data: bytes, error: PlanesError) -> Damaged:
    kept = path.parent / "damaged" / path.name
    with suppress(OSError):
        kept.parent.mkdir(mode=0o700, exist_ok=True)
        path.rename(kept)
    damaged = Damaged(error.message, salvage(data), str(kept))
    _log.error(
        "journal entry is damaged: its addresses may have to be released by hand",
        extra={"file": damaged.kept, "reason": damaged.reason, "ifnames": damaged.ifnames},
    )
    return damaged


def _write(path: Path, entry: Entry, is_new: bool) -> None:
    temporary = path.with_suffix(_TEMPORARY)
    try:
        _write_synced(temporary, encode(entry))
        temporary.rename(path)
        if is_new:
            _sync_directory(path.parent)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise _failed("write", path, error) from error


def _unlink(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise _failed("remove", path, error) from error


def _write_synced(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _failed(verb: str, path: Path, error: OSError) -> Internal:
    return Internal(
        f"cannot {verb} the journal {path}: {error.strerror or error}",
        remedy="make room and check the permissions of the state directory",
        code=CniCode.IO,
    )
