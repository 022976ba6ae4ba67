"""The objects of one kind as values: the last good state of each.

Invariant: an object that cannot be read keeps the value it had before, for as long as it is the
same object (by UID), and is a fault until it can be read. Objects of a listing count at once; those
that it does not have are gone when it is finished.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from planes.model.errors import JsonObject, PlanesError

V = TypeVar("V")


class ObjectKey(NamedTuple):
    """Names an object of a kind; `namespace` is "" for those of the cluster."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


def key_of(obj: JsonObject) -> ObjectKey:
    """Name an object as the API server returns it."""
    meta: dict[str, Any] = obj["metadata"]
    return ObjectKey(meta.get("namespace") or "", meta["name"])


def version_of(obj: JsonObject) -> int:
    """Return an object's `resourceVersion` as a number, 0 where it is none."""
    return version_number(str(obj["metadata"].get("resourceVersion", "")))


def version_number(version: str) -> int:
    """Return a `resourceVersion` as a number, 0 where it is none."""
    return int(version) if version.isdecimal() and len(version) < 20 else 0


@dataclass(frozen=True, slots=True)
class _Held(Generic[V]):
    uid: str
    value: V


class ObjectCache(Generic[V]):
    """Keeps a value of each object; implements `planes.kube.informers.handler.EventHandler`.

    Attributes:
        is_synced: whether a whole listing was seen.

    Args:
        read: makes a value of an object, None for one that is not to be kept. A `PlanesError` that
            it raises becomes a fault.
        on_change: called when a value or a fault has changed; after a listing once.
        on_object: called for each value that changes, at once: with the key, the value before and
            the value now, None where there is none.
        on_listed: called at the end of each listing.
    """

    def __init__(
        self,
        read: Callable[[JsonObject], V | None],
        on_change: Callable[[], None] = lambda: None,
        *,
        on_object: Callable[[ObjectKey, V | None, V | None], None] = lambda _key, _old, _new: None,
        on_listed: Callable[[], None] = lambda: None,
    ) -> None:
        self._read = read
        self._on_change = on_change
        self._on_object = on_object
        self._on_listed = on_listed
        self._held: dict[ObjectKey, _Held[V]] = {}
        self._faults: dict[ObjectKey, str] = {}
        self._listed: set[ObjectKey] | None = None
        self._has_changed = False
        self.is_synced = False

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[ObjectKey]:
        """Yield the keys of all values there are at the call."""
        return iter(tuple(self._held))

    def get(self, namespace: str, name: str) -> V | None:
        """Return the value of an object, None where there is none."""
        held = self._held.get(ObjectKey(namespace, name))
        return None if held is None else held.value

    def values(self) -> Iterator[V]:
        """Yield all values."""
        for held in self._held.values():
            yield held.value

    def faults(self) -> Mapping[ObjectKey, str]:
        """Return what cannot be read, and why; it may have a value all the same."""
        return self._faults

    def begin(self) -> None:
        """A whole listing starts."""
        self._listed = set()

    def put(self, obj: JsonObject) -> None:
        """An object is there, or has changed."""
        key = key_of(obj)
        if self._listed is not None:
            self._listed.add(key)
        uid = obj["metadata"].get("uid", "")
        known = self._held.get(key)
        last_good = known if known is not None and known.uid == uid else None
        try:
            value = self._read(obj)
        except PlanesError as error:
            self._set(key, last_good, str(error))
        except Exception as error:
            self._set(key, last_good, f"cannot read it: {type(error).__name__}, our fault")
            raise
        else:
            # The same value stays the same object: others remember what they made of it.
            is_same = known is not None and (known.uid, known.value) == (uid, value)
            if value is None:
                self._set(key, None)
            else:
                self._set(key, known if is_same else _Held(uid, value))

    def drop(self, obj: JsonObject) -> None:
        """An object is gone."""
        self._set(key_of(obj), None)

    def finish(self) -> None:
        """The listing is complete: what was not in it is gone."""
        for key in (self._held.keys() | self._faults.keys()) - (self._listed or set()):
            self._set(key, None)
        self._listed = None
        self.is_synced = True
        if self._has_changed:
            self._has_changed = False
            self._on_change()
        self._on_listed()

    def _set(self, key: ObjectKey, held: _Held[V] | None, fault: str = "") -> None:
        before, fault_before = self._held.get(key), self._faults.get(key, "")
        if held is None:
            self._held.pop(key, None)
        else:
            self._held[key] = held
        if fault:
            self._faults[key] = fault
        else:
            self._faults.pop(key, None)
        if (before, fault_before) == (held, fault):
            return
        if self._listed is None:
            self._on_change()
        else:
            self._has_changed = True
        old = None if before is None else before.value
        new = None if held is None else held.value
        if old != new:
            self._on_object(key, old, new)
