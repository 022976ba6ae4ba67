"""Small files that another process may read, or we after a crash, at any moment.

Invariant: a reader sees the old content or the new one, never half of one; names made from what
others gave us never leave their directory.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import quote

# A pod's name has up to 253 bytes, a file's 255; namespace, suffix and `.tmp-…` want room as well.
_LONGEST: Final = 180
_TEMPORARY: Final = re.compile(r"\.tmp-\d+-[0-9a-f]{12}")


def file_name(text: str) -> str:
    """Give a name for a file that stands for any text: no slash, no leading dot, not empty.

    It can be read back with `unquote`, unless the text is so long that its end gave way to a hash.
    """
    name = quote(text, safe=":@+=,~")
    if name.startswith("."):
        name = f"%2E{name[1:]}"
    if len(name) > _LONGEST:
        digest = hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()
        name = f"{name[: _LONGEST - 33]}~{digest[:32]}"
    return name or "%"


def temporary(directory: Path, data: bytes, *, is_durable: bool = True, mode: int = 0o600) -> Path:
    """Write data to a new hidden file of the directory; the caller renames or links it.

    Raises:
        OSError: it could not be written; nothing is left.
    """
    path = directory / f".tmp-{os.getpid()}-{secrets.token_hex(6)}"
    handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            if is_durable:
                os.fsync(file.fileno())
    except OSError:
        with suppress(OSError):
            path.unlink()
        raise
    return path


def replace(path: Path, data: bytes, *, is_durable: bool = True, mode: int = 0o600) -> None:
    """Put data where path is, all at once; its directory is made where missing.

    Raises:
        OSError: it could not be written; the old content is untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = temporary(path.parent, data, is_durable=is_durable, mode=mode)
    try:
        try:
            fresh.replace(path)
        except IsADirectoryError:  # nobody of ours made it
            set_aside(path, path.parent / ".aside")
            fresh.replace(path)
    except OSError:
        with suppress(OSError):
            fresh.unlink()
        raise
    if is_durable:
        sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Make the directory's entries survive a power cut."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove_temporaries(directory: Path) -> None:
    """Remove what a process that was killed left of `temporary`; the caller knows none writes now.

    Raises:
        OSError: one cannot be removed.
    """
    for path in directory.glob(".tmp-*"):
        if _TEMPORARY.fullmatch(path.name):
            path.unlink(missing_ok=True)


def read_regular(path: str | Path, limit: int, *, follows: bool = False) -> bytes:
    """Read a small file that somebody else may have put there; never waits, never reads on and on.

    Args:
        path: where it is.
        limit: most bytes it may have.
        follows: whether it may be a symbolic link.

    Raises:
        OSError: it is not there, no regular file (EINVAL; ELOOP for a link) or too large (EFBIG).
    """
    # A FIFO without O_NONBLOCK waits for a writer, a terminal becomes ours without O_NOCTTY.
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
    handle = os.open(path, flags if follows else flags | os.O_NOFOLLOW)
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", str(path))
        if found.st_size > limit:
            raise OSError(errno.EFBIG, f"it is larger than {limit} bytes", str(path))
        # No more than it says: files of /proc say 0, and some of them never end.
        chunks, left = [], found.st_size
        while left and (chunk := os.read(handle, left)):
            chunks.append(chunk)
            left -= len(chunk)
    finally:
        os.close(handle)
    return b"".join(chunks)


def set_aside(path: Path, directory: Path) -> Path:
    """Move whatever is at a path into a directory of its own, under a name that is free there.

    Raises:
        OSError: it could not be moved.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    aside, number = directory / path.name, 0
    while os.path.lexists(aside):
        number += 1
        aside = directory / f"{path.name}.{number}"
    path.rename(aside)
    return aside


def remove(path: Path) -> bool:
    """Remove a file; tell whether it was there."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True
