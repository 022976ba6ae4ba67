"""The state directory, held by one process at a time.

Invariant: who holds it is the only one that reads or writes journal and spool. The lock is the
kernel's: it ends with the process, however that ends.
"""

from __future__ import annotations

import fcntl
import logging
import os
import time
from pathlib import Path
from typing import Final

from planes.model.errors import Unavailable

_log = logging.getLogger(__name__)

LOCK_NAME: Final = "daemon.lock"
_TELL_SECONDS: Final = 5.0
_TRY_SECONDS: Final = 0.05


def hold_state(directory: Path, patience: float = 0.0) -> int:
    """Make the state directory and hold it for this process; the descriptor that holds it.

    Args:
        directory: made where missing, for root alone.
        patience: seconds that another daemon gets to end: on a cluster the one before us may still
            be carrying out its last calls.

    Raises:
        Unavailable: it cannot be made, or another daemon holds it.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Unavailable(
            f"cannot use the state directory {directory}: {error.strerror or error}",
            remedy="run as root, or choose another --state-dir",
        ) from error
    try:
        _wait(descriptor, directory, patience)
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


def _wait(descriptor: int, directory: Path, patience: float) -> None:
    """Take the lock; raises OSError where somebody has it to the end."""
    now = time.monotonic()
    deadline, tell_after = now + patience, now
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            now = time.monotonic()
            if now >= deadline:
                raise
            if now >= tell_after:
                facts = {"state_dir": str(directory), "seconds_left": round(deadline - now)}
                _log.info("waiting for the daemon before us to end", extra=facts)
                tell_after = now + _TELL_SECONDS
            time.sleep(_TRY_SECONDS)
        else:
            return
