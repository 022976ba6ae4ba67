"""Work that must not stop half-way: kernel steps, address files, undo.

A cancelled caller hears of its cancellation only when the work has ended, and an undo, where one
is given, has run: so an undo never races with what it undoes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")


async def complete(work: Awaitable[T], undo: Callable[[T], Awaitable[None]] | None = None) -> T:
    """Await work to its end; where the caller was cancelled meanwhile, undo it and raise that."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await _end(task)
        if undo is not None and not task.cancelled() and task.exception() is None:
            await _end(asyncio.ensure_future(undo(task.result())))
        raise


async def _end(task: asyncio.Future[Any]) -> None:
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            continue  # a second cancellation changes nothing: the work must end first
    if not task.cancelled():
        task.exception()  # retrieved: the caller hears of the cancellation instead
