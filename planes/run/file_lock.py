"""Locks between processes: flock(2) on a file, which the kernel drops when its holder ends.

Invariant: nobody waits for ever, and no link or FIFO in the place of the file is followed or waited
for: an ordinary user may have put it there. Everything here blocks: call it in a thread.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

from planes.run.backoff import Backoff


def open_lock(
    path: str | Path, *, directory: int | None = None, mode: int = 0o600, access: int = os.O_RDWR
) -> int:
    """Open the file of a lock, made where missing; closing the descriptor drops the lock.

    Args:
        path: where it is.
        directory: descriptor of the directory that a relative path is below.
        mode: of the file, where it is made.
        access: how it is opened; on NFS only a writer may lock it alone.

    Raises:
        OSError: it cannot be made or opened, or is no regular file (EINVAL; ELOOP for a link).
    """
    flags = access | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    handle = os.open(path, flags, mode, dir_fd=directory)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, f"its {os.path.basename(path)} is no regular file")
    return handle


def wait_for_lock(
    handle: int,
    seconds: float,
    pauses: Backoff,
    on_wait: Callable[[float], None] = lambda _: None,
) -> None:
    """Lock an open file for this process alone.

    Args:
        handle: from `open_lock`.
        seconds: the longest wait; 0 tries once.
        pauses: between two attempts.
        on_wait: called before each pause, with the seconds that are left.

    Raises:
        BlockingIOError: another process kept the lock all the time.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            left = deadline - time.monotonic()
            if left <= 0:
                raise
            on_wait(left)
            time.sleep(pauses.next())
        else:
            return
