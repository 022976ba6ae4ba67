"""The manifest directory: looked at often, of which only changed files are read.

Invariant: of a file or object that cannot be read the last good content stays in force, with a
problem that names place and reason. A file is read once it has stopped changing, so a half-written
one is not taken for a short one.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Final

from planes.store.manifests import (
    BrokenFileError,
    FileContent,
    Manifest,
    read_manifests,
)
from planes.store.pod_files import PODS
from planes.store.protocol import Problem

# etcd takes objects of 1.5 MiB; a List of a thousand pods has about 4 MiB.
MAX_FILE_BYTES: Final = 8 * 1024 * 1024
MAX_FILES: Final = 20_000
_MAX_DEPTH: Final = 16
_SUFFIXES: Final = (".yaml", ".yml", ".json")


class Look(Enum):
    """Which changed files a look reads at once; others when the next look finds them unchanged."""

    PATIENT = "none"
    NEW_AT_ONCE = "new files"
    ALL_AT_ONCE = "all"


Signature = tuple[int, int, int, int, int]


@dataclass(slots=True)
class _File:
    """One file: its signature when it was last read, and what of it is in force."""

    read_at: Signature | None = None
    seen: Signature | None = None
    manifests: tuple[Manifest, ...] = ()
    problems: tuple[Problem, ...] = ()


@dataclass(slots=True)
class _Walk:
    """The files that one look at the directory found."""

    files: dict[str, Signature] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


class ManifestDirectory:
    """Reads `*.yaml`, `*.yml` and `*.json` below a directory, hidden names left out."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        # Written by the command, always whole: the next admission must know the pod before it.
        self._pods = f"{directory / PODS}{os.sep}"
        self._files: dict[str, _File] = {}
        self._walk_problems: tuple[Problem, ...] = ()
        self._problems: tuple[Problem, ...] = ()
        self.is_read = False

    def refresh(self, look: Look = Look.PATIENT) -> bool:
        """Look again; report whether manifests or problems changed.

        A change (also a deletion) that is not read at once is read when it is the same at the next
        look: writers that do not rename have that long.
        """
        walk = _walk(self._directory)
        if walk is None:
            cause = Problem(str(self._directory), "it is no directory that can be read")
            is_news = self._walk_problems != (cause,)
            self._walk_problems = (cause,)
            self._collect_problems()
            return is_news
        has_changed = self._walk_problems != tuple(walk.problems) or not self.is_read
        self._walk_problems = tuple(walk.problems)
        for path, signature in walk.files.items():
            file = self._files.setdefault(path, _File())
            is_settled = file.seen == signature or look is Look.ALL_AT_ONCE
            is_taken = is_settled or path.startswith(self._pods)
            is_taken = is_taken or (look is Look.NEW_AT_ONCE and file.read_at is None)
            file.seen = signature
            if file.read_at != signature and is_taken:
                self._read(path, file, signature)
                has_changed = True
        for path in [path for path in self._files if path not in walk.files]:
            file = self._files[path]
            if file.seen is None or look is Look.ALL_AT_ONCE or path.startswith(self._pods):
                del self._files[path]
                has_changed = True
            file.seen = None
        self.is_read = True
        self._collect_problems()
        return has_changed

    def manifests(self) -> Iterator[Manifest]:
        """Return the manifests in force: files by name, each in its own order."""
        for path in sorted(self._files):
            yield from self._files[path].manifests

    def problems(self) -> tuple[Problem, ...]:
        """Return what is ignored now, and why; safe during a look in another thread."""
        return self._problems

    def _collect_problems(self) -> None:
        by_file = [problem for p in sorted(self._files) for problem in self._files[p].problems]
        self._problems = (*self._walk_problems, *by_file)

    def _read(self, path: str, file: _File, signature: Signature) -> None:
        file.read_at = signature
        try:
            content = read_manifests(read_file(path), path)
        except BrokenFileError as error:
            file.problems = (error.problem,)
            return
        file.problems = tuple(fault.problem for fault in content.faults)
        file.manifests = _with_last_good(content, file.manifests)


def _with_last_good(content: FileContent, old: tuple[Manifest, ...]) -> tuple[Manifest, ...]:
    bad = {fault.identity for fault in content.faults if fault.identity is not None}
    bad -= {manifest.identity for manifest in content.manifests}
    kept = tuple(manifest for manifest in old if manifest.identity in bad)
    return (*content.manifests, *kept)


def read_file(path: str) -> bytes:
    """Read one manifest file.

    Raises:
        BrokenFileError: it cannot be read, is no file, or is larger than manifests are.
    """
    try:
        # Not blocking: opening a FIFO would wait for a writer.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise BrokenFileError(Problem(path, "it is no regular file"))
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        cause = error.strerror or "it cannot be read"
        raise BrokenFileError(Problem(path, cause)) from error
    if len(data) > MAX_FILE_BYTES:
        reason = f"it is larger than {MAX_FILE_BYTES // 1024 // 1024} MiB; split it"
        raise BrokenFileError(Problem(path, reason))
    return data


def _walk(directory: Path) -> _Walk | None:
    """Look at the tree; None where the directory itself cannot be read."""
    walk = _Walk()
    visited: set[tuple[int, int]] = set()
    todo = [(str(directory), 0)]
    while todo:
        path, depth = todo.pop()
        try:
            identity = os.stat(path)
            if (identity.st_dev, identity.st_ino) in visited or depth > _MAX_DEPTH:
                continue  # a link back up, or in circles
            visited.add((identity.st_dev, identity.st_ino))
            with os.scandir(path) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            if depth == 0:
                return None
            walk.problems.append(Problem(path, error.strerror or "it cannot be read"))
            continue
        todo += [(e.path, depth + 1) for e in reversed(found) if _is_directory(e)]
        for entry in found:
            if not entry.name.startswith(".") and entry.name.endswith(_SUFFIXES):
                _note(entry, walk)
        if len(walk.files) > MAX_FILES:
            walk.problems.append(Problem(path, f"more than {MAX_FILES} files; the rest is ignored"))
            walk.files = dict(sorted(walk.files.items())[:MAX_FILES])
            break
    return walk


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return not entry.name.startswith(".") and entry.is_dir()
    except OSError:
        return False


def _note(entry: os.DirEntry[str], walk: _Walk) -> None:
    try:
        found = entry.stat()
    except OSError as error:
        walk.problems.append(Problem(entry.path, error.strerror or "it cannot be read"))
        return
    if stat.S_ISDIR(found.st_mode):
        return
    walk.files[entry.path] = (
        *(found.st_mtime_ns, found.st_ctime_ns),
        *(found.st_size, found.st_ino, found.st_dev),
    )
