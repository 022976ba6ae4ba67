"""NADs, and what their configurations say, by name; a change costs what has changed.

A rendered NAD takes the place of a hand-written one of the same name: it is repaired.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from planes.model.errors import Finding
from planes.model.names import RESOURCE_NAME_ANNOTATION
from planes.model.objects import Nad, NadRef
from planes.model.state.layered import Layered
from planes.model.state.nad_bounds import bounded, ipam_fault, refused
from planes.model.state.nad_facts import NadFacts, nad_facts
from planes.model.state.nad_lint import lint_nad


@dataclass(frozen=True, slots=True)
class NadIndex:
    """Immutable; `changed` gives a new one that shares what did not change.

    Attributes:
        nads: hand-written NADs and those rendered from planes, as they are kept.
        facts: what each NAD's configuration says.
        lint: warnings about hand-written NADs.
        resources: the device plugin's resource of each NAD that needs one.
        names: the NADs of a name in all namespaces, sorted.
        places: the names of a namespace's NADs, sorted.
        pools: the NADs that keep addresses in files of the node, by network name, sorted.
    """

    nads: Layered[NadRef, Nad] = field(default_factory=Layered)
    facts: Layered[NadRef, NadFacts] = field(default_factory=Layered)
    lint: Layered[NadRef, tuple[Finding, ...]] = field(default_factory=Layered)
    resources: Layered[NadRef, str] = field(default_factory=Layered)
    names: Layered[str, tuple[NadRef, ...]] = field(default_factory=Layered)
    places: Layered[str, tuple[str, ...]] = field(default_factory=Layered)
    pools: Layered[str, tuple[NadRef, ...]] = field(default_factory=Layered)

    def of(self, nads: Iterable[Nad]) -> NadIndex:
        """Return the index of these NADs alone; those that have not changed are not read again."""
        wanted = {nad.ref: nad for nad in nads}
        gone: dict[NadRef, Nad | None] = {ref: None for ref, _ in self.nads.items()}
        return self.changed({**gone, **wanted})

    def changed(self, changes: Mapping[NadRef, Nad | None]) -> NadIndex:
        """Return an index with some NADs set, or (None) removed."""
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
            self._pools_after(facts),
        )

    def _pools_after(
        self, facts: Mapping[NadRef, NadFacts | None]
    ) -> Layered[str, tuple[NadRef, ...]]:
        pools: dict[str, set[NadRef]] = {}
        for ref, now in facts.items():
            old = self.facts.get(ref)
            before, after = old.pool if old else "", now.pool if now else ""
            if before == after:
                continue
            if before:
                pools.setdefault(before, set(self.pools.get(before) or ())).discard(ref)
            if after:
                pools.setdefault(after, set(self.pools.get(after) or ())).add(ref)
        return self.pools.changed(
            {name: tuple(sorted(each)) or None for name, each in pools.items()}
        )

    def _moved(
        self, refs: Iterable[NadRef], nads: Mapping[NadRef, Nad | None]
    ) -> tuple[Layered[str, tuple[NadRef, ...]], Layered[str, tuple[str, ...]]]:
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
    """Report whether a NAD was read already, as it was given or as it is kept."""
    return old is not None and (nad == old or bounded(nad) == old)


def _read(given: Nad) -> tuple[Nad, NadFacts]:
    nad = bounded(given)
    facts = nad_facts(nad)
    fault = ipam_fault(facts.ipam)
    if not fault:
        return nad, facts
    nad = refused(nad, fault, "give a subnet instead of its parts, or make several NADs")
    return nad, nad_facts(nad)
