"""The file systems that the daemon writes to: room, inodes, and how long a durable write takes."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from planes.run.files import temporary

_PROBE: Final = b"netplane doctor\n" * 64


@dataclass(frozen=True, slots=True)
class Volume:
    """The file system of a directory.

    Attributes:
        free: bytes for root; `size` is that of all.
        inodes_free: of `inodes`; both 0 where the file system has no such limit.
        write_seconds: what a small durable write took; None where none was made.
        fault: why it failed, "" where it did not.
        is_refused: it failed because this process may not write there.
    """

    path: str
    size: int
    free: int
    inodes: int
    inodes_free: int
    is_read_only: bool = False
    write_seconds: float | None = None
    fault: str = ""
    is_refused: bool = False


def read_volume(path: str, *, writes: bool = False) -> Volume | None:
    """Return the file system of a directory; None where there is no such directory.

    Args:
        path: of the directory.
        writes: whether to time a small file, which is removed again.

    Raises:
        OSError: it cannot be looked at.
    """
    try:
        found = os.statvfs(path)
    except FileNotFoundError:
        return None
    read_only = bool(found.f_flag & os.ST_RDONLY)
    seconds, failed = _timed(path) if writes and not read_only else (None, None)
    return Volume(
        path,
        found.f_blocks * found.f_frsize,
        found.f_bfree * found.f_frsize,
        found.f_files,
        found.f_ffree,
        read_only,
        seconds,
        (failed.strerror or str(failed)) if failed else "",
        isinstance(failed, PermissionError),
    )


def read_volumes(paths: Sequence[str], written: str) -> tuple[Volume, ...]:
    """Return the file systems of directories, each once; `written` is the one that is timed.

    Raises:
        OSError: one cannot be looked at.
    """
    seen: set[int] = set()
    found = []
    for path in (written, *paths):
        with suppress(FileNotFoundError):
            device = os.stat(path).st_dev
            if device not in seen:
                seen.add(device)
                volume = read_volume(path, writes=path == written)
                found += [volume] if volume is not None else []
    return tuple(found)


def _timed(path: str) -> tuple[float | None, OSError | None]:
    began = time.monotonic()
    try:
        made = temporary(path, _PROBE)
    except OSError as error:
        return None, error
    seconds = time.monotonic() - began
    with suppress(OSError):
        os.unlink(made)
    return seconds, None
