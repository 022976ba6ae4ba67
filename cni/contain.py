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
import signal
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from planes.run.jobs import ended, start

MARK: Final = "NETPLANE_EXEC"
_PR_SET_CHILD_SUBREAPER: Final = 36
_ROUNDS: Final = 40  # a process in the middle of a system call takes a moment to die
_PAUSE: Final = 0.01
_TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Process:
    """A process as /proc/PID/stat shows it (proc_pid_stat(5))."""

    pid: int
    state: str
    parent: int
    session: int
    began: int


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
        mark = f"{self._owner}.{os.getpid()}.{next(self._numbers)}"
        run = Run(mark, int(time.clock_gettime(time.CLOCK_BOOTTIME) * _TICKS))
        self._runs[mark] = run
        if self._unfinished is not None:
            with suppress(OSError):  # a full disk: then nobody ends it after a kill -9
                self._unfinished.mkdir(mode=0o700, exist_ok=True)
                (self._unfinished / mark).touch()
        return run

    async def end(self, run: Run, *, is_over: bool) -> None:
        """Take note of a run's end, and kill what it left.

        Args:
            run: whose first process is gone, and reaped.
            is_over: it ended by itself.
        """
        self._runs.pop(run.mark, None)
        if self._unfinished is not None:
            with suppress(OSError):
                (self._unfinished / run.mark).unlink(missing_ok=True)
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
                    _reap(pid)
            elif self._is_left(process, over):
                found = True
                _kill_tree(pid)
                _reap(pid)
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
    return state_dir / "running"


def owner_of(state_dir: Path) -> str:
    """Give what marks the plugins of whoever holds a state directory; of one life or the next."""
    try:
        found = os.stat(state_dir)
    except OSError:  # not made yet: then nobody was before us
        return f"{os.getpid():x}"
    return f"{found.st_dev:x}-{found.st_ino:x}"


def end_earlier(owner: str, unfinished: Path | None = None, seconds: float = 2.0) -> int:
    """Kill the plugins of an earlier life, which was killed itself; how many there were. Blocks.

    Otherwise one that goes on attaching would race with its undo. The environment of a process that
    hangs in the kernel may not be readable, which must not keep us from starting.

    Args:
        owner: of that life's marks.
        unfinished: names the runs that had not ended; None means whatever bears a mark.
        seconds: how long to look for them, and to wait until they are gone.
    """
    left: list[int] = []
    thread = threading.Thread(target=_end_all, args=(owner, unfinished, left), daemon=True)
    thread.start()
    until = time.monotonic() + seconds
    thread.join(seconds)
    while any(_is_alive(pid) for pid in tuple(left)) and time.monotonic() < until:
        time.sleep(_PAUSE)
    return len(left)


def _end_all(owner: str, unfinished: Path | None, found: list[int]) -> None:
    names = _take(unfinished) if unfinished is not None else None
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        mark = mark_of(pid) if pid != os.getpid() else None
        if mark is None or not mark.startswith(f"{owner}."):
            continue
        if names is None or mark in names:
            found.append(pid)
            _kill(pid)


def children(pid: int) -> list[int]:
    """Give the children of a process's threads; of ourselves only those of the main thread.

    Orphans become children of the main thread; what our other threads start is waited for there.
    """
    threads = [str(pid)]
    if pid != os.getpid():
        with suppress(OSError):
            threads = os.listdir(f"/proc/{pid}/task")
    found: list[int] = []
    for thread in threads:
        try:
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                found += map(int, file.read().split())
        except OSError:
            if pid == os.getpid():  # a kernel without that file (CONFIG_PROC_CHILDREN)
                return _with_parent(pid)
    return found


def _with_parent(parent: int) -> list[int]:
    pids = map(int, filter(str.isdigit, os.listdir("/proc")))
    return [one.pid for one in map(look, pids) if one is not None and one.parent == parent]


def look(pid: int) -> Process | None:
    """Look at a process; None where it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return Process(pid, fields[0].decode(), int(fields[1]), int(fields[3]), int(fields[19]))


def mark_of(pid: int) -> str | None:
    """Give the mark in a process's environment; None where there is none."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            variables = file.read().split(b"\0")
    except OSError:
        return None
    prefix = f"{MARK}=".encode()
    found = [one[len(prefix) :] for one in variables if one.startswith(prefix)]
    return found[0].decode(errors="replace") if found else None


def _take(directory: Path) -> frozenset[str]:
    """Give the names in a directory, and remove them."""
    names: set[str] = set()
    with suppress(OSError):
        for path in directory.iterdir():
            names.add(path.name)
            path.unlink()
    return frozenset(names)


def _is_alive(pid: int) -> bool:
    process = look(pid)
    return process is not None and process.state != "Z"


def _kill_tree(pid: int) -> None:
    below = children(pid)
    _kill(pid)
    for child in below:
        _kill_tree(child)


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def _reap(pid: int) -> None:
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
