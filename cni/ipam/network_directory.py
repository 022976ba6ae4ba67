"""The directory of a host-local network: opening it, and why it cannot be used."""

from __future__ import annotations

import errno
import os
from typing import Final

from cni.host.unwritable import unwritable
from planes.model.errors import BadInput, PlanesError, Unavailable

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


def open_directory(path: str) -> int:
    """Open the directory of a network, made where it is missing; return its descriptor.

    Raises:
        OSError, ValueError: it cannot be made or opened, or is no path.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    try:
        return os.open(path, flags)
    except FileNotFoundError:
        os.makedirs(path, mode=0o755, exist_ok=True)
        return os.open(path, flags)


def unusable(path: str, error: OSError | ValueError) -> PlanesError:
    """Return the error for a directory that cannot be used."""
    if isinstance(error, ValueError):
        return BadInput(f"cannot keep addresses in {path!r}: it is no path")
    if error.errno in _FULL:
        return Unavailable(
            f"cannot keep addresses in {path}: {error.strerror}",
            remedy="make room on the file system of the node; it is tried again",
        )
    return unwritable("addresses", path, error)
