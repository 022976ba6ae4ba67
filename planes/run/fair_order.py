"""Who is next: of those that wait, one of whom the least time has been spent on.

Start-time fair queueing (Goyal, Vin and Cheng, 1996): time counts from when somebody began to
wait, so nobody saves up turns by asking for nothing, and who asks for little never waits behind
what others have piled up.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Final, Generic, TypeVar

T = TypeVar("T")

_MOST_REMEMBERED: Final = 1024
_STRANGER_SECONDS: Final = 0.01
"""Counted against whoever was not here before: else a new name with each request would be first."""


class FairOrder(Generic[T]):
    """What waits, by whose it is; of one key first come, first served."""

    def __init__(self) -> None:
        self._lines: dict[str, deque[T]] = {}
        self._used: OrderedDict[str, float] = OrderedDict()
        self._now = 0.0  # how much those that are served now have used
        self._latest = 0.0
        self._count = 0

    def __len__(self) -> int:
        """Count what waits."""
        return self._count

    def push(self, key: str, thing: T) -> None:
        """Put something behind what waits of a key."""
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = deque()
            used = self._used.get(key, self._now + _STRANGER_SECONDS)
            self._note(key, max(used, self._now))
        line.append(thing)
        self._count += 1

    def pop(self) -> tuple[str, T]:
        """Take out what is next, with its key.

        Raises:
            ValueError: nothing waits.
        """
        key = min(self._lines, key=self._used.__getitem__)
        self._now = max(self._now, self._used[key])
        return key, self._take(key, 0)

    def discard(self, key: str, thing: T) -> None:
        """Take something out whose turn has not come; nothing happens where it is not there."""
        line = self._lines.get(key)
        if line is not None and thing in line:
            self._take(key, line.index(thing))

    def charge(self, key: str, seconds: float) -> None:
        """Note that so much time was spent on a key."""
        used = max(self._used.get(key, self._now), self._now) + seconds
        self._latest = max(self._latest, used)
        self._note(key, used)
        if not self._count:  # whoever comes now has waited for nobody, and owes nobody
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
