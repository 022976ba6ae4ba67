"""Exponential backoff: how long to wait before something that failed is tried again."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

Randomness = Callable[[], float]
"""A source of randomness: returns a number from 0 up to 1, as `random.random` does."""

_MOST_STEPS: Final = 64  # far behind every cap; a float overflows after 1,024 doublings


class Backoff:
    """Delays in seconds: `first`, then `factor` times the one before, at most `cap`.

    Args:
        first: the delay after the first failure.
        cap: the longest delay, before jitter.
        factor: how much longer each delay is than the one before.
        jitter: the lowest and highest number that a delay is multiplied by.
        randomness: chooses a number between those, so that not all processes retry in step.
    """

    def __init__(
        self,
        first: float,
        cap: float,
        *,
        factor: float = 2.0,
        jitter: tuple[float, float] = (1.0, 1.0),
        randomness: Randomness = random.random,
    ) -> None:
        self._first = first
        self._cap = cap
        self._factor = factor
        self._jitter = jitter
        self._randomness = randomness
        self._failures = 0

    def next(self) -> float:
        """Count a failure; return the delay after it."""
        self._failures += 1
        return self.after(self._failures)

    def reset(self) -> None:
        """Begin anew: an attempt succeeded."""
        self._failures = 0

    def after(self, failures: int) -> float:
        """Return the delay after so many failures in a row, for callers that count themselves."""
        lowest, highest = self._jitter
        if lowest == highest:
            return self.longest(failures) * lowest
        return self.longest(failures) * (lowest + (highest - lowest) * self._randomness())

    def longest(self, failures: int) -> float:
        """Return the delay after so many failures in a row, before jitter."""
        steps = min(max(failures - 1, 0), _MOST_STEPS)
        return min(self._first * self._factor**steps, self._cap)
