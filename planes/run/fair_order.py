"""A queue that serves next the key on which the least time has been spent.

Start-time fair queueing (Goyal, Vin and Cheng, 1996): a key's time counts from when it began to
wait. So a key that asked for nothing has no turns saved up, and one that asks for little never
waits behind the many requests of another.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Final, Generic, TypeVar

T = TypeVar("T")

_MOST_REMEMBERED: Final = 1024
_NEW_KEY_SECONDS: Final = 0.01
"""Charged to a new key: else a client with a new key for each request would always be first."""


class FairOrder(Generic[T]):
    """Items that wait, by key; those of one key in the order in which they came."""

    def __init__(self) -> None:
        self._lines: dict[str, deque[T]] = {}
        self._used: OrderedDict[str, float] = OrderedDict()
        self._now = 0.0  # the seconds used by the keys that are served now
        self._latest = 0.0
        self._count = 0

    def __len__(self) -> int:
        """Count the items that wait."""
        return self._count

    def push(self, key: str, thing: T) -> None:
        """Add an item behind those of its key."""
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = deque()
            used = self._used.get(key, self._now + _NEW_KEY_SECONDS)
            self._note(key, max(used, self._now))
        line.append(thing)
        self._count += 1

    def pop(self) -> tuple[str, T]:
        """Remove the next item; return its key and the item.

        Raises:
            ValueError: nothing waits.
        """
        key = min(self._lines, key=self._used.__getitem__)
        self._now = max(self._now, self._used[key])
        return key, self._take(key, 0)

    def discard(self, key: str, thing: T) -> None:
        """Remove an item before its turn; nothing happens where it is not there."""
        line = self._lines.get(key)
        if line is not None and thing in line:
            self._take(key, line.index(thing))

    def charge(self, key: str, seconds: float) -> None:
        """Record that so much time was spent on a key."""
        used = max(self._used.get(key, self._now), self._now) + seconds
        self._latest = max(self._latest, used)
        self._note(key, used)
        if not self._count:  # a key that comes now waits for no other
            self._now = self._latest

    def _take(self, key: str, index: int) -> T:
        line = self._lines[key]
        thing = line[index]
        del line[index]
        self._count -= 1
        if not line:
            del self._lines[key]
        return thing

    def _note(self, key: str, used: float) -> None:
        self._used[key] = used
        self._used.move_to_end(key)
        while len(self._used) > _MOST_REMEMBERED:
            oldest = next((each for each in self._used if each not in self._lines), None)
            if oldest is None:
                return
            del self._used[oldest]
