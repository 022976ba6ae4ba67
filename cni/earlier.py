"""The plugins of an earlier life of the daemon, which was killed: they end before we begin."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Final

from cni.contain import forget, own_marks
from cni.processes import is_alive, kill, mark_of, user_of

_PAUSE: Final = 0.01


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
    have_looked = threading.Event()
    threading.Thread(
        target=_end_all, args=(owner, unfinished, left, have_looked), daemon=True
    ).start()
    until = time.monotonic() + seconds
    have_looked.wait(seconds)
    while any(is_alive(pid) for pid in tuple(left)) and time.monotonic() < until:
        time.sleep(_PAUSE)
    return len(left)


def _end_all(
    owner: str, unfinished: Path | None, found: list[int], have_looked: threading.Event
) -> None:
    """Kill what bears a mark of the owner's: first what runs as our own user does.

    Any user can have the reading of an environment of his wait for ever, with a file system of his
    own behind it. A program that gave up its user may be among theirs; nobody waits for that.
    """
    paths = [] if unfinished is None else _listed(unfinished)
    names = None if unfinished is None else {path.name for path in paths}
    pids = [
        int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()
    ]
    ours = [pid for pid in pids if user_of(pid) == os.geteuid()]
    for pid in ours:
        _end_marked(pid, owner, names, found)
    have_looked.set()
    for pid in set(pids).difference(ours):
        _end_marked(pid, owner, names, found)
    forget(paths)


def _end_marked(pid: int, owner: str, names: Collection[str] | None, found: list[int]) -> None:
    mark = mark_of(pid)
    # Not our own: a number may be given anew before it is looked at.
    if mark is None or not mark.startswith(f"{owner}.") or mark.startswith(own_marks(owner)):
        return
    if names is None or mark in names:
        found.append(pid)
        kill(pid)


def _listed(directory: Path) -> list[Path]:
    with suppress(OSError):
        return list(directory.iterdir())
    return []
