"""Jobs in the background, one for each key, where slow jobs do not keep others from running.

A job takes a slot. One that has not ended after a while gives its slot up and goes on without.
Invariant: whatever jobs wait for, a job that can run gets a slot soon, as long as fewer than
`most_slow` hang.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Final

SLOTS: Final = 16
SLOW_SECONDS: Final = 0.5
MOST_SLOW: Final = 256


@dataclass(frozen=True, slots=True)
class BackgroundJob:
    """A job that was started.

    Attributes:
        freed: done as soon as the job has given its slot up: it ended, or is slow.
        task: done when the job has ended.
    """

    freed: asyncio.Future[None]
    task: asyncio.Task[None]


class BackgroundJobs:
    """Runs jobs.

    Args:
        slots: most jobs at once, slow ones not counted.
        slow_seconds: after these a job is slow.
        most_slow: where so many are slow, a further one keeps its slot.
    """

    def __init__(
        self,
        *,
        slots: int = SLOTS,
        slow_seconds: float = SLOW_SECONDS,
        most_slow: int = MOST_SLOW,
    ) -> None:
        self._slots = asyncio.Semaphore(slots)
        self._slow_seconds = slow_seconds
        self._most_slow = most_slow
        self._slow = 0
        self._jobs: dict[Hashable, BackgroundJob] = {}

    def __len__(self) -> int:
        """Count the jobs that have not ended."""
        return len(self._jobs)

    def start(self, key: Hashable, work: Callable[[], Awaitable[object]]) -> BackgroundJob:
        """Run a job as soon as a slot is free; where one of the key has not ended, return that.

        Args:
            key: whose job it is.
            work: must not raise; what it raises is raised where its task is awaited.
        """
        known = self._jobs.get(key)
        if known is not None:
            return known
        freed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        task = asyncio.ensure_future(self._run(key, work, freed))
        job = self._jobs[key] = BackgroundJob(freed, task)
        return job

    async def close(self) -> None:
        """Cancel all jobs and await their end."""
        tasks = [job.task for job in self._jobs.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _run(
        self, key: Hashable, work: Callable[[], Awaitable[object]], freed: asyncio.Future[None]
    ) -> None:
        try:
            async with self._slots:
                task = asyncio.ensure_future(work())
                try:
                    await asyncio.wait({task}, timeout=self._slow_seconds)
                    if not task.done() and self._slow >= self._most_slow:
                        await asyncio.wait({task})
                except asyncio.CancelledError:
                    await _cancelled(task)
                    raise
            if not task.done():
                _set(freed)
                await self._without_slot(task)
            task.result()
        finally:
            # First the key: a waiter that learns of the end may start the next job of the key.
            self._jobs.pop(key, None)
            _set(freed)

    async def _without_slot(self, task: asyncio.Future[object]) -> None:
        self._slow += 1
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            await _cancelled(task)
            raise
        finally:
            self._slow -= 1


async def ended_or_slow(jobs: Iterable[BackgroundJob]) -> int:
    """Wait until each job has ended or is slow; return how many are slow."""
    waited_for = list(jobs)
    if waited_for:
        await asyncio.wait([job.freed for job in waited_for])
    return sum(not job.task.done() for job in waited_for)


async def all_ended(jobs: Iterable[BackgroundJob]) -> None:
    """Wait until each job has ended.

    Raises:
        Exception: the first one that a job raised.
    """
    await asyncio.gather(*(job.task for job in jobs))


def _set(freed: asyncio.Future[None]) -> None:
    if not freed.done():
        freed.set_result(None)


async def _cancelled(task: asyncio.Future[object]) -> None:
    task.cancel()
    await asyncio.wait({task})
