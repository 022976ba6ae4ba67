"""The lock of the state directory: one process at a time uses journal and spool.

Invariant: only its holder reads or writes them. The kernel releases the lock (flock(2)) when the
process exits, also by SIGKILL.
"""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path
from typing import Final

from planes.model.errors import Unavailable
from planes.run.backoff import Backoff
from planes.run.clock import Clock
from planes.run.file_lock import open_lock, wait_for_lock

_log = logging.getLogger(__name__)

LOCK_NAME: Final = "daemon.lock"
_LOG_SECONDS: Final = 5.0
_PAUSE: Final = 0.05
LOOK_SECONDS: Final = 5.0
"""Between two looks whether the directory is still the one that was locked."""


def lock_state_dir(directory: Path, timeout: float = 0.0) -> int:
    """Make the state directory and lock it; return the descriptor that holds the lock.

    Args:
        directory: made where missing, with mode 0700.
        timeout: seconds to wait for another daemon to exit: on a cluster the previous one may still
            be draining.

    Raises:
        Unavailable: it cannot be made, or another process has the lock.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = open_lock(directory / LOCK_NAME)
    except OSError as error:
        raise Unavailable(
            f"cannot use the state directory {directory}: {error.strerror or error}",
            remedy="run as root, or choose another --state-dir",
        ) from error
    try:
        _wait(descriptor, directory, timeout)
    except OSError as error:
        os.close(descriptor)
        raise Unavailable(
            f"cannot use the state directory {directory}: another daemon uses it",
            remedy="stop it, or choose another --state-dir",
        ) from error
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


async def watch_state_dir(directory: Path, lock: int, clock: Clock) -> None:
    """Wait until the state directory was deleted, emptied or replaced.

    Nothing can be recorded any more then, or another daemon may lock what is in its place. A daemon
    that starts anew finds what is in use and records it (`cni.reconcile.lost_records`).

    Args:
        directory: of the state.
        lock: from `lock_state_dir`.
        clock: paces looks.

    Raises:
        Unavailable: it is not the directory that was locked.
    """
    while await asyncio.to_thread(_is_locked, directory, lock):
        await clock.sleep(LOOK_SECONDS)
    raise Unavailable(
        f"cannot use the state directory {directory} any longer: it was deleted or replaced while "
        "this daemon used it",
        remedy="nothing, if the daemon is started again: it finds what its pods use",
    )


def _is_locked(directory: Path, lock: int) -> bool:
    """Report whether the lock's file is still in its place; also where that cannot be seen."""
    try:
        return os.path.samestat(os.lstat(directory / LOCK_NAME), os.fstat(lock))
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True


def _wait(handle: int, directory: Path, timeout: float) -> None:
    """Take the lock; raises OSError where another process has it to the end."""
    log_from = timeout

    def log(left: float) -> None:
        nonlocal log_from
        if left <= log_from:
            facts = {"state_dir": str(directory), "seconds_left": round(left)}
            _log.info("waiting for the daemon before us to end", extra=facts)
            log_from = left - _LOG_SECONDS

    wait_for_lock(handle, timeout, Backoff(_PAUSE, _PAUSE), log)
