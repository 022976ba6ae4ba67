"""Reads processes from /proc (proc(5)), kills and reaps them. All functions block."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

MARK: Final = "NETPLANE_EXEC"
"""The environment variable with the mark of a run, in a plugin and its child processes."""


@dataclass(frozen=True, slots=True)
class Process:
    """A process as /proc/PID/stat shows it (proc_pid_stat(5))."""

    pid: int
    state: str
    parent: int
    session: int
    began: int


def children(pid: int) -> list[int]:
    """Return the children of all threads of a process; for our own pid those of the main thread.

    Orphans become children of the main thread; other threads of ours wait for theirs.
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
    return [one.pid for one in map(read_process, pids) if one is not None and one.parent == parent]


def read_process(pid: int) -> Process | None:
    """Return a process; None where it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return Process(pid, fields[0].decode(), int(fields[1]), int(fields[3]), int(fields[19]))


def mark_of(pid: int) -> str | None:
    """Return the mark in a process's environment; None where there is none."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            variables = file.read().split(b"\0")
    except OSError:
        return None
    prefix = f"{MARK}=".encode()
    found = [one[len(prefix) :] for one in variables if one.startswith(prefix)]
    return found[0].decode(errors="replace") if found else None


def user_of(pid: int) -> int:
    """Return the real UID of a process; -1 where it is gone."""
    with suppress(OSError, IndexError, ValueError), open(f"/proc/{pid}/status", "rb") as file:
        text = file.read()
        return int(text.partition(b"\nUid:")[2].split(None, 1)[0])
    return -1


def is_alive(pid: int) -> bool:
    """Report whether a process runs: it exists and is no zombie."""
    process = read_process(pid)
    return process is not None and process.state != "Z"


def kill_tree(pid: int) -> None:
    """Kill a process and its descendants."""
    below = children(pid)
    kill(pid)
    for child in below:
        kill_tree(child)


def kill(pid: int) -> None:
    """Kill a process; one that is gone is fine."""
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def reap(pid: int) -> None:
    """Reap a child, if it has exited."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
