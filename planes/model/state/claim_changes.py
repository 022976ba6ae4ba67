"""The maps of a claim index, and a change of them in which several pods are replaced."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, Generic, NamedTuple, TypeVar

from planes.model.addresses import IPAddress
from planes.model.bounds import MAX_CLAIMS_OF_ADDRESS, MAX_CLAIMS_OF_NAMESPACE
from planes.model.objects import NadRef
from planes.model.state.claims import (
    NO_TALLY,
    NO_USAGE,
    Claim,
    Key,
    PodClaims,
    Tally,
    Usage,
)
from planes.model.state.persistent_map import PersistentMap

Held = tuple[str, IPAddress]
"""A plane by name, and an address of it."""
_K = TypeVar("_K")
_V = TypeVar("_V")


class ClaimMaps(NamedTuple):
    """What an index consists of; every map is immutable."""

    pods: PersistentMap[str, PodClaims]
    holders: PersistentMap[Key, tuple[Claim, ...]]
    usage: PersistentMap[tuple[NadRef, str], Usage]
    tallies: PersistentMap[tuple[NadRef, int, str], Tally]
    kept: PersistentMap[str, int]
    used: PersistentMap[str, frozenset[NadRef]]
    held: PersistentMap[Held, str]
    macs: PersistentMap[bytes, tuple[NadRef, ...]]


class _Draft(Generic[_K, _V]):
    """A mapping with changes that are not applied yet."""

    def __init__(self, base: PersistentMap[_K, _V]) -> None:
        self._base = base
        self.changes: dict[_K, _V | None] = {}

    def get(self, key: _K) -> _V | None:
        return self.changes[key] if key in self.changes else self._base.get(key)


class ClaimChange:
    """A change of an index: several pods are replaced in it."""

    def __init__(self, maps: ClaimMaps) -> None:
        self._before = maps
        self.pods = _Draft(maps.pods)
        self.holders = _Draft(maps.holders)
        self.usage = _Draft(maps.usage)
        self.tallies = _Draft(maps.tallies)
        self.kept = _Draft(maps.kept)
        self.used = _Draft(maps.used)
        self.macs = _Draft(maps.macs)

    def made(self) -> ClaimMaps:
        """Return the changed maps."""
        before = self._before
        return ClaimMaps(
            before.pods.changed(self.pods.changes),
            before.holders.changed(self.holders.changes),
            before.usage.changed(self.usage.changes),
            before.tallies.changed(self.tallies.changes),
            before.kept.changed(self.kept.changes),
            before.used.changed(self.used.changes),
            before.held,
            before.macs.changed(self.macs.changes),
        )

    def replace_pod(self, pod: str, given: PodClaims | None) -> None:
        """Replace the claims of a pod; a pod without claims is not stored."""
        old, new = self.pods.get(pod), given or None
        if old == new:
            return
        if old is not None:
            for key in old.claims:
                left = tuple([claim for claim in self.holders.get(key) or () if claim.pod != pod])
                self._hold(key, left)
            self._keep(old.namespace, -len(old.claims))
        if new is not None:
            new = new if self._has_room(new) else replace(new, claims={})
            for key, claim in new.claims.items():
                before = self.holders.get(key) or ()
                same = sum([each.namespace == claim.namespace for each in before])
                if claim.is_attached or same < MAX_CLAIMS_OF_ADDRESS:
                    self._hold(key, (*before, claim))
            self._keep(new.namespace, len(new.claims))
        self._count(old, new)
        self.pods.changes[pod] = new

    def _hold(self, key: Key, claims: tuple[Claim, ...]) -> None:
        """Set the claims of an address or MAC; of a MAC also the networks where it is claimed."""
        ref, wanted = key
        if isinstance(wanted, bytes) and bool(claims) != bool(self.holders.get(key)):
            others = tuple(each for each in self.macs.get(wanted) or () if each != ref)
            self.macs.changes[wanted] = ((*others, ref) if claims else others) or None
        self.holders.changes[key] = claims or None

    def _has_room(self, new: PodClaims) -> bool:
        kept = self.kept.get(new.namespace) or 0
        return kept + len(new.claims) <= MAX_CLAIMS_OF_NAMESPACE

    def _keep(self, namespace: str, more: int) -> None:
        """Count the claims that are kept of a namespace."""
        if more:
            self.kept.changes[namespace] = (self.kept.get(namespace) or 0) + more or None

    def _count(self, old: PodClaims | None, new: PodClaims | None) -> None:
        """Count what a pod uses from now on, in place of what it used; one of them is not None."""
        less, more = old or _NOTHING, new or _NOTHING
        at = less.namespace or more.namespace
        for ref in {**less.usage, **more.usage}:
            total = (self.usage.get((ref, at)) or NO_USAGE).changed(
                less.usage.get(ref, NO_USAGE), more.usage.get(ref, NO_USAGE)
            )
            is_used = bool(total.addresses or total.attachments or total.static)
            self.usage.changes[ref, at] = total if is_used else None
            before = self.used.get(at) or frozenset()
            if is_used != (ref in before):
                self.used.changes[at] = (before | {ref} if is_used else before - {ref}) or None
        for key in {**less.tallies, **more.tallies}:
            place = (*key, at)
            tally = (self.tallies.get(place) or NO_TALLY).changed(
                less.tallies.get(key, NO_TALLY), more.tallies.get(key, NO_TALLY)
            )
            is_shown = bool(tally.attached or tally.static)
            self.tallies.changes[place] = tally if is_shown else None


_NOTHING: Final = PodClaims("")
