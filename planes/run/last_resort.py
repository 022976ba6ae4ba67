"""The end of a process that does not end: threads in system calls, work that cannot be cancelled.

Whoever sent SIGTERM sends SIGKILL after its grace time; what ends before can still say why.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable

_log = logging.getLogger(__name__)


class LastResort:
    """Ends the process some time after its orderly end began.

    Args:
        leave: ends the process at once, with a status.
    """

    def __init__(self, leave: Callable[[int], object] = os._exit) -> None:
        self._why: Callable[[], str] = lambda: ""
        self._leave = leave
        self._timer: threading.Timer | None = None

    def explain(self, why: Callable[[], str]) -> None:
        """Name who can tell what the end waits for; "" where that is not known."""
        self._why = why

    def arm(self, seconds: float, status: int = 1) -> None:
        """End the process after so many seconds, unless disarmed or armed anew."""
        self.disarm()
        self._timer = threading.Timer(seconds, self._end, (seconds, status))
        self._timer.daemon = True
        self._timer.start()

    def disarm(self) -> None:
        """The process has come to its end by itself."""
        if self._timer is not None:
            self._timer.cancel()

    def _end(self, seconds: float, status: int) -> None:
        _log.error(
            "ending at once: the orderly end does not come",
            extra={"waited_seconds": seconds, "reason": self._why() or "work that does not end"},
        )
        self._leave(status)
