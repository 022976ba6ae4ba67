"""The webhook and the daemons, as processes of their own, started and stopped like services."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from planes.model.errors import Internal

READY_SECONDS: Final = 20.0
STOP_SECONDS: Final = 15.0


class Program:
    """One process with a log file.

    Args:
        name: how it is called in messages.
        command: what to run.
        log: where its output goes.
    """

    def __init__(self, name: str, command: Sequence[str], log: Path) -> None:
        self._name = name
        self._command = list(command)
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, is_ready: Callable[[], bool]) -> None:
        """Start it and wait until it serves.

        Raises:
            Internal: it ended or does not become ready; its last log line says why.
        """
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + READY_SECONDS
        while not is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise Internal(f"cannot start {self._name}: {self.last_line()}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Ask it to end, and wait; kill it where it does not."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def kill(self) -> None:
        """End it the way a crash does: it gets no chance to tidy up."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def last_line(self) -> str:
        """The last line of its log."""
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return lines[-1][:500] if lines else "it said nothing"


def python_module(module: str, *arguments: str) -> list[str]:
    """The command that runs one of our programs with this interpreter."""
    return [sys.executable, "-m", module, *arguments]


def answers(path: Path) -> Callable[[], bool]:
    """Whether somebody listens on a unix socket."""

    def look() -> bool:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            try:
                probe.connect(str(path))
            except OSError:
                return False
        return True

    return look


def free_port() -> int:
    """A TCP port of the loopback interface that nobody uses now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
