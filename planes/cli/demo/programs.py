"""Programs as child processes: started, awaited and stopped like services."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from planes.cli.interrupts import held_back
from planes.model.errors import Internal

READY_SECONDS: Final = 20.0
STOP_SECONDS: Final = 15.0


class Program:
    """One process with a log file.

    Args:
        name: its name in messages.
        command: the command line.
        log: the file for its output.
    """

    def __init__(self, name: str, command: Sequence[str], log: Path) -> None:
        self._name = name
        self._command = list(command)
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, is_ready: Callable[[], bool]) -> None:
        """Start it and wait until it serves.

        Raises:
            Internal: it ended or is not ready in time; the message has its last log line.
        """
        with self._log.open("ab") as log, held_back():
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
        """Terminate it and wait; kill it if it does not end in time."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def last_line(self) -> str:
        """Return the last line of its log."""
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return lines[-1][:500] if lines else "it said nothing"


def python_module(module: str, *arguments: str) -> list[str]:
    """Return the command line that runs a module with this interpreter."""
    return [sys.executable, "-m", module, *arguments]


def answers(path: Path) -> Callable[[], bool]:
    """Return a function that reports whether a unix socket has a listener."""

    def look() -> bool:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            try:
                probe.connect(str(path))
            except OSError:
                return False
        return True

    return look


def free_port() -> int:
    """Return a TCP port of the loopback interface that is free now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
