"""Token buckets: a burst at once, then a steady rate."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final

from planes.run.clock import Clock

_MOST_KEYS: Final = 4096


class TokenBucket:
    """A bucket that starts full.

    Args:
        clock: measures the time in which it fills.
        burst: how many tokens it holds.
        per_second: how fast it fills.
    """

    __slots__ = ("_burst", "_clock", "_left", "_per_second", "_then")

    def __init__(self, clock: Clock, burst: float, per_second: float) -> None:
        self._clock = clock
        self._burst = burst
        self._per_second = per_second
        self._left = burst
        self._then = clock.monotonic()

    def take(self) -> bool:
        """Take a token; False where there is none."""
        now = self._clock.monotonic()
        self._left = min(self._burst, self._left + (now - self._then) * self._per_second)
        self._then = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


class Buckets:
    """A bucket for each key; of too many keys those unused for longest are dropped, as if full."""

    def __init__(self, clock: Clock, burst: float, per_second: float) -> None:
        self._clock = clock
        self._burst = burst
        self._per_second = per_second
        self._buckets: OrderedDict[Hashable, TokenBucket] = OrderedDict()

    def take(self, key: Hashable) -> bool:
        """Take a token of a key's bucket; False where there is none."""
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = TokenBucket(self._clock, self._burst, self._per_second)
            self._buckets[key] = bucket
            if len(self._buckets) > _MOST_KEYS:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(key)
        return bucket.take()
