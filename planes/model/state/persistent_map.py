"""A persistent map: a change returns a new map and costs little; the old one stays as it is.

A large base is shared between versions. A small layer of recent changes is copied with each change,
and merged into the base when it has grown; its limit grows with the base, so that a large base is
seldom copied.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar, overload

_K = TypeVar("_K")
_V = TypeVar("_V")
_MAX_LAYER = 512
_BASE_TO_LAYER = 16


class PersistentMap(Generic[_K, _V]):
    """An immutable mapping; None as a value means that the key is absent."""

    __slots__ = ("_base", "_layer")

    def __init__(self, base: Mapping[_K, _V] | None = None) -> None:
        self._base: Mapping[_K, _V] = {} if base is None else base
        self._layer: Mapping[_K, _V | None] = {}

    @overload
    def get(self, key: _K) -> _V | None: ...

    @overload
    def get(self, key: _K, default: _V) -> _V: ...

    def get(self, key: _K, default: _V | None = None) -> _V | None:
        """Return a key's value, the default where it is absent."""
        if self._layer and key in self._layer:
            found = self._layer[key]
            return default if found is None else found
        return self._base.get(key, default)

    def __contains__(self, key: _K) -> bool:
        return self.get(key) is not None

    def __getitem__(self, key: _K) -> _V:
        """Return a key's value.

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
        if not self._layer:  # the usual case, called in each review
            return bool(self._base)
        return next(iter(self), None) is not None

    def changed(self, changes: Mapping[_K, _V | None]) -> PersistentMap[_K, _V]:
        """Return a map with some keys set, or removed (None): this one where there are none."""
        if not changes:
            return self
        layer = {**self._layer, **changes}
        if len(layer) > max(_MAX_LAYER, len(self._base) // _BASE_TO_LAYER):
            return PersistentMap(_folded(self._base, layer))
        found: PersistentMap[_K, _V] = PersistentMap(self._base)
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
