"""Rollback of work in several steps, where a later step fails or is cancelled.

Each undo is pushed before or right after the step that it reverses. Invariant: every undo runs
once, the last pushed first; one that fails is logged and stops no other; cancellation interrupts
none of them. The error of the failed step reaches the caller.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from types import TracebackType

from planes.run.shielded import shielded

_log = logging.getLogger(__name__)


class Rollback:
    """Run the pushed undos where the body of `async with Rollback() as rollback:` fails."""

    def __init__(self) -> None:
        self._undos: list[tuple[str, Callable[[], Awaitable[None]]]] = []

    def push(self, step: str, undo: Callable[[], Awaitable[None]]) -> None:
        """Add the undo of a step; `step` names it in the log."""
        self._undos.append((step, undo))

    async def __aenter__(self) -> Rollback:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            await shielded(self._run())

    async def _run(self) -> None:
        while self._undos:
            step, undo = self._undos.pop()
            try:
                await undo()
            except Exception:
                _log.exception("cannot undo a step", extra={"step": step})
