"""The on-disk record of what we attached: one file per ADD call, written before its first step.

Invariant: at every instant the directory holds, per call, either no entry or one whole entry
(temporary file, fsync, rename). A new entry's name is synced too; for a later stage of it the
older stage is as good, since after a power loss no sandbox is left and `begun` means "undo".
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeVar

from cni.completion import complete
from cni.entry import Damaged, Entry, Key, decode, encode, salvage
from planes.model.errors import CniCode, Internal, PlanesError

_log = logging.getLogger(__name__)

T = TypeVar("T")

_SUFFIX: Final = ".json"
_TEMPORARY: Final = ".tmp"
_LONGEST_NAME: Final = 200


class Journal:
    """Entries in a directory of ours; blocking work runs in threads.

    Args:
        directory: made if absent, 0700.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._aside = directory / "damaged"
        self._pods: dict[Key, tuple[str, str]] = {}

    def __len__(self) -> int:
        """Count the calls remembered."""
        return len(self._pods)

    async def open(self) -> None:
        """Make the directory, drop unfinished temporary files and take stock.

        Raises:
            Internal: the directory cannot be made or read.
        """
        await _in_thread(self._open)

    async def begin(self, entry: Entry) -> None:
        """Record a call, durably, before anything is done for it.

        Raises:
            Internal: it could not be written; nothing may be attached then.
        """
        await _in_thread(self._write, entry, True)

    async def update(self, entry: Entry) -> None:
        """Replace the record of a call by its next stage.

        Raises:
            Internal: it could not be written; the older stage stands.
        """
        await _in_thread(self._write, entry, False)

    async def forget(self, key: Key) -> None:
        """Remove a call's record; none there is fine.

        Raises:
            Internal: it could not be removed.
        """
        await _in_thread(self._forget, key)

    async def read(self, key: Key) -> Entry | Damaged | None:
        """Give a call's record; a damaged one is put aside and told once."""
        return await _in_thread(self._read, self._path(key))

    async def entries(self) -> tuple[Entry, ...]:
        """Give all whole entries, oldest first; damaged ones are put aside."""
        return await _in_thread(self._entries)

    def holds_pod(self, namespace: str, pod: str, *, but: Key) -> bool:
        """Tell whether a remembered call other than `but` belongs to the pod."""
        return any(owner == (namespace, pod) and key != but for key, owner in self._pods.items())

    def keys(self) -> Iterable[Key]:
        """Give the identities of all remembered calls."""
        return tuple(self._pods)

    def _path(self, key: Key) -> Path:
        name = "@".join(key)
        if len(name.encode()) > _LONGEST_NAME:
            name = hashlib.sha256(name.encode()).hexdigest()
        return self._directory / (name + _SUFFIX)

    def _open(self) -> None:
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            for path in self._directory.glob(f"*{_TEMPORARY}"):
                path.unlink()
        except OSError as error:
            raise _failed("open", self._directory, error) from error
        self._entries()

    def _write(self, entry: Entry, is_new: bool) -> None:
        path = self._path(entry.key)
        temporary = path.with_suffix(_TEMPORARY)
        data = encode(entry)
        try:
            _write_synced(temporary, data)
            temporary.rename(path)
            if is_new:
                _sync_directory(self._directory)
        except OSError as error:
            with suppress(OSError):
                temporary.unlink()
            raise _failed("write", path, error) from error
        self._pods[entry.key] = entry.namespace, entry.pod

    def _forget(self, key: Key) -> None:
        path = self._path(key)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise _failed("remove", path, error) from error
        self._pods.pop(key, None)

    def _read(self, path: Path) -> Entry | Damaged | None:
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _failed("read", path, error) from error
        try:
            return decode(data)
        except PlanesError as error:
            return self._put_aside(path, data, error)

    def _put_aside(self, path: Path, data: bytes, error: PlanesError) -> Damaged:
        kept = self._aside / path.name
        with suppress(OSError):
            self._aside.mkdir(mode=0o700, exist_ok=True)
            path.rename(kept)
        damaged = Damaged(error.message, salvage(data), str(kept))
        _log.error(
            "journal entry is damaged: its addresses may have to be released by hand",
            extra={"file": damaged.kept, "reason": damaged.reason, "ifnames": damaged.ifnames},
        )
        return damaged

    def _entries(self) -> tuple[Entry, ...]:
        try:
            paths = sorted(
                self._directory.glob(f"*{_SUFFIX}"), key=lambda path: path.stat().st_mtime_ns
            )
        except OSError as error:
            raise _failed("list", self._directory, error) from error
        found = (self._read(path) for path in paths)
        entries = tuple(entry for entry in found if isinstance(entry, Entry))
        self._pods = {entry.key: (entry.namespace, entry.pod) for entry in entries}
        return entries


async def _in_thread(work: Callable[..., T], *args: Any) -> T:
    return await complete(asyncio.get_running_loop().run_in_executor(None, work, *args))


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
