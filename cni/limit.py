"""A limit of time for several steps one after the other, each of which may hang."""

from __future__ import annotations

import asyncio
from typing import Final

_LEAST: Final = 1.0  # seconds: what does not hang takes milliseconds


class Limit:
    """Time that there is.

    Args:
        seconds: from now on; None for no limit.
    """

    def __init__(self, seconds: float | None) -> None:
        self._until = None if seconds is None else asyncio.get_running_loop().time() + seconds

    def part(self, share: float) -> Limit:
        """Give a share of what is left, as a limit of its own."""
        left = self.left()
        return Limit(None if left is None else left * share)

    def left(self) -> float | None:
        """Give the seconds that are left, at least one; None where there is no limit."""
        if self._until is None:
            return None
        return max(_LEAST, self._until - asyncio.get_running_loop().time())
