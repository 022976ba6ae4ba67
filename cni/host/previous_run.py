"""Kills plugins that a previous run of the daemon left when it was killed."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Final

from cni.host.containment import own_marks, remove_files
from cni.host.processes import is_alive, kill, mark_of, user_of

_PAUSE: Final = 0.01


def kill_previous(owner: str, unfinished: Path | None = None, seconds: float = 2.0) -> int:
    """Kill the plugins of a previous run, and return how many there were. Blocks.

    A plugin that still attaches would race with the undo of its call. Reading the environment of a
    process that hangs in the kernel may hang, which must not keep the daemon from starting.

    Args:
        owner: the prefix of their marks.
        unfinished: the directory of the runs that had not ended; None = all with a mark.
        seconds: timeout of the search, and of waiting until they have exited.
    """
    left: list[int] = []
    have_looked = threading.Event()
    threading.Thread(
        target=_kill_all, args=(owner, unfinished, left, have_looked), daemon=True
    ).start()
    until = time.monotonic() + seconds
    have_looked.wait(seconds)
    while any(is_alive(pid) for pid in tuple(left)) and time.monotonic() < until:
        time.sleep(_PAUSE)
    return len(left)


def _kill_all(
    owner: str, unfinished: Path | None, found: list[int], have_looked: threading.Event
) -> None:
    """Kill processes with a mark of the owner: first those of our own user.

    Any user can make reading the environment of their process hang, by a file system of their own.
    So the search among other users' processes, where a plugin that changed its user would be, is
    not waited for.
    """
    paths = [] if unfinished is None else _listed(unfinished)
    names = None if unfinished is None else {path.name for path in paths}
    pids = [
        int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()
    ]
    ours = [pid for pid in pids if user_of(pid) == os.geteuid()]
    for pid in ours:
        _kill_marked(pid, owner, names, found)
    have_looked.set()
    for pid in set(pids).difference(ours):
        _kill_marked(pid, owner, names, found)
    remove_files(paths)


def _kill_marked(pid: int, owner: str, names: Collection[str] | None, found: list[int]) -> None:
    mark = mark_of(pid)
    # Not one of ours: a pid may be reused before it is read.
    if mark is None or not mark.startswith(f"{owner}.") or mark.startswith(own_marks(owner)):
        return
    if names is None or mark in names:
        found.append(pid)
        kill(pid)


def _listed(directory: Path) -> list[Path]:
    with suppress(OSError):
        return list(directory.iterdir())
    return []
