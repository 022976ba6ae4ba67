"""The threads of a pool: a fixed number, and spare ones while some of them hang.

A thread in a system call cannot be stopped: a lock of another process, a FIFO or a network file
system may hold it for any time. Invariant: other work goes on beside it, it is reported
(`WorkerThreads.stuck`), and it does not keep the process from ending: all are daemon threads.
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
"""A thread that is busy for longer is replaced by a spare one while work waits."""

_OURS: Final = frozenset({"cni", "planes", "certs", "webhook", "tests"})
_OF_POOLS: Final = frozenset(
    {"planes.run.jobs", "planes.run.thread_pool", "planes.run.worker_threads"}
)


@dataclass(frozen=True, slots=True)
class StuckThread:
    """A thread that has been busy with one job for long.

    Attributes:
        seconds: for how long.
        where: the function that it is in, `cni.ipam.host_local_files.locked` for example.
    """

    seconds: float
    where: str


class WorkerThreads:
    """Starts and counts threads; their pool has the queue of jobs.

    Args:
        serve: run by each thread: takes jobs until it takes the end mark, or `is_surplus`.
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

    def expect_job(self) -> bool:
        """Count a job that is about to be queued; report whether a thread will take it."""
        with self._lock:
            self._pending += 1
            self._start_if_needed()
            if not self._threads:
                self._pending -= 1
                return False
        if self._pending > len(self._threads):
            self._watch()
        return True

    def begin_job(self) -> None:
        """Record that the calling thread begins a job."""
        self._busy[threading.get_ident()] = time.monotonic()

    def end_job(self) -> None:
        """Record that the calling thread has ended its job."""
        self._busy.pop(threading.get_ident(), None)
        with self._lock:
            self._pending -= 1

    def is_surplus(self) -> bool:
        """Report whether the calling thread is to end: one that hung goes on working."""
        if len(self._threads) <= self._limit:  # without the lock: looked at after every job
            return False
        with self._lock:
            if len(self._threads) <= self._most():
                return False
            self._threads.discard(threading.current_thread())
            return True

    def end_thread(self) -> None:
        """Record that the calling thread ends; another is started where jobs wait."""
        with self._lock:
            self._threads.discard(threading.current_thread())
            self._start_if_needed()

    def stuck(self, seconds: float) -> list[StuckThread]:
        """Return the threads that have been busy with one job for at least so long."""
        now = time.monotonic()
        frames = sys._current_frames()
        return [
            StuckThread(now - since, _where(frames.get(ident)))
            for ident, since in list(self._busy.items())
            if now - since >= seconds
        ]

    def stop(self, put_end: Callable[[], None], seconds: float) -> bool:
        """End all threads; report whether they ended in the time given.

        Args:
            put_end: puts the end mark for one thread into the queue.
            seconds: how long to wait for all of them.
        """
        with self._lock:
            self._spares = 0
            threads = list(self._threads)
        for _ in threads:
            put_end()
        until = time.monotonic() + seconds
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in threads)

    def _most(self) -> int:
        now = time.monotonic()
        slow = sum(now - since >= SLOW_SECONDS for since in list(self._busy.values()))
        return self._limit + min(slow, self._spares)

    def _start_if_needed(self) -> None:
        if len(self._threads) < self._pending and len(self._threads) < self._most():
            thread = threading.Thread(target=self._serve, name=self._name, daemon=True)
            self._threads.add(thread)
            try:
                thread.start()
            except RuntimeError:  # out of threads: those that run will do it
                self._threads.discard(thread)

    def _watch(self) -> None:
        """Look again in a moment, where there is an event loop: the busy threads may hang."""
        if self._is_watched:
            return
        with suppress(RuntimeError):
            asyncio.get_running_loop().call_later(SLOW_SECONDS, self._start_spares)
            self._is_watched = True

    def _start_spares(self) -> None:
        self._is_watched = False
        with self._lock:
            waiting = self._pending - len(self._threads)
            for _ in range(max(0, waiting)):
                self._start_if_needed()
        if self._pending > len(self._threads):
            self._watch()


def describe_stuck(stuck: list[StuckThread]) -> str:
    """Return one line about threads that hang, for how long, and where; "" where none does."""
    if not stuck:
        return ""
    worst = max(stuck, key=lambda one: one.seconds)
    many = f"{len(stuck)} threads hang" if len(stuck) > 1 else "a thread hangs"
    return f"{many}, for {worst.seconds:.0f} s in {worst.where}"


def _where(frame: FrameType | None) -> str:
    """Return the function of ours that a thread is in."""
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if module.partition(".")[0] in _OURS and module not in _OF_POOLS:
            return f"{module}.{frame.f_code.co_name}"
        frame = frame.f_back
    return "a system call"
