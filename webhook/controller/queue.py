"""What has to be looked at: each key once, never by two at a time, later again where it failed.

Invariant: a key that was added is handled after that; added while it is being handled, it is
handled once more. Failures of one key delay that key alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from typing import Final, Generic, TypeVar

from planes.model.errors import PlanesError
from planes.run.clock import Clock

_log = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)

_FIRST_DELAY: Final = 0.5
_LONGEST_DELAY: Final = 60.0


class WorkQueue(Generic[K]):
    """Hands keys to a handler until cancelled.

    Args:
        handle: looks at a key; a `PlanesError` brings the key back later.
        chance: gives a number from 0 to 1; delays vary by it.
        failed: called for each failure, for a metric.
    """

    def __init__(
        self,
        handle: Callable[[K], Awaitable[None]],
        clock: Clock,
        *,
        chance: Callable[[], float],
        failed: Callable[[], None] = lambda: None,
    ) -> None:
        self._handle = handle
        self._clock = clock
        self._chance = chance
        self._failed = failed
        self._ready: deque[K] = deque()
        self._waiting: set[K] = set()
        self._busy: set[K] = set()
        self._failures: dict[K, int] = {}
        self._wake = asyncio.Event()
        self._delays: asyncio.TaskGroup | None = None

    def __len__(self) -> int:
        """Count the keys that wait for their turn."""
        return len(self._waiting)

    def add(self, key: K) -> None:
        """Have a key looked at."""
        if key in self._waiting:
            return
        self._waiting.add(key)
        if key not in self._busy:
            self._ready.append(key)
            self._wake.set()

    async def run(self, workers: int = 4) -> None:
        """Handle keys until cancelled, a few at once."""
        async with asyncio.TaskGroup() as group:
            self._delays = group
            for _ in range(workers):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            while not self._ready:
                self._wake.clear()
                await self._wake.wait()
            key = self._ready.popleft()
            self._waiting.discard(key)
            self._busy.add(key)
            try:
                await self._once(key)
                await asyncio.sleep(0)  # a look that has nothing to write waits for nothing
            finally:
                self._busy.discard(key)
                if key in self._waiting:
                    self._ready.append(key)
                    self._wake.set()

    async def _once(self, key: K) -> None:
        try:
            await self._handle(key)
        except PlanesError as error:
            self._failed()
            count = self._failures[key] = self._failures.get(key, 0) + 1
            facts = {"key": str(key), "failures": count, "reason": str(error)}
            _log.log(logging.INFO if count == 1 else logging.WARNING, "not done yet", extra=facts)
            delay = min(_FIRST_DELAY * 2.0 ** min(count - 1, 16), _LONGEST_DELAY)
            if self._delays is not None:
                self._delays.create_task(self._later(key, delay * (0.5 + self._chance() / 2)))
        else:
            self._failures.pop(key, None)

    async def _later(self, key: K, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self.add(key)
