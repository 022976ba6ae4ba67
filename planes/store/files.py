"""Small files that another process may read, or we after a crash, at any moment.

Invariant: a reader sees the old content or the new one, never half of one; names made from what
others gave us never leave their directory.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
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


def remove(path: Path) -> bool:
    """Remove a file; tell whether it was there."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True
