"""Reports to the service manager how this program does: systemd's protocol, as in sd_notify(3).

Invariant: nothing here blocks, and a program runs alike with a manager that does not listen, or
with none.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Mapping
from typing import Final

from planes.model.lines import one_line
from planes.run.clock import Clock

_SOCKET: Final = "NOTIFY_SOCKET"
_WATCHDOG: Final = "WATCHDOG_USEC"
_WATCHED: Final = "WATCHDOG_PID"
VARIABLES: Final = frozenset({_SOCKET, _WATCHDOG, _WATCHED})
"""What a manager tells one process by its environment. Programs that it starts must not get them:
they would speak in its name."""

_START_PAUSE: Final = 0.05
_PAUSE: Final = 1.0
_PER_WATCHDOG: Final = 4  # signs of life in the time after which the manager kills
_STATUS_CHARACTERS: Final = 200

_log = logging.getLogger(__name__)


class ServiceManager:
    """The manager that started this process, if one did.

    Args:
        address: its datagram socket: a path, or `@` and an abstract name; "" for none.
        watchdog_seconds: it kills a process that gives no sign of life for so long; 0 = it does
            not.
    """

    def __init__(self, address: str = "", watchdog_seconds: float = 0.0) -> None:
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._watchdog_seconds = watchdog_seconds
        self._is_ready = False
        self._is_stopping = False
        self._is_serving: Callable[[], bool] = lambda: False
        self._status = ""
        self._has_complained = False

    async def run(
        self, clock: Clock, *, is_serving: Callable[[], bool], status: Callable[[], str]
    ) -> None:
        """Report until cancelled; return at once where there is no manager.

        Args:
            clock: for the pauses between looks.
            is_serving: reports whether clients are answered; asked until it once returns True.
            status: returns in a few words how the program does.
        """
        self._is_serving = is_serving
        while self._address:
            self._report(status)
            await clock.sleep(self._pause())

    def stopping(self, status: str = "stopping") -> None:
        """Report that the orderly end has begun; signs of life go on while `run` does.

        A program that began to serve since the last look is first reported ready: to systemd, one
        that ends before that has failed to start, whatever its exit status.
        """
        if self._address:
            if not self._is_ready and not self._is_stopping and self._is_serving():
                self._is_ready = self._send("READY=1")
            self._send("STOPPING=1", _assigned(status))
        self._is_stopping = True

    def _report(self, status: Callable[[], str]) -> None:
        lines = ["WATCHDOG=1"] if self._watchdog_seconds else []
        is_ready = self._is_ready or (not self._is_stopping and self._is_serving())
        if is_ready and not self._is_ready:
            lines.append("READY=1")
        told = self._status if self._is_stopping else _assigned(status())
        if told != self._status:
            lines.append(told)
        # What could not be sent is sent with the next report.
        if lines and self._send(*lines):
            self._is_ready, self._status = is_ready, told

    def _pause(self) -> float:
        if not self._is_ready:
            return _START_PAUSE
        often = self._watchdog_seconds / _PER_WATCHDOG
        return min(_PAUSE, often) if often else _PAUSE

    def _send(self, *lines: str) -> bool:
        """Send one datagram; report whether the manager has it."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)
                sender.sendto("\n".join(lines).encode(), self._address)
        except OSError as error:
            if not self._has_complained:
                self._has_complained = True
                reason = error.strerror or str(error)
                _log.warning("cannot tell the service manager", extra={"reason": reason})
            return False
        return True


def service_manager(env: Mapping[str, str]) -> ServiceManager:
    """Return the manager that the environment of this process names."""
    address = env.get(_SOCKET, "")
    if not address:
        return ServiceManager()
    if address[0] not in "/@":
        _log.warning("cannot tell the service manager", extra={"reason": "no unix socket"})
        return ServiceManager()
    return ServiceManager(address, _watchdog_seconds(env))


def _watchdog_seconds(env: Mapping[str, str]) -> float:
    text, pid = env.get(_WATCHDOG, ""), env.get(_WATCHED, "")
    is_ours = not pid or pid == str(os.getpid())
    is_number = text.isascii() and text.isdecimal() and len(text) <= 20
    return int(text) / 1e6 if is_ours and is_number else 0.0


def _assigned(status: str) -> str:
    return f"STATUS={one_line(status, _STATUS_CHARACTERS)}"
