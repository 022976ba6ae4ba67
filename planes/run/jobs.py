"""Blocking work of an event loop, carried out in threads.

Invariant: its future cannot be cancelled (`planes.run.shielded`), since a thread cannot be stopped:
a cancelled caller is told when the work has ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, Generic, TypeVar

from planes.run.shielded import ShieldedFuture
from planes.run.thread_pool import ThreadPool

T = TypeVar("T")


class Job(Generic[T]):
    """A piece of work, made in an event loop's thread and carried out in another one.

    Args:
        work: called with the arguments of `carry_out`.

    Attributes:
        done: the future of the result.
    """

    __slots__ = ("_loop", "_work", "done")

    def __init__(self, work: Callable[..., T]) -> None:
        self._work = work
        self._loop = asyncio.get_running_loop()
        self.done: ShieldedFuture[T] = ShieldedFuture(loop=self._loop)

    def carry_out(self, *given: Any) -> bool:
        """Do the work in the calling thread; return whether it succeeded."""
        try:
            result = self._work(*given)
        except BaseException as error:
            self.refuse(error)
            return False
        self._call_in_loop(self.done.set_result, result)
        return True

    def refuse(self, error: BaseException) -> None:
        """Fail the job with an error."""
        if isinstance(error, StopIteration):  # no future takes it
            error = RuntimeError(f"a job raised {error!r}")
        self._call_in_loop(self.done.set_exception, error)

    def _call_in_loop(self, function: Callable[[Any], None], argument: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(function, argument)
        except RuntimeError:  # the loop is closed: nobody waits any more
            return


def start(work: Callable[[], T], executor: Executor | None = None) -> ShieldedFuture[T]:
    """Start work in an executor's thread; None = the event loop's own, which costs more."""
    job = Job(work)
    if executor is None:
        asyncio.get_running_loop().run_in_executor(None, job.carry_out)
    elif isinstance(executor, ThreadPool):
        executor.carry_out(job.carry_out)  # without a second future, which nobody would await
    else:
        executor.submit(job.carry_out)
    return job.done
