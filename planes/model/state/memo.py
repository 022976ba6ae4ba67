"""Cache the results of pure functions of a text, as the same text comes again.

A pod's annotations are read by both webhooks and for each replica. The cache is bounded in number
and size of its texts; evicting an entry costs time only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

_V = TypeVar("_V")
_MOST = 1024
_LONGEST = 4096
_MOST_CHARACTERS = 256 << 10
"""Of all texts together: the result for a text may take ten times its size."""


class Memo(Generic[_V]):
    """The cached results of one pure function of two texts."""

    __slots__ = ("_characters", "_found", "_read")

    def __init__(self, read: Callable[[str, str], _V]) -> None:
        self._read = read
        self._found: dict[tuple[str, str], _V] = {}
        self._characters = 0

    def __len__(self) -> int:
        return len(self._found)

    def get(self, text: str, about: str = "") -> _V:
        """Return the result; the function is called where it is not cached."""
        key = (text, about)
        try:
            return self._found[key]
        except KeyError:
            pass
        result = self._read(text, about)
        if len(text) <= _LONGEST:
            self._characters += len(text)
            if len(self._found) >= _MOST or self._characters > _MOST_CHARACTERS:
                self._found.clear()
                self._characters = len(text)
            self._found[key] = result
        return result
