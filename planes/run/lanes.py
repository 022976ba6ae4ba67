"""Work in the background, one job for each key, where slow jobs keep no other from its turn.

A job takes a lane; one that has not ended after a while leaves its lane and goes on beside.
Invariant: whatever jobs wait for, a job that is ready to run gets a lane soon, as long as fewer
than `most_slow` hang.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Final

LANES: Final = 16
PATIENCE: Final = 0.5
MOST_SLOW: Final = 256


@dataclass(frozen=True, slots=True)
class Job:
    """A piece of work under way.

    Attributes:
        left: done as soon as the job has left its lane: it ended, or is slow.
        task: done when the job has ended.
    """

    left: asyncio.Future[None]
    task: asyncio.Task[None]


class Lanes:
    """Runs jobs.

    Args:
        lanes: most jobs at once, slow ones not counted.
        patience: seconds after which a job is slow.
        most_slow: beyond these a slow job keeps its lane.
    """

    def __init__(
        self, *, lanes: int = LANES, patience: float = PATIENCE, most_slow: int = MOST_SLOW
    ) -> None:
        self._free = asyncio.Semaphore(lanes)
        self._patience = patience
        self._most_slow = most_slow
        self._slow = 0
        self._jobs: dict[Hashable, Job] = {}

    def __len__(self) -> int:
        """Count the jobs that have not ended."""
        return len(self._jobs)

    def put(self, key: Hashable, work: Callable[[], Awaitable[object]]) -> Job:
        """Start a job as soon as a lane is free; where one of the key is under way, give that.

        Args:
            key: whose job it is.
            work: must not raise; what it raises is raised where its task is awaited.
        """
        known = self._jobs.get(key)
        if known is not None:
            return known
        left: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        task = asyncio.ensure_future(self._carry_out(key, work, left))
        job = self._jobs[key] = Job(left, task)
        return job

    async def close(self) -> None:
        """Cancel all jobs and await their end."""
        tasks = [job.task for job in self._jobs.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _carry_out(
        self, key: Hashable, work: Callable[[], Awaitable[object]], left: asyncio.Future[None]
    ) -> None:
        try:
            async with self._free:
                task = asyncio.ensure_future(work())
                try:
                    await asyncio.wait({task}, timeout=self._patience)
                    if not task.done() and self._slow >= self._most_slow:
                        await asyncio.wait({task})
                except asyncio.CancelledError:
                    await _cancelled(task)
                    raise
            if not task.done():
                _tell(left)
                await self._beside(task)
            task.result()
        finally:
            # First the key: who is told that the job has ended may put the next one.
            self._jobs.pop(key, None)
            _tell(left)

    async def _beside(self, task: asyncio.Future[object]) -> None:
        self._slow += 1
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            await _cancelled(task)
            raise
        finally:
            self._slow -= 1


async def have_left(jobs: Iterable[Job]) -> int:
    """Wait until each job has ended or is slow; return how many are slow."""
    waited_for = list(jobs)
    if waited_for:
        await asyncio.wait([job.left for job in waited_for])
    return sum(not job.task.done() for job in waited_for)


async def have_ended(jobs: Iterable[Job]) -> None:
    """Wait until each job has ended.

    Raises:
        Exception: what the first one raised that did.
    """
    await asyncio.gather(*(job.task for job in jobs))


def _tell(left: asyncio.Future[None]) -> None:
    if not left.done():
        left.set_result(None)


async def _cancelled(task: asyncio.Future[object]) -> None:
    task.cancel()
    await asyncio.wait({task})
