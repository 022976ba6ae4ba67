"""Work that must not stop half-way: kernel steps, address files, undo.

Invariant: a cancelled caller is told of its cancellation only when the work has ended and its undo,
where one is given, has run. So an undo never races with the work that it undoes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")


class ShieldedFuture(asyncio.Future[T]):
    """A future that cannot be cancelled; a cancelled task goes on awaiting it until it is done.

    `asyncio.shield` would need one more future, three callbacks and two turns of the event loop.
    """

    def cancel(self, msg: Any | None = None) -> bool:
        """Refuse; asyncio raises CancelledError in the awaiting task once this is done."""
        return False


async def shielded(work: Awaitable[T], undo: Callable[[T], Awaitable[object]] | None = None) -> T:
    """Await work to its end; where the caller was cancelled meanwhile, undo it and raise that.

    Args:
        work: a coroutine or future; work in a thread comes from `planes.run.jobs.start`.
        undo: called with the result of the work, awaited to its end too.
    """
    future = work if isinstance(work, ShieldedFuture) else _follow(asyncio.ensure_future(work))
    try:
        return await future
    except asyncio.CancelledError:
        # The exception is retrieved in any case: the caller gets the cancellation instead.
        if future.exception() is None and undo is not None:
            with suppress(Exception):
                await shielded(undo(future.result()))
        raise


def _follow(task: asyncio.Future[T]) -> ShieldedFuture[T]:
    """Return a future that ends as the task does."""
    future: ShieldedFuture[T] = ShieldedFuture(loop=task.get_loop())
    task.add_done_callback(lambda done: _copy(done, future))
    return future


def _copy(task: asyncio.Future[T], future: ShieldedFuture[T]) -> None:
    if task.cancelled():
        future.set_exception(asyncio.CancelledError())
    elif (error := task.exception()) is not None:
        future.set_exception(error)
    else:
        future.set_result(task.result())
