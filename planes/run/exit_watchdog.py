"""A watchdog that ends a process whose shutdown hangs: a thread in a system call, a lost task.

The sender of SIGTERM sends SIGKILL after its grace period. A process that ends before that can
still log why.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable

_log = logging.getLogger(__name__)


class ExitWatchdog:
    """Ends the process some time after its shutdown began.

    Args:
        end: ends the process at once, with a status.
    """

    def __init__(self, end: Callable[[int], object] = os._exit) -> None:
        self._why: Callable[[], str] = lambda: ""
        self._exit = end
        self._timer: threading.Timer | None = None

    def explain(self, why: Callable[[], str]) -> None:
        """Use a function that returns what the shutdown waits for; "" where that is not known."""
        self._why = why

    def arm(self, seconds: float, status: int = 1) -> None:
        """End the process after so many seconds, unless disarmed or armed anew."""
        self.disarm()
        self._timer = threading.Timer(seconds, self._end, (seconds, status))
        self._timer.daemon = True
        self._timer.start()

    def disarm(self) -> None:
        """Do nothing any more: the shutdown is complete."""
        if self._timer is not None:
            self._timer.cancel()

    def _end(self, seconds: float, status: int) -> None:
        _log.error(
            "ending at once: the orderly end does not come",
            extra={"waited_seconds": seconds, "reason": self._why() or "work that does not end"},
        )
        self._exit(status)
