"""Whatever a plugin started ends with it, also what left its process group and session.

The daemon is made the reaper of orphans (PR_SET_CHILD_SUBREAPER, prctl(2)): what outlives the
process that started it becomes our child, however often it forked. Each run carries a mark in its
environment, which its children inherit; a process that took the mark off is told by when it began.
Control groups would do as well, but a container has them in many shapes, some read-only.
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

from cni.processes import Process, children, kill_tree, look, mark_of, reap
from planes.run.jobs import ended, start

_PR_SET_CHILD_SUBREAPER: Final = 36
UNFINISHED: Final = "running"
"""The directory below the state directory that names them."""
_ROUNDS: Final = 40  # a process in the middle of a system call takes a moment to die
_PAUSE: Final = 0.01
_TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True, eq=False)
class Run:
    """One run of a plugin.

    Attributes:
        mark: the value of `MARK` in its environment.
        began: in clock ticks since boot.
        pid: of its first process, which asyncio reaps; 0 before it is known.
    """

    mark: str
    began: int
    pid: int = 0


class Containment:
    """Knows which runs go on, and ends what is left of those that ended.

    Args:
        owner: begins every mark; tells this daemon's plugins from those of others.
        unfinished: with it a plugin that ended by itself may leave processes behind, as podman's
            dnsname does (on a cluster they would die with our container in any case). The
            directory then names the runs that have not ended: what they left is no daemon.
    """

    def __init__(self, owner: str, unfinished: Path | None = None) -> None:
        self._owner = owner
        self._unfinished = unfinished
        self._spares_daemons = unfinished is not None
        self._numbers = itertools.count(1)
        self._runs: dict[str, Run] = {}
        self._session = os.getsid(0)

    def begin(self) -> Run:
        """Take note of a run before its program is started."""
        mark = f"{own_marks(self._owner)}{next(self._numbers)}"
        run = Run(mark, int(time.clock_gettime(time.CLOCK_BOOTTIME) * _TICKS))
        self._runs[mark] = run
        return run

    async def name(self, run: Run) -> None:
        """Name a run where the next life finds it, should this one be killed meanwhile."""
        directory = self._unfinished

        def work() -> None:
            if directory is not None:
                with suppress(OSError):  # a full disk: then nobody ends it after a kill -9
                    directory.mkdir(mode=0o700, exist_ok=True)
                    (directory / run.mark).touch()

        if directory is not None:
            await ended(start(work))

    async def end(self, run: Run, *, is_over: bool) -> None:
        """Take note of a run's end, and kill what it left.

        Args:
            run: whose first process is gone, and reaped.
            is_over: it ended by itself.
        """
        self._runs.pop(run.mark, None)
        if self._unfinished is not None:
            await ended(start(partial(forget, [self._unfinished / run.mark])))
        spared = is_over and self._spares_daemons
        for _ in range(_ROUNDS):
            if not self._strangers():
                return
            if not await ended(start(lambda: self._sweep("" if spared else run.mark))):
                return
            await asyncio.sleep(_PAUSE)

    async def end_orphans(self, run: Run) -> None:
        """Kill what has left a run that is being killed: it may hold the pipes we wait for."""
        if self._strangers():
            await ended(start(lambda: self._sweep(run.mark)))

    def _strangers(self) -> list[int]:
        """Give our children that are no first process of a run: one look at one file of /proc."""
        found = children(os.getpid())  # first: a run is noted before its process is started
        known = {run.pid for run in tuple(self._runs.values())}
        return [pid for pid in found if pid not in known]

    def _sweep(self, over: str) -> bool:
        """Reap what is dead, kill what no run needs; tells whether anything was killed.

        Args:
            over: the mark of the run that ended; "" where it may leave something behind.
        """
        strangers = self._strangers()
        is_starting = any(not one.pid for one in tuple(self._runs.values()))
        found = False
        for pid in strangers:
            process = look(pid)
            if process is None or process.session == self._session:
                continue  # not of a plugin: each has a session of its own
            if process.state == "Z":
                # It may be the first process of a run that asyncio has not told us of yet.
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
        # Without a mark of ours it may belong to any run that had begun before it.
        return all(one.began > process.began for one in tuple(self._runs.values()))


def adopt_orphans() -> None:
    """Become the parent of what our plugins leave; without it they can only be killed by group."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def unfinished_of(state_dir: Path) -> Path:
    """Give where the runs of plugins that may leave daemons are named while they run."""
    return state_dir / UNFINISHED


def owner_of(state_dir: Path) -> str:
    """Give what marks the plugins of whoever holds a state directory; of one life or the next."""
    try:
        found = os.stat(state_dir)
    except OSError:  # not made yet: then nobody was before us
        return f"{os.getpid():x}"
    return f"{found.st_dev:x}-{found.st_ino:x}"


def own_marks(owner: str) -> str:
    """Give how the marks of this very process begin."""
    return f"{owner}.{os.getpid()}."


def forget(paths: Iterable[Path]) -> None:
    """Remove files, as far as that can be done."""
    for path in paths:
        with suppress(OSError):
            path.unlink(missing_ok=True)
