"""Undo of an ADD that fails half-way, cancelled ones included: in reverse, to its end.

An undo that fails is logged and does not hide why the ADD failed.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from cni.completion import complete

_log = logging.getLogger(__name__)

Step = Callable[[], Awaitable[None]]


class Undo:
    """The steps that take back what has been done so far."""

    def __init__(self) -> None:
        self._steps: list[Step] = []

    def push(self, step: Step) -> None:
        """Add the undo of what has just been done."""
        self._steps.append(step)

    async def run(self) -> None:
        """Take everything back, the last thing first."""
        while self._steps:
            try:
                await self._steps.pop()()
            except Exception:
                _log.exception("undo of a failed ADD left something behind")


@asynccontextmanager
async def rollback() -> AsyncIterator[Undo]:
    """Run the pushed steps where the body fails."""
    undo = Undo()
    try:
        yield undo
    except BaseException:
        await complete(undo.run())
        raise
