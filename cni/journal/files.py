"""Read and write the files of the journal: one per call, each replaced atomically or grown.

A file has one line for each stage of its call that was written to it, and the last line counts.
To append a line takes a third of the time that a new file under the old name takes: ext4 writes
out the content of a file that replaces another.

Invariant: no file in the directory keeps the daemon from starting. A file that is no whole entry
under its own name is moved to `damaged/`, and kept there until its addresses are released.
"""

from __future__ import annotations

import hashlib
import logging
import os
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from cni.journal.damaged import Damaged, salvage
from cni.journal.entry import Entry, Key, decode, encode
from planes.model.errors import BadInput, CniCode, Internal, PlanesError
from planes.model.wire.netconf import ConfList
from planes.run.files import is_temporary, read_regular, set_aside
from planes.run.files import replace as replace_file

_log = logging.getLogger(__name__)

_SUFFIX: Final = ".json"
_OLD_TEMPORARY: Final = ".tmp"  # what releases before this one left
DAMAGED: Final = "damaged"
"""The directory below the journal's where damaged entries are set aside."""
_LONGEST_NAME: Final = 200
_LARGEST: Final = 8 << 20  # bytes of one entry: configurations and results
_MOST_DAMAGED: Final = 1024
_MOST_SALVAGED: Final = 256 << 10


@dataclass(frozen=True, slots=True)
class JournalContent:
    """The content of the directory: entries, oldest first, and damaged ones."""

    entries: tuple[Entry, ...]
    damaged: tuple[Damaged, ...]


def entry_path(directory: str | Path, key: Key) -> str:
    """Return the file of a call's entry."""
    name = "@".join(key)
    if len(name.encode()) > _LONGEST_NAME:
        name = hashlib.sha256(name.encode()).hexdigest()
    return f"{directory}/{name}{_SUFFIX}"


