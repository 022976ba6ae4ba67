"""Time, as an object that is passed in.

Invariant: nothing in the project reads the system's clock by itself, so a test can set the time.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


def rfc3339(now: float) -> str:
    """Return a time, in seconds since 1970, as Kubernetes writes it: `2026-11-21T08:23:36Z`."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Clock(Protocol):
    """The time, and waiting."""

    def now(self) -> float:
        """Return the seconds since 1970 (UTC), for people and other programs."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never run backwards, for deadlines and durations."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; zero or less yields once."""
        ...


class SystemClock:
    """The system's time."""

    def now(self) -> float:
        """Return the seconds since 1970 (UTC)."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait in the event loop."""
        await asyncio.sleep(max(0.0, seconds))
