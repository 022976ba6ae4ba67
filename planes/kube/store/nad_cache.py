"""The cache of a cluster's NADs: a bounded share of each namespace.

NADs that were created first count, so a working NAD is not affected by later ones. Of the others
only names are kept, a bounded number. The administrator's namespaces, and NADs that planes refer
to, have no bound.

Invariant: which NADs count follows from the objects alone, not from the order in which they come.
One that counts now and was not kept before is in `missing` until it was read again.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Final

from planes.kube.client.skim import Skimmed
from planes.kube.informers.cache import key_of, version_of
from planes.model.errors import BadInput, JsonObject
from planes.model.objects import Nad, NadRef
from planes.model.state.nad_bounds import Weight, bounded, over_share, refused, too_large, weight_of

MOST_NAMES: Final = 1024
"""NADs of one namespace that are known at all; later ones are treated as if they did not exist."""

_Order = tuple[str, str]
"""When a NAD was created, and its name."""


@dataclass(slots=True)
class _KeptNad:
    nad: Nad  # as it is kept
    weight: Weight  # as it is written
    version: int
    is_kept: bool = True

    @property
    def order(self) -> _Order:
        return self.nad.created, self.nad.name


@dataclass(slots=True)
class _Place:
    entries: dict[str, _KeptNad] = field(default_factory=dict)
    order: list[_Order] = field(default_factory=list)


class NadCache:
    """Implements `planes.kube.informers.handler.EventHandler`.

    Args:
        on_change: called when a kept NAD has changed.
        trusted: namespaces without a bound.
    """

    def __init__(self, on_change: Callable[[], None], trusted: Collection[str]) -> None:
        self._on_change = on_change
        self._trusted = frozenset(trusted)
        self._expected: frozenset[NadRef] = frozenset()
        self._places: dict[str, _Place] = {}
        self._changes: dict[NadRef, Nad | None] = {}
        self._listed: set[NadRef] | None = None
        self.missing: dict[NadRef, None] = {}

    def values(self) -> Iterator[Nad]:
        """Yield all NADs as they are kept."""
        for place in self._places.values():
            for entry in place.entries.values():
                yield entry.nad

    def take(self) -> dict[NadRef, Nad | None]:
        """Return what has changed since the last call; None stands for a NAD that is gone."""
        changes, self._changes = self._changes, {}
        return changes

    def expect(self, refs: Collection[NadRef]) -> None:
        """Set the NADs that planes refer to."""
        before, self._expected = self._expected, frozenset(refs)
        for namespace in {ref.namespace for ref in before ^ self._expected}:
            self._share(namespace)
        for ref in self._expected - before:
            place = self._places.get(ref.namespace)
            if place is not None and ref.name not in place.entries:
                self.missing[ref] = None  # it may be one whose name was not kept

    def begin(self) -> None:
        """A whole listing starts."""
        self._listed = set()

    def put(self, obj: JsonObject) -> None:
        """A NAD is there, or has changed."""
        given, version = _read(obj), version_of(obj)
        ref = given.ref
        if self._listed is not None:
            self._listed.add(ref)
        place = self._places.setdefault(ref.namespace, _Place())
        old = place.entries.get(ref.name)
        if old is not None and version and version < old.version:
            return
        nad = bounded(given)
        if old is not None and old.nad == nad:  # the same value stays the same object
            old.version = version
            return
        entry = _KeptNad(nad, weight_of(nad), version)
        if old is not None:
            place.order.remove(old.order)
        self.missing.pop(ref, None)
        place.entries[ref.name] = entry
        insort(place.order, entry.order)
        self._note(ref, nad)
        self._share(ref.namespace)

    def drop(self, obj: JsonObject) -> None:
        """A NAD is gone."""
        self._remove(NadRef(*key_of(obj)))

    def finish(self) -> None:
        """The listing is complete: what was not in it is gone."""
        listed, self._listed = self._listed or set(), None
        for ref in [nad.ref for nad in self.values() if nad.ref not in listed]:
            self._remove(ref)

    def _remove(self, ref: NadRef) -> None:
        place = self._places.get(ref.namespace)
        entry = place.entries.get(ref.name) if place is not None else None
        if place is None or entry is None:
            return
        self._forget(ref, place, entry)
        if place.entries:
            self._share(ref.namespace)
        else:
            del self._places[ref.namespace]

    def _forget(self, ref: NadRef, place: _Place, entry: _KeptNad) -> None:
        del place.entries[ref.name]
        del place.order[bisect_left(place.order, entry.order)]
        self.missing.pop(ref, None)
        self._note(ref, None)

    def _share(self, namespace: str) -> None:
        """Compute which NADs of a namespace count."""
        place = self._places.get(namespace)
        if place is None or namespace in self._trusted:
            return
        total = Weight()
        for _, name in place.order:
            entry, ref = place.entries[name], NadRef(namespace, name)
            if ref not in self._expected:
                total += entry.weight
            is_due = ref in self._expected or not total.is_too_much
            if is_due and not entry.is_kept:
                self.missing[ref] = None
            elif entry.is_kept and not is_due:
                entry.nad, entry.is_kept = over_share(entry.nad), False
                self._note(ref, entry.nad)
            if not is_due:
                self.missing.pop(ref, None)
        for order in reversed(place.order[MOST_NAMES:]):
            ref = NadRef(namespace, order[1])
            if ref not in self._expected:
                self._forget(ref, place, place.entries[order[1]])

    def _note(self, ref: NadRef, nad: Nad | None) -> None:
        self._changes[ref] = nad
        self._on_change()


def _read(obj: JsonObject) -> Nad:
    key = key_of(obj)
    created = obj["metadata"].get("creationTimestamp")
    created = created if isinstance(created, str) else ""
    if isinstance(obj, Skimmed):
        return too_large(key.namespace, key.name, obj.size, created)
    try:
        return Nad.from_object(obj)
    except BadInput as error:
        nad = Nad(key.namespace, key.name, created=created)
        return refused(nad, error.message, error.remedy)
