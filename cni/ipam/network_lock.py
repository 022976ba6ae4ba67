"""The lock of a host-local network's directory: flock, which other programs take as well.

Only the host's own plugins take it, for a millisecond; what holds it longer hangs. Invariant: no
thread waits longer than `LOCK_SECONDS`, and of all that want one lock only one waits for a foreign
holder: the others are refused, since waiting threads are missing elsewhere.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from planes.model.errors import Unavailable

LOCK: Final = "lock"
LOCK_SECONDS: Final = 5.0
_LONG_SECONDS: Final = 0.5  # a holder of ours has it for a few milliseconds
_FIRST_PAUSE: Final = 0.0002
_LONGEST_PAUSE: Final = 0.005


class NetworkLock:
    """One network's lock, shared by the threads of this process.

    Args:
        seconds: the longest wait for another process.
    """

    def __init__(self, seconds: float = LOCK_SECONDS) -> None:
        self._seconds = seconds
        self._ours = threading.Lock()
        self._waits_since: float | None = None

    @contextmanager
    def held(self, directory: int, path: str) -> Iterator[None]:
        """Hold the lock inside the block.

        Args:
            directory: descriptor of the network's directory.
            path: of that directory, for errors.

        Raises:
            Unavailable: another process keeps it.
            OSError: its file cannot be made or opened, or is none.
        """
        self._acquire(path)
        try:
            handle = _open(directory)
            try:
                self._wait(handle, path)
                yield
            finally:
                os.close(handle)
        finally:
            self._waits_since = None
            self._ours.release()

    def _acquire(self, path: str) -> None:
        """Take our own turn; refused at once while a thread of ours already waits for long."""
        deadline = time.monotonic() + self._seconds
        while not self._ours.acquire(timeout=_LONG_SECONDS / 4):
            since, now = self._waits_since, time.monotonic()
            if now >= deadline or (since is not None and now - since > _LONG_SECONDS):
                raise self._kept(path)

    def _wait(self, handle: int, path: str) -> None:
        self._waits_since = since = time.monotonic()
        pause = _FIRST_PAUSE
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() - since >= self._seconds:
                    raise self._kept(path) from None
                time.sleep(pause)
                pause = min(pause * 1.5, _LONGEST_PAUSE)
            else:
                self._waits_since = None
                return

    def _kept(self, path: str) -> Unavailable:
        return Unavailable(
            f"cannot lock the addresses in {path}: another process keeps them locked",
            remedy=f"find it with `fuser {path}/{LOCK}`",
        )


def _open(directory: int) -> int:
    """Open the lock's file, which others may have made: never through a link, never waiting."""
    flags = os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    handle = os.open(LOCK, flags, 0o750, dir_fd=directory)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, f"its {LOCK} is no regular file")
    return handle
