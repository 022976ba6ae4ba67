"""The threads of a pool: a fixed number, and spare ones while some of them hang.

A thread in a system call cannot be stopped: a foreign lock, a FIFO, a network file system keep it
for as long as they like. Such a thread must not be missed by the others' work, must be seen by
whoever looks after the node, and must not keep the process from ending: all are daemon threads.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType
from typing import Final

SLOW_SECONDS: Final = 0.5
"""From here on a thread does not count any more, as long as others wait for one."""

_OURS: Final = frozenset({"cni", "planes", "certs", "webhook", "tests"})
_PLUMBING: Final = frozenset({"planes.run.jobs", "planes.run.crew", "planes.run.threads"})


@dataclass(frozen=True, slots=True)
class Stuck:
    """A thread that is at one piece of work for long: for how many seconds, and where it stands."""

    seconds: float
    where: str


class Crew:
    """Starts and counts threads; their owner has the queue they take work from.

    Args:
        serve: what a thread does: takes work until it takes the order to go, or `is_surplus`.
        name: of the threads.
        limit: most threads that work.
        spares: most threads beside those, in place of ones that hang.
    """

    def __init__(
        self, serve: Callable[[], None], *, name: str, limit: int, spares: int = 8
    ) -> None:
        self._serve = serve
        self._name = name
        self._limit = limit
        self._spares = spares
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        self._busy: dict[int, float] = {}
        self._pending = 0
        self._is_watched = False

    def enlist(self) -> bool:
        """Take note of a piece of work; tells whether there is a thread for it, now or later."""
        with self._lock:
            self._pending += 1
            self._start_if_needed()
            if not self._threads:
                self._pending -= 1
                return False
        if self._pending > len(self._threads):
            self._watch()
        return True

    def begin(self) -> None:
        """Say that the calling thread begins a piece of work."""
        self._busy[threading.get_ident()] = time.monotonic()

    def end(self) -> None:
        """Say that the calling thread has ended it."""
        self._busy.pop(threading.get_ident(), None)
        with self._lock:
            self._pending -= 1

    def is_surplus(self) -> bool:
        """Tell whether the calling thread may go: one that hung is back."""
        with self._lock:
            if len(self._threads) <= self._most():
                return False
            self._threads.discard(threading.current_thread())
            return True

    def leave(self) -> None:
        """Say that the calling thread goes; another takes its place where there is work."""
        with self._lock:
            self._threads.discard(threading.current_thread())
            self._start_if_needed()

    def stuck(self, seconds: float) -> list[Stuck]:
        """Give the threads that are at one piece of work for so long."""
        now = time.monotonic()
        frames = sys._current_frames()
        return [
            Stuck(now - since, _where(frames.get(ident)))
            for ident, since in list(self._busy.items())
            if now - since >= seconds
        ]

    def dismiss(self, order: Callable[[], None], seconds: float) -> bool:
        """Have all threads go; tells whether they went in the time given.

        Args:
            order: puts the order to go into the queue, for one thread.
            seconds: how long to wait for all of them.
        """
        with self._lock:
            self._spares = 0
            threads = list(self._threads)
        for _ in threads:
            order()
        until = time.monotonic() + seconds
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in threads)

    def _most(self) -> int:
        now = time.monotonic()
        slow = sum(now - since >= SLOW_SECONDS for since in list(self._busy.values()))
        return self._limit + min(slow, self._spares)

    def _start_if_needed(self) -> None:
        if len(self._threads) < min(self._pending, self._most()):
            thread = threading.Thread(target=self._serve, name=self._name, daemon=True)
            self._threads.add(thread)
            try:
                thread.start()
            except RuntimeError:  # out of threads: those that run will do it
                self._threads.discard(thread)

    def _watch(self) -> None:
        """Look again in a moment, where an event loop can: those that are at work may hang."""
        if self._is_watched:
            return
        with suppress(RuntimeError):
            asyncio.get_running_loop().call_later(SLOW_SECONDS, self._relieve)
            self._is_watched = True

    def _relieve(self) -> None:
        self._is_watched = False
        with self._lock:
            waiting = self._pending - len(self._threads)
            for _ in range(max(0, waiting)):
                self._start_if_needed()
        if self._pending > len(self._threads):
            self._watch()


def told(stuck: list[Stuck]) -> str:
    """Say in one line which threads hang, for how long, and where; "" where none does."""
    if not stuck:
        return ""
    worst = max(stuck, key=lambda one: one.seconds)
    many = f"{len(stuck)} threads hang" if len(stuck) > 1 else "a thread hangs"
    return f"{many}, for {worst.seconds:.0f} s in {worst.where}"


def _where(frame: FrameType | None) -> str:
    """Give the function of ours that a thread is in."""
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if module.partition(".")[0] in _OURS and module not in _PLUMBING:
            return f"{module}.{frame.f_code.co_name}"
        frame = frame.f_back
    return "a system call"
