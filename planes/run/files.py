"""Small files that another process, or we after a crash, may read at any moment.

Invariant: a reader finds the old content or the new one, never a part of one. A file name made of a
text of others never leads out of its directory.
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
_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,150}")
"""Names of Kubernetes objects, which need no quoting."""
_TEMPORARY: Final = re.compile(r"\.tmp-\d+-[0-9a-f]{12}")


def file_name(text: str) -> str:
    """Return a file name for any text: no slash, no leading dot, not empty; `a%2Fb` for `a/b`.

    `unquote` returns the text, unless it is so long that a hash stands for its end.
    """
    if _PLAIN.fullmatch(text):
        return text
    name = quote(text, safe=":@+=,~")
    if name.startswith("."):
        name = f"%2E{name[1:]}"
    if len(name) > _LONGEST:
        digest = hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()
        name = f"{name[: _LONGEST - 33]}~{digest[:32]}"
    return name or "%"


def temporary(
    directory: str | Path, data: bytes, *, is_durable: bool = True, mode: int = 0o600
) -> str:
    """Write data to a new hidden file of the directory; the caller renames or links it.

    Its mode is exactly the one given, whatever the umask of the process is.

    Raises:
        OSError: it could not be written; nothing is left.
    """
    path = f"{directory}/.tmp-{os.getpid()}-{secrets.token_hex(6)}"
    handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, mode)
    try:
        try:
            if mode & 0o077:
                os.fchmod(handle, mode)
            left = memoryview(data)
            while left:
                left = left[os.write(handle, left) :]
            if is_durable:
                os.fsync(handle)
        finally:
            os.close(handle)
    except OSError:
        with suppress(OSError):
            os.unlink(path)
        raise
    return path


def replace(
    path: str | Path,
    data: bytes,
    *,
    is_durable: bool = True,
    is_name_durable: bool | None = None,
    makes_directory: bool = True,
    mode: int = 0o600,
) -> None:
    """Write a file at once: a reader, or we after a crash, find its old content or the new one.

    Args:
        path: the file; a directory in its place is set aside.
        data: its new content.
        is_durable: whether the content survives a power cut from now on.
        is_name_durable: whether the name does, where it is new; as `is_durable` unless given.
        makes_directory: whether a missing directory is made.
        mode: of the file.

    Raises:
        OSError: it could not be written; the old content is untouched.
    """
    directory = os.path.dirname(path) or "."
    try:
        fresh = temporary(directory, data, is_durable=is_durable, mode=mode)
    except FileNotFoundError:
        if not makes_directory:
            raise
        os.makedirs(directory, exist_ok=True)
        fresh = temporary(directory, data, is_durable=is_durable, mode=mode)
    try:
        try:
            os.replace(fresh, path)
        except IsADirectoryError:  # none that we made
            set_aside(Path(path), Path(directory) / ".aside")
            os.replace(fresh, path)
    except OSError:
        with suppress(OSError):
            os.unlink(fresh)
        raise
    if is_durable if is_name_durable is None else is_name_durable:
        sync_directory(directory)


def replace_named(path: str | Path, data: bytes, *, mode: int = 0o600) -> None:
    """Write a file that a user named, at once, into a directory that is there.

    Args:
        path: the file; see `why_not_replaced`.
        data: its new content.
        mode: of the file.

    Raises:
        OSError: it could not be written, or there is something else in its place.
    """
    if why := why_not_replaced(path):
        raise FileExistsError(errno.EEXIST, why, str(path))
    replace(path, data, makes_directory=False, mode=mode)


def why_not_replaced(path: str | Path) -> str:
    """Return why what is at a path stays as it is; "" for a file, and where nothing is.

    A link may lead to what is another's, and a device such as /dev/null would be gone for all.
    """
    try:
        mode = os.lstat(path).st_mode
    except OSError:  # nothing is there, or writing says what is the matter
        return ""
    if stat.S_ISDIR(mode):
        return "it is a directory"
    if stat.S_ISLNK(mode):
        return "it is a symbolic link"
    return "" if stat.S_ISREG(mode) else "it is no file"


def sync_directory(directory: str | Path) -> None:
    """Make the directory's entries survive a power cut."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_file(path: str | Path) -> None:
    """Make a file's content survive a power cut."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove_temporaries(directory: Path) -> None:
    """Remove what a killed process left of `temporary`; no other process may be writing.

    Raises:
        OSError: one cannot be removed.
    """
    for path in directory.glob(".tmp-*"):
        if is_temporary(path.name):
            path.unlink(missing_ok=True)


def is_temporary(name: str) -> bool:
    """Report whether a file of that name was made by `temporary`."""
    return _TEMPORARY.fullmatch(name) is not None


def read_regular(path: str | Path, limit: int, *, follows: bool = False) -> bytes:
    """Read a small file that another user may have made; never waits, never reads without end.

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
        # No more than its size: files of /proc have 0, and some of them never end.
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


def remove(path: str | Path) -> bool:
    """Remove a file; report whether it was there."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    return True
