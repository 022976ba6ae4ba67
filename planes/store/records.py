"""The network-status and the events of standalone mode, as files that every user may read.

`STATE/status/<namespace>/<pod>.json` holds the network-status list, `STATE/events.jsonl` one Event
object a line. Invariant: a status file is whole or absent; a call's event lines are one write.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Final
from urllib.parse import unquote

import orjson

from planes.model.errors import JsonObject, Unavailable
from planes.run.files import file_name, read_regular, remove, replace, set_aside

# Some 20,000 events; the one before is kept as events.jsonl.1.
MAX_EVENT_BYTES: Final = 8 * 1024 * 1024

_MAX_STATUS_BYTES: Final = 4 << 20  # the most that a pod's results may have

PodKey = tuple[str, str]
Stamp = tuple[int, int, int]
Written = tuple[str, Stamp]
"""A file by its path, and its stamp after the write."""


class StatusFiles:
    """The network-status of pods, one file each."""

    def __init__(self, state_dir: Path) -> None:
        self._directory = state_dir / "status"
        # A namespace's directory is made with its first file and removed with its last.
        self._directories = Lock()
        self._seen: dict[str, Stamp] = {}
        self._texts: dict[PodKey, str] = {}

    def path(self, namespace: str, name: str) -> Path:
        """Return the file of a pod."""
        return self._directory / file_name(namespace) / f"{file_name(name)}.json"

    def put(self, namespace: str, name: str, status: str) -> Written:
        """Write a pod's network-status; return what to `note`.

        Raises:
            Unavailable: it could not be written.
        """
        path = self.path(namespace, name)
        try:
            with self._directories:
                replace(path, status.encode(), is_durable=False, mode=0o644)
            return str(path), _stamp(path.stat())
        except OSError as error:
            raise Unavailable(
                f"cannot write the network-status of pod {namespace}/{name}: {error.strerror}",
                remedy=f"look at free space and permissions of {self._directory}",
            ) from error

    def drop(self, namespace: str, name: str) -> str:
        """Remove a pod's network-status; none there is fine. Return the path to `forget`.

        Raises:
            Unavailable: it could not be removed.
        """
        path = self.path(namespace, name)
        try:
            remove(path)
        except OSError as error:
            raise Unavailable(
                f"cannot remove the network-status of pod {namespace}/{name}: {error.strerror}"
            ) from error
        with self._directories, suppress(OSError):  # others of the namespace may still be there
            path.parent.rmdir()
        return str(path)

    def note(self, key: PodKey, status: str, written: Written) -> None:
        """Count a write of ours as seen, so that the next look finds no change.

        A look that runs in another thread meanwhile replaces this; the next one finds the change.
        """
        path, stamp = written
        self._seen = {**self._seen, path: stamp}
        self._texts = {**self._texts, key: status}

    def forget(self, key: PodKey, path: str) -> None:
        """Count a removal of ours as seen, as `note` does."""
        self._seen = {known: stamp for known, stamp in self._seen.items() if known != path}
        self._texts = {known: text for known, text in self._texts.items() if known != key}

    def refresh(self) -> bool:
        """Look at the files again; report whether any changed."""
        seen: dict[str, Stamp] = {}
        texts: dict[PodKey, str] = {}
        for key, entry in self._entries():
            try:
                stamp = _stamp(entry.stat())
                is_same = self._seen.get(entry.path) == stamp and key in self._texts
                texts[key] = self._texts[key] if is_same else _read(entry.path)
                seen[entry.path] = stamp
            except (OSError, UnicodeDecodeError):  # removed just now, or not ours
                continue
        has_changed = texts != self._texts
        self._seen, self._texts = seen, texts
        return has_changed

    def texts(self) -> Mapping[PodKey, str]:
        """Return every pod's network-status as of the last look."""
        return self._texts

    def _entries(self) -> Iterator[tuple[PodKey, os.DirEntry[str]]]:
        for directory in _entries(self._directory):
            namespace = unquote(directory.name)
            for entry in _entries(directory):
                name, suffix = os.path.splitext(entry.name)
                if suffix == ".json" and not name.startswith("."):
                    yield (namespace, unquote(name)), entry


def _read(path: str) -> str:
    return read_regular(path, _MAX_STATUS_BYTES).decode("utf-8")


def _stamp(found: os.stat_result) -> Stamp:
    return found.st_mtime_ns, found.st_size, found.st_ino


def _entries(directory: Path | os.DirEntry[str]) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return []


class EventLog:
    """Events, one JSON object a line, the newest last."""

    def __init__(self, state_dir: Path) -> None:
        self.path = state_dir / "events.jsonl"

    def append(self, *events: JsonObject) -> None:
        """Add events; the file is set aside once it is large.

        Raises:
            OSError: it could not be written.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle = self._open()
        try:
            os.write(handle, b"".join(orjson.dumps(event) + b"\n" for event in events))
            is_large = os.fstat(handle).st_size > MAX_EVENT_BYTES
        finally:
            os.close(handle)
        if is_large:
            self.path.replace(self.path.with_name("events.jsonl.1"))

    def _open(self) -> int:
        """Open the file; another kind in its place is set aside: a FIFO would wait for a reader."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
        with suppress(OSError):
            if not stat.S_ISREG(self.path.stat().st_mode):
                set_aside(self.path, self.path.parent / ".aside")
        return os.open(self.path, flags | os.O_NOCTTY, 0o644)
