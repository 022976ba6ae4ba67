"""The index of NADs and the facts of their configurations; a change costs what has changed."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from planes.model.errors import Finding
from planes.model.names import RESOURCE_NAME_ANNOTATION
from planes.model.objects import Nad, NadRef
from planes.model.state.nad_bounds import bounded, ipam_fault, refused
from planes.model.state.nad_facts import NadFacts, nad_facts
from planes.model.state.nad_lint import lint_nad
from planes.model.state.persistent_map import PersistentMap

NOT_YET: Final = "~"
"""Sorts after every time of creation."""


class Namesake(NamedTuple):
    """One of the NADs whose networks have the same name, ordered by creation."""

    created: str
    ref: NadRef


@dataclass(frozen=True, slots=True)
class NadIndex:
    """Immutable; `changed` returns a new index that shares what did not change.

    Attributes:
        nads: hand-written NADs and those rendered from planes, as they are kept.
        facts: the facts of each NAD's configuration.
        lint: warnings about hand-written NADs.
        resources: the device plugin's resource of each NAD that needs one.
        names: the NADs of a name in all namespaces, sorted.
        places: the names of a namespace's NADs, sorted.
        pools: the NADs that keep addresses in files of the node, by network name, oldest first;
            another tuple once any of them has changed.
    """

    nads: PersistentMap[NadRef, Nad] = field(default_factory=PersistentMap)
    facts: PersistentMap[NadRef, NadFacts] = field(default_factory=PersistentMap)
    lint: PersistentMap[NadRef, tuple[Finding, ...]] = field(default_factory=PersistentMap)
    resources: PersistentMap[NadRef, str] = field(default_factory=PersistentMap)
    names: PersistentMap[str, tuple[NadRef, ...]] = field(default_factory=PersistentMap)
    places: PersistentMap[str, tuple[str, ...]] = field(default_factory=PersistentMap)
    pools: PersistentMap[str, tuple[Namesake, ...]] = field(default_factory=PersistentMap)

    def of(self, nads: Iterable[Nad]) -> NadIndex:
        """Return the index of these NADs alone; those that have not changed are not read again."""
        wanted = {nad.ref: nad for nad in nads}
        gone: dict[NadRef, Nad | None] = {ref: None for ref, _ in self.nads.items()}
        return self.changed({**gone, **wanted})

    def changed(self, changes: Mapping[NadRef, Nad | None]) -> NadIndex:
        """Return an index with some NADs set, or removed (None)."""
        nads: dict[NadRef, Nad | None] = {}
        facts: dict[NadRef, NadFacts | None] = {}
        lint: dict[NadRef, tuple[Finding, ...] | None] = {}
        resources: dict[NadRef, str | None] = {}
        moved: list[NadRef] = []
        for ref, nad in changes.items():
            old = self.nads.get(ref)
            if nad is old or (nad is not None and _is_same(nad, old)):
                continue
            if (nad is None) != (old is None):
                moved.append(ref)
            if nad is None:
                nads[ref] = facts[ref] = lint[ref] = resources[ref] = None
                continue
            nads[ref], facts[ref] = _read(nad)
            lint[ref] = lint_nad(nad, facts[ref] or NadFacts()) or None
            resources[ref] = nad.annotations.get(RESOURCE_NAME_ANNOTATION) or None
        if not nads:
            return self
        return NadIndex(
            self.nads.changed(nads),
            self.facts.changed(facts),
            self.lint.changed(lint),
            self.resources.changed(resources),
            *self._moved(moved, nads),
            self._pools_after(nads, facts),
        )

    def _pools_after(
        self, nads: Mapping[NadRef, Nad | None], facts: Mapping[NadRef, NadFacts | None]
    ) -> PersistentMap[str, tuple[Namesake, ...]]:
        pools: dict[str, list[Namesake]] = {}

        def pool(name: str) -> list[Namesake]:
            if name not in pools:
                pools[name] = list(self.pools.get(name) or ())
            return pools[name]

        for ref, now in facts.items():
            old, nad = self.facts.get(ref), nads[ref]
            if old is not None and old.pool:
                before = Namesake(self.nads[ref].created or NOT_YET, ref)
                found = pool(old.pool)
                del found[bisect_left(found, before)]
            if now is not None and nad is not None and now.pool:
                insort(pool(now.pool), Namesake(nad.created or NOT_YET, ref))
        return self.pools.changed({name: tuple(found) or None for name, found in pools.items()})

    def _moved(
        self, refs: Iterable[NadRef], nads: Mapping[NadRef, Nad | None]
    ) -> tuple[PersistentMap[str, tuple[NadRef, ...]], PersistentMap[str, tuple[str, ...]]]:
        names: dict[str, set[NadRef]] = {}
        places: dict[str, set[str]] = {}
        for ref in refs:
            found = names.setdefault(ref.name, set(self.names.get(ref.name) or ()))
            place = places.setdefault(ref.namespace, set(self.places.get(ref.namespace) or ()))
            if nads[ref] is None:
                found.discard(ref)
                place.discard(ref.name)
            else:
                found.add(ref)
                place.add(ref.name)
        return (
            self.names.changed({name: tuple(sorted(each)) or None for name, each in names.items()}),
            self.places.changed({at: tuple(sorted(each)) or None for at, each in places.items()}),
        )


def _is_same(nad: Nad, old: Nad | None) -> bool:
    """Report whether a NAD is in the index already, as given or as bounded."""
    return old is not None and (nad == old or bounded(nad) == old)


def _read(given: Nad) -> tuple[Nad, NadFacts]:
    nad = bounded(given)
    facts = nad_facts(nad)
    fault = ipam_fault(facts.ipam)
    if not fault:
        return nad, facts
    nad = refused(nad, fault, "give a subnet instead of its parts, or make several NADs")
    return nad, nad_facts(nad)
