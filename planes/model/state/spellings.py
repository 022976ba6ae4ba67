"""All values that a plugin may read for a member of a configuration.

Go's encoding/json ignores the case of member names and takes the last of several spellings; other
parsers take the exact name. A check of what a plugin may read has to consider each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from planes.model.errors import JsonObject


class Spellings:
    """The members of one JSON object by case-folded name; null counts as absent."""

    __slots__ = ("_found",)

    def __init__(self, obj: Mapping[str, Any]) -> None:
        self._found: dict[str, list[Any]] = {}
        for name, value in obj.items():
            if value is not None:
                # Go folds letter by letter: the long s and the Kelvin sign are "s" and "k"
                self._found.setdefault(name.casefold(), []).append(value)

    def all(self, key: str) -> list[Any]:
        """Return every value of a member."""
        return self._found.get(key.casefold(), [])

    def texts(self, key: str) -> list[str]:
        """Return the values that are strings, without empty ones."""
        return [value for value in self.all(key) if isinstance(value, str) and value]

    def names(self, key: str) -> list[str]:
        """Return the values that are strings, with "", which means a plugin's default."""
        return [value for value in self.all(key) if isinstance(value, str)]

    def objects(self, key: str) -> Iterator[JsonObject]:
        """Yield the values that are objects, and the objects in values that are lists."""
        for value in self.all(key):
            yield from (
                each
                for each in (value if isinstance(value, list) else [value])
                if isinstance(each, dict)
            )

    def children(self, key: str) -> Iterator[Spellings]:
        """Yield the spellings of each of `objects`."""
        return map(Spellings, self.objects(key))
