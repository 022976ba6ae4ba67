"""All values that a member of a configuration may have for some plugin.

Go's encoding/json takes a member whatever the case of its name, and of several spellings the last;
others take the exact name. Who asks what a plugin could possibly be told has to look at each.
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
                # Go folds letter by letter, so a long s and the Kelvin sign are "s" and "k"
                self._found.setdefault(name.casefold(), []).append(value)

    def all(self, key: str) -> list[Any]:
        """Give every value of a member."""
        return self._found.get(key.casefold(), [])

    def texts(self, key: str) -> list[str]:
        """Give those values that are texts, without empty ones."""
        return [value for value in self.all(key) if isinstance(value, str) and value]

    def names(self, key: str) -> list[str]:
        """Give those values that are texts, "" too: it stands for a plugin's default."""
        return [value for value in self.all(key) if isinstance(value, str)]

    def objects(self, key: str) -> Iterator[JsonObject]:
        """Yield those values that are objects, and the objects in those that are lists."""
        for value in self.all(key):
            yield from (
                each
                for each in (value if isinstance(value, list) else [value])
                if isinstance(each, dict)
            )

    def children(self, key: str) -> Iterator[Spellings]:
        """Yield the members of each of `objects`."""
        return map(Spellings, self.objects(key))
