"""A bounded number of places, shared so that no key takes all of them from the others.

A key may take one more while it has fewer than a fraction of the places that are free (the dynamic
threshold of Choudhury and Hahne, 1998). So one key alone stops well below the bound, and the more
keys there are the less each gets; no unused place is reserved. Every key gets one place as long as
there is any, and waits behind others of its own key only.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Shares:
    """The places.

    Args:
        limit: how many there are.
        divisor: a key may take one more while it has fewer than one part in `divisor` of the free
            ones; alone it comes to `limit / (divisor + 1)`.
    """

    def __init__(self, limit: int, divisor: int = 7) -> None:
        self._limit = limit
        self._divisor = divisor
        self._taken = 0
        self._held: Counter[str] = Counter()
        # Keys take turns: one that was served goes to the end.
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    def __len__(self) -> int:
        """Count the places that are taken."""
        return self._taken

    @property
    def waiting(self) -> int:
        """Return how many wait for a place."""
        return sum(len(queue) for queue in self._waiting.values())

    @asynccontextmanager
    async def hold(self, key: str) -> AsyncIterator[None]:
        """Hold a place inside the block; see `take`."""
        await self.take(key)
        try:
            yield
        finally:
            self.give_back(key)

    async def take(self, key: str) -> None:
        """Take a place; waits for one, first come, first served within a key."""
        if not self.try_take(key):
            await self._wait(key)

    def try_take(self, key: str) -> bool:
        """Take a place where there is one for the key and nobody of it waits; report whether."""
        is_free = key not in self._waiting and self._may_take(key)
        if is_free:
            self._take(key)
        return is_free

    def give_back(self, key: str) -> None:
        """Release a place that was taken for a key."""
        self._taken -= 1
        self._held[key] -= 1
        if not self._held[key]:
            del self._held[key]
        if self._waiting:
            self._grant()

    def _may_take(self, key: str) -> bool:
        free = self._limit - self._taken
        return free > 0 and self._held[key] < max(1, free // self._divisor)

    def _take(self, key: str) -> None:
        self._taken += 1
        self._held[key] += 1

    async def _wait(self, key: str) -> None:
        place = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, deque()).append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():  # granted in the turn of the cancellation
                self.give_back(key)
            else:
                self._withdraw(key, place)
            raise

    def _withdraw(self, key: str, place: asyncio.Future[None]) -> None:
        queue = self._waiting.get(key)
        if queue is None or place not in queue:  # passed over already
            return
        queue.remove(place)
        if not queue:
            del self._waiting[key]

    def _grant(self) -> None:
        served = True
        while served:
            served = False
            for key in list(self._waiting):
                if self._may_take(key):
                    self._serve(key)
                    served = True

    def _serve(self, key: str) -> None:
        queue = self._waiting.pop(key)
        place = queue.popleft()
        if queue:
            self._waiting[key] = queue
        if not place.done():  # else its waiter was cancelled in this turn
            self._take(key)
            place.set_result(None)
