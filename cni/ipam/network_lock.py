"""The lock of a host-local network's directory, which the reference plugin takes as well (flock).

A plugin holds it for a millisecond; one that holds it longer hangs. Invariant: no thread waits
longer than `LOCK_SECONDS`, and only one thread waits for another process at a time. Further ones
are refused, since a thread that waits cannot do other work.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from typing import Final

from planes.model.errors import Unavailable
from planes.run.backoff import Backoff
from planes.run.file_lock import open_lock, wait_for_lock

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

    def take(self, directory: int, path: str) -> int:
        """Lock; return a descriptor, which `drop` needs.

        Args:
            directory: descriptor of the network's directory.
            path: of that directory, for errors.

        Raises:
            Unavailable: another process keeps it.
            OSError: its file cannot be made or opened, or is no regular file.
        """
        self._acquire(path)
        handle = -1
        try:
            handle = open_lock(LOCK, directory=directory, mode=0o750, access=os.O_RDONLY)
            self._lock(handle, path)
        except BaseException:
            self.drop(handle)
            raise
        return handle

    def drop(self, handle: int) -> None:
        """Unlock; -1 is a lock whose file could not be opened."""
        try:
            if handle >= 0:
                os.close(handle)
        finally:
            self._waits_since = None
            self._ours.release()

    def _acquire(self, path: str) -> None:
        """Take the lock between our threads; raise where one has waited long for the file."""
        if self._ours.acquire(blocking=False):
            return
        deadline = time.monotonic() + self._seconds
        while not self._ours.acquire(timeout=_LONG_SECONDS / 4):
            since, now = self._waits_since, time.monotonic()
            if now >= deadline or (since is not None and now - since > _LONG_SECONDS):
                raise self._kept(path)

    def _lock(self, handle: int, path: str) -> None:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._wait_for_other(handle, path)

    def _wait_for_other(self, handle: int, path: str) -> None:
        self._waits_since = time.monotonic()
        try:
            wait_for_lock(handle, self._seconds, Backoff(_FIRST_PAUSE, _LONGEST_PAUSE, factor=1.5))
        except BlockingIOError:
            raise self._kept(path) from None
        self._waits_since = None

    def _kept(self, path: str) -> Unavailable:
        return Unavailable(
            f"cannot lock the addresses in {path}: another process keeps them locked",
            remedy=f"find it with `fuser {path}/{LOCK}`",
        )
