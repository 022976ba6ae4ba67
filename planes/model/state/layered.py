"""A persistent mapping: a change gives a new one and costs little, whoever holds the old keeps it.

A large base is shared between versions; a small layer of recent changes is copied with each one
and folded into the base when it has grown. The layer may grow with the base, so that a large base
is seldom copied.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar, overload

_K = TypeVar("_K")
_V = TypeVar("_V")
_MAX_LAYER = 512
_BASE_TO_LAYER = 16


class Layered(Generic[_K, _V]):
    """Keys to values; None as a value means the key is absent."""

    __slots__ = ("_base", "_layer")

    def __init__(self, base: Mapping[_K, _V] | None = None) -> None:
        self._base: Mapping[_K, _V] = {} if base is None else base
        self._layer: Mapping[_K, _V | None] = {}

    @overload
    def get(self, key: _K) -> _V | None: ...

    @overload
    def get(self, key: _K, default: _V) -> _V: ...

    def get(self, key: _K, default: _V | None = None) -> _V | None:
        """Give a key's value, None or something else where absent."""
        if self._layer and key in self._layer:
            found = self._layer[key]
            return default if found is None else found
        return self._base.get(key, default)

    def __contains__(self, key: _K) -> bool:
        return self.get(key) is not None

    def __getitem__(self, key: _K) -> _V:
        """Give a key's value.

        Raises:
            KeyError: it is absent.
        """
        found = self.get(key)
        if found is None:
            raise KeyError(key)
        return found

    def __iter__(self) -> Iterator[_K]:
        """Yield every key, in no particular order."""
        return (key for key, _ in self.items())

    def __bool__(self) -> bool:
        if not self._layer:  # the common case, asked once in each review
            return bool(self._base)
        return next(iter(self), None) is not None

    def changed(self, changes: Mapping[_K, _V | None]) -> Layered[_K, _V]:
        """Give a new mapping with some keys set, or removed by None."""
        layer = {**self._layer, **changes}
        if len(layer) > max(_MAX_LAYER, len(self._base) // _BASE_TO_LAYER):
            return Layered(_folded(self._base, layer))
        found: Layered[_K, _V] = Layered(self._base)
        found._layer = layer
        return found

    def items(self) -> Iterator[tuple[_K, _V]]:
        """Yield every pair, in no particular order."""
        for key, value in self._base.items():
            if key not in self._layer:
                yield key, value
        for key, recent in self._layer.items():
            if recent is not None:
                yield key, recent


def _folded(base: Mapping[_K, _V], layer: Mapping[_K, _V | None]) -> dict[_K, _V]:
    found = dict(base)
    for key, recent in layer.items():
        if recent is None:
            found.pop(key, None)
        else:
            found[key] = recent
    return found
