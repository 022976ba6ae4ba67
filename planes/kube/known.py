"""The objects of one kind as values: the last good state of each.

Invariant: an object that cannot be read keeps the value it had before, for as long as it is the
same object (by UID), and is a problem until it is mended; `values` never mixes two listings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

from planes.model.errors import JsonObject, PlanesError

V = TypeVar("V")


class ObjectKey(NamedTuple):
    """Names an object of a kind; `namespace` is "" for the cluster's own."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


def key_of(obj: JsonObject) -> ObjectKey:
    """Name an object as the API server gives it."""
    meta: dict[str, Any] = obj["metadata"]
    return ObjectKey(meta.get("namespace") or "", meta["name"])


@dataclass(frozen=True, slots=True)
class _Held(Generic[V]):
    uid: str
    value: V


@dataclass(slots=True)
class _State(Generic[V]):
    held: dict[ObjectKey, _Held[V]] = field(default_factory=dict)
    faults: dict[ObjectKey, str] = field(default_factory=dict)


class Known(Generic[V]):
    """Follows the objects of one kind; implements `planes.kube.follower.Follower`.

    Args:
        read: makes a value of an object; what it refuses becomes a problem.
        on_change: called when a value or a problem has changed; after a listing once.
    """

    def __init__(
        self, read: Callable[[JsonObject], V], on_change: Callable[[], None] = lambda: None
    ) -> None:
        self._read = read
        self._on_change = on_change
        self._state: _State[V] = _State()
        self._listing: _State[V] | None = None

    def __len__(self) -> int:
        return len(self._state.held)

    def get(self, namespace: str, name: str) -> V | None:
        """Give the value of an object, None where there is none."""
        held = self._state.held.get(ObjectKey(namespace, name))
        return None if held is None else held.value

    def values(self) -> Iterator[V]:
        """Yield all values."""
        for held in self._state.held.values():
            yield held.value

    def faults(self) -> Mapping[ObjectKey, str]:
        """Give what cannot be read, and why; it may have a value all the same."""
        return self._state.faults

    def begin(self) -> None:
        """A whole listing starts."""
        self._listing = _State()

    def put(self, obj: JsonObject) -> None:
        """An object is there, or has changed."""
        key = key_of(obj)
        uid = obj["metadata"].get("uid", "")
        state = self._state if self._listing is None else self._listing
        known = self._state.held.get(key)
        last_good = known if known is not None and known.uid == uid else None
        try:
            value = self._read(obj)
        except PlanesError as error:
            self._keep(state, key, last_good, str(error))
        except Exception as error:
            self._keep(state, key, last_good, f"cannot read it: {type(error).__name__}, our fault")
            raise
        else:
            # The same value stays the same object: others remember what they made of it.
            is_same = known is not None and (known.uid, known.value) == (uid, value)
            self._keep(state, key, known if is_same else _Held(uid, value))

    def drop(self, obj: JsonObject) -> None:
        """An object is gone."""
        self._keep(self._state, key_of(obj), None)

    def finish(self) -> None:
        """The listing is complete and takes the place of what was known."""
        if self._listing is None:
            return
        is_same = self._listing == self._state
        self._state, self._listing = self._listing, None
        if not is_same:
            self._on_change()

    def _keep(
        self, state: _State[V], key: ObjectKey, held: _Held[V] | None, fault: str = ""
    ) -> None:
        before = state.held.get(key), state.faults.get(key, "")
        if held is None:
            state.held.pop(key, None)
        else:
            state.held[key] = held
        if fault:
            state.faults[key] = fault
        else:
            state.faults.pop(key, None)
        if state is self._state and before != (held, fault):
            self._on_change()