def read_entries(directory: Path) -> JournalContent:
    """Create the directory, remove unfinished temporary files and read all entries.

    Raises:
        Internal: the directory cannot be created or read.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.scandir(directory) as listing:
            names = sorted(
                (one.stat(follow_symlinks=False).st_mtime_ns, one.name) for one in listing
            )
    except OSError as error:
        raise _failed("open", directory, error) from error
    damaged = _read_damaged(directory / DAMAGED)
    entries: list[Entry] = []
    known: dict[str, ConfList] = {}
    for _, name in names:
        path = directory / name
        if is_temporary(name) or name.endswith(_OLD_TEMPORARY):
            _drop_temporary(path)
        if not name.endswith(_SUFFIX):
            continue
        try:
            entries.append(_read(directory, path, known))
        except (OSError, PlanesError) as error:
            damaged.append(_put_aside(path, error))
    return JournalContent(tuple(entries), tuple(damaged))


def inspect_entries(directory: Path) -> JournalContent:
    """Read all entries without changing any file, e.g. while a daemon runs.

    An entry that the daemon writes or removes meanwhile is read whole or not at all; a stage that
    is being appended does not count yet.

    Raises:
        Internal: the directory cannot be read.
    """
    try:
        names = sorted(os.listdir(directory))
    except FileNotFoundError:
        return JournalContent((), ())
    except OSError as error:
        raise _failed("open", directory, error) from error
    damaged = _read_damaged(directory / DAMAGED)
    entries: list[Entry] = []
    known: dict[str, ConfList] = {}
    for path in [directory / name for name in names if name.endswith(_SUFFIX)]:
        try:
            entries.append(_read(directory, path, known, may_grow=True))
        except FileNotFoundError:
            continue
        except (OSError, PlanesError) as error:
            damaged.append(replace(_damaged(path, path.name), reason=_reason(error)))
    return JournalContent(tuple(entries), tuple(damaged))


def write_entry(path: str, entry: Entry, is_new: bool, is_synced: bool = True) -> None:
    """Write an entry atomically.

    Args:
        path: its file.
        entry: the entry.
        is_new: the directory is synced too, where the file is.
        is_synced: the file is synced before it gets its name.

    Raises:
        BadInput: it is larger than `read_entries` would read.
        Internal: it could not be written; the earlier file stays.
    """
    data = _encoded(entry)
    try:
        replace_file(
            path,
            data,
            is_durable=is_synced,
            is_name_durable=is_new and is_synced,
            makes_directory=False,
        )
    except OSError as error:
        raise _failed("write", path, error) from error


def grow_entry(path: str, entry: Entry) -> None:
    """Append a later stage of a call to the file of its entry, unsynced.

    A kill may cut the line; the entry is a damaged one then.

    Raises:
        BadInput: the entry is larger than `read_entries` would read.
        Internal: it could not be written; the earlier stage stays.
    """
    data, is_grown = _encoded(entry), False
    try:
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            size = os.fstat(handle).st_size
            if size + len(data) <= _LARGEST:
                is_grown = os.write(handle, data) == len(data)
                if not is_grown:
                    os.ftruncate(handle, size)
        finally:
            os.close(handle)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise _failed("write", path, error) from error
    if not is_grown:
        write_entry(path, entry, is_new=False, is_synced=False)


def _encoded(entry: Entry) -> bytes:
    data = encode(entry)
    if len(data) > _LARGEST:
        raise BadInput(
            f"cannot attach so much: the journal entry would have {len(data)} bytes, more than "
            f"{_LARGEST}",
            remedy="attach fewer networks, or smaller configurations",
        )
    return data


def remove_entry(path: str) -> None:
    """Remove an entry's file; a missing one is no error.

    Raises:
        Internal: it could not be removed.
    """
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise _failed("remove", path, error) from error


def remove_damaged(damaged: Damaged) -> None:
    """Remove the damaged file of an entry, once its addresses are released.

    Raises:
        Internal: it could not be removed.
    """
    path = Path(damaged.kept)
    if path.is_dir() and not path.is_symlink():  # not ours: it may contain anything
        return
    remove_entry(damaged.kept)


def _drop_temporary(path: Path) -> None:
    try:
        path.unlink()
    except OSError:  # it is a directory: move it out of the way
        with suppress(OSError):
            set_aside(path, path.parent / DAMAGED)


def _read(
    directory: Path, path: Path, known: dict[str, ConfList], *, may_grow: bool = False
) -> Entry:
    data = read_regular(path, _LARGEST)
    if may_grow:
        data = data[: data.rfind(b"\n") + 1] or data
    entry = decode(data[data.rfind(b"\n", 0, -1) + 1 :], known)
    if entry_path(directory, entry.key) != f"{directory}/{path.name}":
        raise Internal("cannot use the journal entry: it is that of another call")
    return entry


def _put_aside(path: Path, error: OSError | PlanesError) -> Damaged:
    kept = path
    with suppress(OSError):  # a file that cannot be moved stays, and is skipped at each start
        kept = set_aside(path, path.parent / DAMAGED)
    damaged = replace(_damaged(kept, path.name), reason=_reason(error))
    _log.error(
        "journal entry is damaged: what it held is given back when its sandbox is gone",
        extra={"file": damaged.kept, "reason": damaged.reason, "ifnames": damaged.ifnames},
    )
    return damaged


def _reason(error: OSError | PlanesError) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else error.message


def _read_damaged(directory: Path) -> list[Damaged]:
    """Return the damaged entries that earlier starts set aside."""
    try:
        names = sorted(os.listdir(directory))[:_MOST_DAMAGED]
    except OSError:
        return []
    return [_damaged(directory / name, name) for name in names]


def _damaged(kept: Path, name: str) -> Damaged:
    """Return what is left of an entry in its file name and bytes."""
    try:
        damaged = salvage(read_regular(kept, _MOST_SALVAGED))
    except OSError:
        damaged = salvage(b"")
    container_id, _, ifname = name.partition(_SUFFIX)[0].partition("@")
    if ifname:
        damaged = replace(damaged, container_id=container_id, ifname=ifname)
    return replace(damaged, kept=str(kept))


def _failed(verb: str, path: str | Path, error: OSError) -> Internal:
    return Internal(
        f"cannot {verb} the journal {path}: {error.strerror or error}",
        remedy="make room and check the permissions of the state directory",
        code=CniCode.IO,
    )
