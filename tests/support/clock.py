"""A clock that stands still until a test moves it.

Invariant: `sleep` ends exactly when `advance` has passed its deadline, in order of deadlines.
"""

from __future__ import annotations

import asyncio


class FakeClock:
    """Implements `planes.run.clock.Clock`; `advance` moves time and wakes sleepers."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self._now = now
        self._monotonic = 1000.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    @property
    def sleepers(self) -> int:
        """How many wait now: lets a test see that a loop has come to its pause."""
        return sum(not future.done() for _, future in self._sleepers)

    def now(self) -> float:
        """Seconds since 1970, as set."""
        return self._now

    def monotonic(self) -> float:
        """Seconds that never run backwards, as advanced."""
        return self._monotonic

    async def sleep(self, seconds: float) -> None:
        """Wait until `advance` has moved that far."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._monotonic + seconds, future))
        await future

    def advance(self, seconds: float) -> None:
        """Move time forward and wake who is due; they run at the next turn of the loop."""
        self._now += seconds
        self._monotonic += seconds
        waiting = []
        for deadline, future in sorted(self._sleepers, key=lambda entry: entry[0]):
            if deadline > self._monotonic:
                waiting.append((deadline, future))
            elif not future.done():
                future.set_result(None)
        self._sleepers = waiting

    def set_wall(self, now: float) -> None:
        """Set the wall clock alone, as an administrator or NTP does."""
        self._now = now


class LeapingClock(FakeClock):
    """Time passes as soon as somebody waits for it: for what would wait for nobody."""

    async def sleep(self, seconds: float) -> None:
        """Advance, and let others run."""
        self.advance(seconds)
        await asyncio.sleep(0)
