"""A machine inside this machine: a process tree with mounts, network and pids of its own.

Everything in it ends with its first process, and that one ends with the tests: no interface,
mount, rule or process can be left behind, however the tests end.
"""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from tests.cluster.lab.process import NotReadyError, Process


class RunError(Exception):
    """A command inside ended with an error; the text is what it wrote."""


class Enclosure:
    """Namespaces held by one process that runs a boot script and then reaps."""

    def __init__(self, name: str, boot: Sequence[str], folder: Path, parent: Self | None) -> None:
        self.name = name
        self._boot = tuple(boot)
        self._ready = folder / "ready"
        self._parent = parent
        self._log = folder / "boot.log"
        self._holder: Process | None = None
        self._init = 0

    @property
    def init(self) -> int:
        """The pid of the first process, as this machine numbers it."""
        assert self._init, f"{self.name} is not up"
        return self._init

    def start(self) -> None:
        """Make the namespaces and run the boot script in them.

        Raises:
            NotReadyError: The script failed; the text has the end of what it wrote.
        """
        self._ready.unlink(missing_ok=True)
        argv = [
            *("unshare", "--mount", "--net", "--pid", "--uts", "--fork", "--kill-child=KILL"),
            *("--propagation", "private", "--mount-proc", "bash", *self._boot, str(self._ready)),
        ]
        if self._parent is not None:
            argv = self._parent.entering(*argv)
        self._holder = Process(self.name, argv, self._log)
        self._holder.start()
        try:
            self._holder.wait_until(self._ready.exists, seconds=20)
        except NotReadyError:
            self._holder.kill()
            raise
        self._init = _first_process_below(self._holder.pid)

    def stop(self) -> None:
        """End everything in it."""
        holder, self._holder, self._init = self._holder, None, 0
        if holder is not None:
            holder.kill()

    def entering(self, *argv: str) -> list[str]:
        """Return the command line that runs a command inside."""
        spaces = ("--mount", "--net", "--pid", "--uts", "--wd=/")
        return ["nsenter", "-t", str(self.init), *spaces, "--", *argv]

    def entering_network(self, *argv: str) -> list[str]:
        """Return the command line that runs a program of this machine on its network."""
        return ["nsenter", "-t", str(self.init), "--net", "--", *argv]

    def run(self, *argv: str, text: str = "", seconds: float = 60.0) -> str:
        """Run a command inside; return its output.

        Raises:
            RunError: It ended with an error.
        """
        return run(self.entering(*argv), text=text, seconds=seconds)

    def ip(self, *argv: str) -> str:
        """Run `ip` on its network, with pids as this machine numbers them."""
        return run(self.entering_network("ip", *argv))


def run(argv: Sequence[str], *, text: str = "", seconds: float = 60.0) -> str:
    """Run a command; return its output.

    Raises:
        RunError: It ended with an error.
    """
    done = subprocess.run(
        argv, input=text, capture_output=True, text=True, check=False, timeout=seconds
    )
    if done.returncode != 0:
        raise RunError(f"{' '.join(argv)}: {done.stderr or done.stdout}")
    return done.stdout


def _first_process_below(pid: int) -> int:
    """Return the descendant that is number 1 in a pid namespace of its own."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        below = {pid}
        for child, parent in sorted(_parents().items()):
            if parent in below:
                below.add(child)
                if _numbers(child)[-1:] == ["1"]:
                    return child
        time.sleep(0.02)
    raise NotReadyError(f"no first process below {pid}")


def _parents() -> dict[int, int]:
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                stat = (entry / "stat").read_text()
                found[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    return found


def _numbers(pid: int) -> list[str]:
    """Return a process's pid in each pid namespace, outermost first (NSpid of /proc/PID/status)."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("NSpid:"):
                return line.split()[1:]
    return []
