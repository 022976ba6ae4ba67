"""A deadline shared by several steps one after the other, each of which may hang."""

from __future__ import annotations

import asyncio
from typing import Final

_LEAST: Final = 1.0  # seconds; a step that does not hang takes milliseconds


class Deadline:
    """A point in time until which steps may run.

    Args:
        seconds: from now on; None for no limit.
    """

    def __init__(self, seconds: float | None) -> None:
        self._until = None if seconds is None else asyncio.get_running_loop().time() + seconds

    def part(self, share: float) -> Deadline:
        """Return a deadline after a share (0 to 1) of the remaining time."""
        remaining = self.remaining()
        return Deadline(None if remaining is None else remaining * share)

    def remaining(self) -> float | None:
        """Return the remaining seconds, at least one; None for no limit."""
        if self._until is None:
            return None
        return max(_LEAST, self._until - asyncio.get_running_loop().time())
