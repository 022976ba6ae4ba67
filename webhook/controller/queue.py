"""A rate-limited work queue, as client-go has it: each key once, never two workers at one key.

Invariant: a key that was added is handled after that; added while it is being handled, it is
handled once more. Failures of one key delay that key alone. A key whose writes follow each other
closely, because another client undoes them, is delayed longer and longer: the conflict does not
become a flood of requests.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from typing import Final, Generic, TypeVar

from planes.model.errors import PlanesError
from planes.run.backoff import Backoff, Randomness
from planes.run.clock import Clock

_log = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)

_FIRST_DELAY: Final = 0.5
_LONGEST_DELAY: Final = 60.0
_FREE_WRITES: Final = 4
_CLOSE_SECONDS: Final = 10.0
_MOST_PACES: Final = 4096


class WorkQueue(Generic[K]):
    """Hands keys to a handler until cancelled.

    Args:
        handle: reconciles a key, and returns whether it wrote something that is meant to last; an
            exception has the key handled again later.
        randomness: makes delays shorter, by up to half.
        failed: called for each failure, for a metric.
    """

    def __init__(
        self,
        handle: Callable[[K], Awaitable[bool]],
        clock: Clock,
        *,
        randomness: Randomness,
        failed: Callable[[], None] = lambda: None,
    ) -> None:
        self._handle = handle
        self._clock = clock
        self._backoff = Backoff(
            _FIRST_DELAY, _LONGEST_DELAY, jitter=(0.5, 1.0), randomness=randomness
        )
        self._failed = failed
        self._ready: deque[K] = deque()
        self._waiting: set[K] = set()
        self._busy: set[K] = set()
        self._failures: dict[K, int] = {}
        self._paces: dict[K, tuple[float, int]] = {}  # the last write, and how many close ones
        self._held: set[K] = set()
        self._delays: dict[K, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()
        self._group: asyncio.TaskGroup | None = None

    def __len__(self) -> int:
        """Count the keys that wait to be handled."""
        return len(self._waiting)

    def add(self, key: K) -> None:
        """Have a key handled: something about it has changed."""
        if key in self._waiting:
            return
        self._waiting.add(key)
        if key not in self._busy and key not in self._held:
            self._enqueue(key)

    def remind(self, key: K) -> None:
        """Have a key handled though nothing has changed; one that is delayed stays delayed."""
        if key not in self._delays:
            self.add(key)

    async def run(self, workers: int = 4) -> None:
        """Handle keys until cancelled, a few at once."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            for _ in range(workers):
                group.create_task(self._work())

    def _enqueue(self, key: K) -> None:
        self._ready.append(key)
        self._wake.set()

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
                await asyncio.sleep(0)  # handling that has nothing to write never waits
            finally:
                self._busy.discard(key)
                if key in self._waiting and key not in self._held:
                    self._enqueue(key)

    async def _once(self, key: K) -> None:
        try:
            has_written = await self._handle(key)
        except PlanesError as error:
            count = self._count_failure(key)
            facts = {"key": str(key), "failures": count, "reason": str(error)}
            _log.log(logging.INFO if count == 1 else logging.WARNING, "not done yet", extra=facts)
        except Exception:
            # A bug that one object triggers must not end the work for all others.
            count = self._count_failure(key)
            _log.exception("look failed", extra={"key": str(key), "failures": count})
        else:
            self._failures.pop(key, None)
            if key in self._delays:
                self._delays.pop(key).cancel()
            if has_written:
                self._pace(key)

    def _count_failure(self, key: K) -> int:
        self._failed()
        count = self._failures[key] = self._failures.get(key, 0) + 1
        self._put_off(key, count)
        return count

    def _pace(self, key: K) -> None:
        now = self._clock.monotonic()
        last, count = self._paces.get(key, (now, 0))
        is_close = now - last < max(_CLOSE_SECONDS, 2 * self._backoff.longest(count - _FREE_WRITES))
        count = count + 1 if is_close else 1
        if len(self._paces) >= _MOST_PACES:
            long_ago = now - 2 * _LONGEST_DELAY
            self._paces = {k: pace for k, pace in self._paces.items() if pace[0] > long_ago}
        self._paces[key] = now, count
        if count > _FREE_WRITES:
            self._held.add(key)
            self._put_off(key, count - _FREE_WRITES)
            facts = {"key": str(key), "writes": count}
            _log.warning("somebody else changes again and again what is kept right", extra=facts)

    def _put_off(self, key: K, times: int) -> None:
        before = self._delays.pop(key, None)
        if before is not None:
            before.cancel()
        if self._group is not None:
            seconds = self._backoff.after(times)
            self._delays[key] = self._group.create_task(self._later(key, seconds))

    async def _later(self, key: K, seconds: float) -> None:
        await self._clock.sleep(seconds)
        del self._delays[key]
        if key not in self._held:
            self.add(key)
            return
        self._held.discard(key)
        if key in self._waiting and key not in self._busy:
            self._enqueue(key)
