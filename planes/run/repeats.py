"""Equal log lines: the first is written, the others are counted.

Invariant: two lines that differ in a fact are both written, up to a flood of one event. What is
kept here is bounded, whatever is logged.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Final

INTERVAL_SECONDS: Final = 10.0
MOST_OF_AN_EVENT: Final = 2000
"""Lines of one event in an interval, whatever their facts: more than a node can attach."""

_MOST_KEPT: Final = 1024
_MOST_CHARACTERS: Final = 2048


@dataclass(frozen=True, slots=True)
class Line:
    """A line without its time.

    Attributes:
        event: what is the same in all lines of its kind: logger, level, text before its arguments.
        text: all of it.
        summary: returns the same without facts, where those are too long to be kept.
    """

    event: Hashable
    text: str
    summary: Callable[[], str]


@dataclass(slots=True)
class _Seen:
    since: float
    text: str
    repeated: int = 0


class Repeats:
    """Decides which lines are written, and counts the others."""

    def __init__(self) -> None:
        self._same: OrderedDict[bytes, _Seen] = OrderedDict()
        self._events: OrderedDict[Hashable, _Seen] = OrderedDict()
        self._written: dict[Hashable, int] = {}

    def is_written(self, line: Line, now: float) -> bool:
        """Report whether a line is to be written; where it is not, it is counted.

        Args:
            line: the line.
            now: its time, in seconds.
        """
        digest = hashlib.blake2b(line.text.encode("utf-8", "replace"), digest_size=16).digest()
        same = self._same.get(digest)
        if same is not None:
            same.repeated += 1
            return False
        event = self._events.get(line.event)
        if event is None:
            event = self._events[line.event] = _Seen(now, line.summary())
            self._written[line.event] = 0
        if self._written[line.event] >= MOST_OF_AN_EVENT:
            event.repeated += 1
            return False
        self._written[line.event] += 1
        text = line.text if len(line.text) <= _MOST_CHARACTERS else line.summary()
        self._same[digest] = _Seen(now, text)
        return True

    def ended(self, now: float) -> Iterator[tuple[str, int]]:
        """Yield and drop the counts whose interval is over, or for which no room is left.

        Yields:
            A line, and how often it was not written.
        """
        for kept in (self._same, self._events):
            while kept:
                key, seen = next(iter(kept.items()))
                is_over = now - seen.since >= INTERVAL_SECONDS or now < seen.since
                if not is_over and len(kept) <= _MOST_KEPT:
                    break
                kept.popitem(last=False)
                if kept is self._events:
                    self._written.pop(key, None)
                if seen.repeated:
                    yield seen.text, seen.repeated
