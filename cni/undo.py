"""A stack of reversals: each is pushed before the step it reverses starts.

Invariant: `unwind` runs every reversal once, last pushed first, and never stops at one that
fails. Whoever unwinds shields it (`cni.completion`).
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

_log = logging.getLogger(__name__)

Reversal = Callable[[], Awaitable[None]]


class Undo:
    """What to do, in reverse, should a later step fail."""

    def __init__(self) -> None:
        self._reversals: list[tuple[str, Reversal]] = []

    def __len__(self) -> int:
        """Count the reversals pushed and not yet run."""
        return len(self._reversals)

    def push(self, step: str, reversal: Reversal) -> None:
        """Remember how to reverse a step that is about to start."""
        self._reversals.append((step, reversal))

    async def unwind(self) -> None:
        """Run all reversals in reverse order; a failing one is logged and does not stop it."""
        while self._reversals:
            step, reversal = self._reversals.pop()
            try:
                await reversal()
            except Exception:
                _log.exception("cannot undo a step", extra={"step": step})
