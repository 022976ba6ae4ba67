"""Blocking work in threads, awaited to its end.

Invariant: who awaits an `Outcome` and is cancelled hears of it when the work has ended, not before:
so an undo never races with what it undoes. asyncio's own way (`run_in_executor` and `shield`)
needs two futures, three callbacks and two turns of the event loop for one result, which counts
with a dozen jobs in an ADD.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Outcome(asyncio.Future[T]):
    """The future of a job; it cannot be cancelled, its awaiter is when the job has ended."""

    def cancel(self, msg: Any | None = None) -> bool:
        """Refuse: a task that awaits this is then cancelled as soon as this is done."""
        return False


class Job(Generic[T]):
    """A piece of work, given away by an event loop's thread and carried out in another.

    Args:
        work: what to do; gets what `carry_out` is given.
    """

    __slots__ = ("_loop", "_work", "done")

    def __init__(self, work: Callable[..., T]) -> None:
        self._work = work
        self._loop = asyncio.get_running_loop()
        self.done: Outcome[T] = Outcome(loop=self._loop)

    def carry_out(self, *given: Any) -> bool:
        """Do the work in the calling thread; tells whether it succeeded."""
        try:
            result = self._work(*given)
        except BaseException as error:
            self.refuse(error)
            return False
        self._tell(self.done.set_result, result)
        return True

    def refuse(self, error: BaseException) -> None:
        """Say that the work failed."""
        if isinstance(error, StopIteration):  # no future takes it
            error = RuntimeError(f"a job raised {error!r}")
        self._tell(self.done.set_exception, error)

    def _tell(self, say: Callable[[Any], None], what: Any) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(say, what)


def start(work: Callable[[], T], executor: Executor | None = None) -> Outcome[T]:
    """Have work done in an executor's thread; None = the event loop's own, which costs more."""
    job = Job(work)
    if executor is None:
        asyncio.get_running_loop().run_in_executor(None, job.carry_out)
    else:
        executor.submit(job.carry_out)
    return job.done


async def ended(done: Outcome[T], undo: Callable[[T], Outcome[Any]] | None = None) -> T:
    """Await a job; where the caller was cancelled meanwhile, await its undo and raise that."""
    try:
        return await done
    except asyncio.CancelledError:
        # Retrieved in any case: the caller hears of the cancellation instead.
        if done.exception() is None and undo is not None:
            with suppress(Exception):
                await undo(done.result())
        raise
