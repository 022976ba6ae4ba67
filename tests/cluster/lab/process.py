"""Programs that run beside the tests: logged, stopped by their own pid, never outliving the tests.

Every program gets a process group of its own and dies with the thread that started it, so that
not even a killed test run leaves one behind.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self


class NotReadyError(Exception):
    """A program did not come up in time; the text has the end of its log."""


class Process:
    """One program; its output goes to a file."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        log: Path,
        *,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.argv = tuple(argv)
        self.log = log
        self._env = env
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; its log is continued, not overwritten."""
        with self.log.open("ab") as output:
            self._child = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *self.argv],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=None if self._env is None else {**os.environ, **self._env},
            )

    @property
    def pid(self) -> int:
        """The pid of the running program."""
        assert self._child is not None, f"{self.name} was not started"
        return self._child.pid

    @property
    def is_running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    def stop(self, *, grace: float = 10.0, signal_first: int = signal.SIGTERM) -> None:
        """End it and its process group: kindly first, after `grace` seconds for good."""
        child, self._child = self._child, None
        if child is None:
            return
        if child.poll() is None:
            os.killpg(child.pid, signal_first)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(grace)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self.stop(grace=5.0, signal_first=signal.SIGKILL)

    def tail(self, lines: int = 15) -> str:
        """Return the last lines of its log."""
        with contextlib.suppress(FileNotFoundError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        return ""

    def wait_until(self, ready: Callable[[], bool], *, seconds: float) -> None:
        """Wait until it is ready.

        Raises:
            NotReadyError: It ended, or the time did.
        """
        end = time.monotonic() + seconds
        while not ready():
            if not self.is_running:
                raise NotReadyError(f"{self.name} ended at once:\n{self.tail()}")
            if time.monotonic() > end:
                raise NotReadyError(f"{self.name} was not ready in {seconds} s:\n{self.tail()}")
            time.sleep(0.05)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def free_ports(count: int) -> list[int]:
    """TCP ports of 127.0.0.1 that nobody listens on now; all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
