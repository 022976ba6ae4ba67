"""The files of the journal: read whole at start, each written and removed by one step.

Invariant: nothing that lies in the directory keeps the daemon from starting. What is no whole entry
under its own name is set aside in `damaged/`, where the next start finds it again, until what it
held was given back.
"""

from __future__ import annotations

import hashlib
import logging
import os
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from cni.entry import Damaged, Entry, Key, decode, encode, salvage
from planes.model.errors import BadInput, CniCode, Internal, PlanesError
from planes.model.wire.netconf import ConfList
from planes.store.files import read_regular, set_aside, sync_directory

_log = logging.getLogger(__name__)

_SUFFIX: Final = ".json"
_TEMPORARY: Final = ".tmp"
_DAMAGED: Final = "damaged"
_LONGEST_NAME: Final = 200
_LARGEST: Final = 8 << 20  # what one call's configuration and results may come to
_MOST_DAMAGED: Final = 1024
_MOST_SALVAGED: Final = 256 << 10


@dataclass(frozen=True, slots=True)
class Found:
    """What was in the directory: whole entries, oldest first, and what else there was."""

    entries: tuple[Entry, ...]
    damaged: tuple[Damaged, ...]


def entry_path(directory: Path, key: Key) -> Path:
    """Give the file of a call's entry."""
    name = "@".join(key)
    if len(name.encode()) > _LONGEST_NAME:
        name = hashlib.sha256(name.encode()).hexdigest()
    return directory / (name + _SUFFIX)


def read_entries(directory: Path) -> Found:
    """Make the directory, drop unfinished temporary files, read what is there.

    Raises:
        Internal: the directory cannot be made or read.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.scandir(directory) as listing:
            names = sorted(
                (one.stat(follow_symlinks=False).st_mtime_ns, one.name) for one in listing
            )
    except OSError as error:
        raise _failed("open", directory, error) from error
    damaged = _read_damaged(directory / _DAMAGED)
    entries: list[Entry] = []
    known: dict[str, ConfList] = {}
    for _, name in names:
        path = directory / name
        if name.endswith(_TEMPORARY):
            _drop_temporary(path)
        if not name.endswith(_SUFFIX):
            continue
        try:
            entries.append(_read(directory, path, known))
        except (OSError, PlanesError) as error:
            damaged.append(_put_aside(path, error))
    return Found(tuple(entries), tuple(damaged))


def write_entry(path: Path, entry: Entry, is_new: bool) -> None:
    """Write an entry where its path is, all at once; a new one's name is durable too.

    Raises:
        BadInput: it is larger than `read_entries` would read.
        Internal: it could not be written; the older stage stands.
    """
    temporary, data = path.with_suffix(_TEMPORARY), encode(entry)
    if len(data) > _LARGEST:
        raise BadInput(
            f"cannot attach so much: the journal entry would have {len(data)} bytes, more than "
            f"{_LARGEST}",
            remedy="attach fewer networks, or smaller configurations",
        )
    try:
        _write_synced(temporary, data)
        temporary.rename(path)
        if is_new:
            sync_directory(path.parent)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise _failed("write", path, error) from error


def remove_entry(path: Path) -> None:
    """Remove an entry's file; none there is fine.

    Raises:
        Internal: it could not be removed.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise _failed("remove", path, error) from error


def remove_damaged(damaged: Damaged) -> None:
    """Remove what was set aside of an entry, once what it held was given back.

    Raises:
        Internal: it could not be removed.
    """
    path = Path(damaged.kept)
    if path.is_dir() and not path.is_symlink():  # somebody made it: there may be anything in it
        return
    remove_entry(path)


def _drop_temporary(path: Path) -> None:
    try:
        path.unlink()
    except OSError:  # a directory: its name is wanted
        with suppress(OSError):
            set_aside(path, path.parent / _DAMAGED)


def _read(directory: Path, path: Path, known: dict[str, ConfList]) -> Entry:
    entry = decode(read_regular(path, _LARGEST), known)
    if entry_path(directory, entry.key) != path:
        raise Internal("cannot use the journal entry: it is that of another call")
    return entry


def _put_aside(path: Path, error: OSError | PlanesError) -> Damaged:
    kept = path
    with suppress(OSError):  # where it cannot be moved it stays, and is passed over each time
        kept = set_aside(path, path.parent / _DAMAGED)
    reason = (error.strerror or str(error)) if isinstance(error, OSError) else error.message
    damaged = replace(_damaged(kept, path.name), reason=reason)
    _log.error(
        "journal entry is damaged: what it held is given back when its sandbox is gone",
        extra={"file": damaged.kept, "reason": damaged.reason, "ifnames": damaged.ifnames},
    )
    return damaged


def _read_damaged(directory: Path) -> list[Damaged]:
    """Give what earlier starts set aside and nobody has settled."""
    try:
        names = sorted(os.listdir(directory))[:_MOST_DAMAGED]
    except OSError:
        return []
    return [_damaged(directory / name, name) for name in names]


def _damaged(kept: Path, name: str) -> Damaged:
    """Give what name and bytes still tell of an entry."""
    try:
        told = salvage(read_regular(kept, _MOST_SALVAGED))
    except OSError:
        told = salvage(b"")
    container_id, _, ifname = name.partition(_SUFFIX)[0].partition("@")
    if ifname:
        told = replace(told, container_id=container_id, ifname=ifname)
    return replace(told, kept=str(kept))


def _write_synced(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _failed(verb: str, path: Path, error: OSError) -> Internal:
    return Internal(
        f"cannot {verb} the journal {path}: {error.strerror or error}",
        remedy="make room and check the permissions of the state directory",
        code=CniCode.IO,
    )
