"""Read small files within bounds: those of /proc and /sys, and what others may have made."""

from __future__ import annotations

import os
import stat
from typing import Final

_CHUNK: Final = 1 << 16


def read_bounded(path: str, most: int) -> bytes:
    """Return the first bytes of a regular file, also of one in /proc, whose size reads as 0.

    Args:
        path: may be a symbolic link.
        most: bytes that are read at most.

    Raises:
        OSError: it cannot be read, or is no regular file.
    """
    # A FIFO without O_NONBLOCK waits for a writer.
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(0, "it is no regular file", path)
        parts, left = [], most
        while left and (part := os.read(fd, min(left, _CHUNK))):
            parts.append(part)
            left -= len(part)
        return b"".join(parts)
    finally:
        os.close(fd)
