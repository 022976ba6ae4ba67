"""Kills the processes that a plugin leaves, also outside of its process group and session.

The daemon is a child subreaper (PR_SET_CHILD_SUBREAPER, prctl(2)): a process whose parent has
exited becomes our child, however often it forked. Each run has a mark in its environment, which
child processes inherit; a process that cleared it is recognised by its start time. Cgroups would do
as well, but containers mount them in several ways, some read-only.
"""

from __future__ import annotations

import asyncio
import ctypes
import itertools
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from cni.host.processes import Process, children, kill_tree, mark_of, read_process, reap
from planes.run.jobs import start
from planes.run.shielded import shielded

_PR_SET_CHILD_SUBREAPER: Final = 36
UNFINISHED: Final = "running"
"""The directory below the state directory with one file per run that has not ended."""
_ROUNDS: Final = 40  # a process in a system call takes a moment to exit
_PAUSE: Final = 0.01
_TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True, eq=False)
class Run:
    """One run of a plugin.

    Attributes:
        mark: the value of `MARK` in its environment.
        began: start time, in clock ticks since boot.
        pid: of its first process, which asyncio reaps; 0 before it is known.
    """

    mark: str
    began: int
    pid: int = 0


class Containment:
    """Keeps the list of current runs, and kills the processes that ended runs left.

    Args:
        owner: the prefix of every mark: our plugins, and not those of other daemons.
        unfinished: if set, a plugin that exits by itself may leave daemons running, as podman's
            dnsname does (on a cluster they would end with our container in any case). The
            directory then has a file for each run that has not ended: its processes are no daemons.
    """

    def __init__(self, owner: str, unfinished: Path | None = None) -> None:
        self._owner = owner
        self._unfinished = unfinished
        self._spares_daemons = unfinished is not None
        self._numbers = itertools.count(1)
        self._runs: dict[str, Run] = {}
        self._session = os.getsid(0)

    def begin(self) -> Run:
        """Add a run, before its program is started."""
        mark = f"{own_marks(self._owner)}{next(self._numbers)}"
        run = Run(mark, int(time.clock_gettime(time.CLOCK_BOOTTIME) * _TICKS))
        self._runs[mark] = run
        return run

    async def record(self, run: Run) -> None:
        """Write a file for a run, which the next daemon reads if this one is killed meanwhile."""
        directory = self._unfinished

        def work() -> None:
            if directory is not None:
                with suppress(OSError):  # a full disk: the next daemon then does not kill the run
                    directory.mkdir(mode=0o700, exist_ok=True)
                    (directory / run.mark).touch()

        if directory is not None:
            await shielded(start(work))

    async def end(self, run: Run, *, is_over: bool) -> None:
        """Remove a run, and kill the processes that it left.

        Args:
            run: its first process has exited and is reaped.
            is_over: it exited by itself.
        """
        self._runs.pop(run.mark, None)
        if self._unfinished is not None:
            await shielded(start(partial(remove_files, [self._unfinished / run.mark])))
        spared = is_over and self._spares_daemons
        for _ in range(_ROUNDS):
            if not self._unknown_children():
                return
            if not await shielded(start(lambda: self._kill_left("" if spared else run.mark))):
                return
            await asyncio.sleep(_PAUSE)

    async def end_orphans(self, run: Run) -> None:
        """Kill processes that left a run which is being killed: they may hold the pipes we read."""
        if self._unknown_children():
            await shielded(start(lambda: self._kill_left(run.mark)))

    def _unknown_children(self) -> list[int]:
        """Return our children but the first processes of runs; reads one file of /proc."""
        found = children(os.getpid())  # read first: a run is added before its process is started
        known = {run.pid for run in tuple(self._runs.values())}
        return [pid for pid in found if pid not in known]

    def _kill_left(self, over: str) -> bool:
        """Reap zombies and kill what no run needs; return whether anything was killed.

        Args:
            over: the mark of the run that ended; "" where it may leave daemons.
        """
        unknown = self._unknown_children()
        is_starting = any(not one.pid for one in tuple(self._runs.values()))
        found = False
        for pid in unknown:
            process = read_process(pid)
            if process is None or process.session == self._session:
                continue  # not of a plugin: every plugin has its own session
            if process.state == "Z":
                # It may be the first process of a run whose pid is not known yet.
                if not is_starting:
                    reap(pid)
            elif self._is_left(process, over):
                found = True
                kill_tree(pid)
                reap(pid)
        return found

    def _is_left(self, process: Process, over: str) -> bool:
        mark = mark_of(process.pid)
        if mark == over:
            return True
        if mark in self._runs or self._spares_daemons:
            return False
        if mark is not None and mark.startswith(f"{self._owner}."):
            return True
        # Without our mark it may belong to any run that began before it.
        return all(one.began > process.began for one in tuple(self._runs.values()))


def adopt_orphans() -> None:
    """Become the child subreaper; else processes that leave their group could not be found."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def unfinished_of(state_dir: Path) -> Path:
    """Return the directory with a file for each run that has not ended."""
    return state_dir / UNFINISHED


def owner_of(state_dir: Path) -> str:
    """Return the owner prefix of a state directory, the same for each daemon that uses it."""
    try:
        found = os.stat(state_dir)
    except OSError:  # not made yet: no daemon has run
        return f"{os.getpid():x}"
    return f"{found.st_dev:x}-{found.st_ino:x}"


def own_marks(owner: str) -> str:
    """Return the prefix of the marks of this process."""
    return f"{owner}.{os.getpid()}."


def remove_files(paths: Iterable[Path]) -> None:
    """Remove files; errors are ignored."""
    for path in paths:
        with suppress(OSError):
            path.unlink(missing_ok=True)
