"""Time as a collaborator: whoever needs it is given a `Clock`.

Invariant: nothing in the project reads the clock by itself, so every test can own time.
"""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """What our programs need to know of time."""

    def now(self) -> float:
        """Seconds since 1970 (UTC): for what people and other programs read."""
        ...

    def monotonic(self) -> float:
        """Seconds that never run backwards: for deadlines and durations."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; zero or less yields once."""
        ...


class SystemClock:
    """The machine's own time."""

    def now(self) -> float:
        """Seconds since 1970 (UTC)."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait in the event loop."""
        await asyncio.sleep(max(0.0, seconds))
