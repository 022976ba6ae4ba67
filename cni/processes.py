"""Processes as /proc shows them (proc(5)), and their end. Everything here blocks."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

MARK: Final = "NETPLANE_EXEC"
"""The variable that every plugin and what it starts have in their environment."""


@dataclass(frozen=True, slots=True)
class Process:
    """A process as /proc/PID/stat shows it (proc_pid_stat(5))."""

    pid: int
    state: str
    parent: int
    session: int
    began: int


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


def user_of(pid: int) -> int:
    """Give the user of a process; -1 where it is gone."""
    with suppress(OSError, IndexError, ValueError), open(f"/proc/{pid}/status", "rb") as file:
        text = file.read()
        return int(text.partition(b"\nUid:")[2].split(None, 1)[0])
    return -1


def is_alive(pid: int) -> bool:
    """Tell whether a process is there, and not waiting to be reaped."""
    process = look(pid)
    return process is not None and process.state != "Z"


def kill_tree(pid: int) -> None:
    """Kill a process and what it started."""
    below = children(pid)
    kill(pid)
    for child in below:
        kill_tree(child)


def kill(pid: int) -> None:
    """Kill a process, where it is still there."""
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def reap(pid: int) -> None:
    """Take note of the end of a child of ours, where it has ended."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
