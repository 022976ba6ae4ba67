"""Which pod holds or asks for which address on which network, of all pods.

An index for early answers: it names holders, suggests free addresses and counts for quotas. The
address book alone hands out addresses; a race that this index misses ends there. Whose claims
count is said by who asks: a pod anywhere may claim anything. What is remembered of one namespace is
bounded; beyond that its claims are counted but found by nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Generic, TypeVar

from planes.model.addresses import AddressRange, IPAddress
from planes.model.bounds import MAX_CLAIMS_OF_ADDRESS, MAX_CLAIMS_OF_NAMESPACE, MAX_LOOKED_AT
from planes.model.objects import NadRef, Pod
from planes.model.state.claims import Claim, Key, PodClaims, Tally, Usage, claims_of
from planes.model.state.layered import Layered

Counts = Callable[[str], bool]
"""Report whether the claims of a namespace's pods count."""
Held = tuple[str, IPAddress]
"""A plane by name, and an address of it."""
_K = TypeVar("_K")
_V = TypeVar("_V")


class ClaimIndex:
    """Claims of all pods, persistent: what changes it gives a new index."""

    __slots__ = ("_held", "_holders", "_kept", "_pods", "_tallies", "_usage", "_used")

    def __init__(self) -> None:
        self._pods: Layered[str, PodClaims] = Layered()
        self._holders: Layered[Key, tuple[Claim, ...]] = Layered()
        self._usage: Layered[tuple[NadRef, str], Usage] = Layered()
        self._tallies: Layered[tuple[NadRef, int, str], Tally] = Layered()
        self._kept: Layered[str, int] = Layered()
        self._used: Layered[str, frozenset[NadRef]] = Layered()
        self._held: Layered[Held, str] = Layered()

    @classmethod
    def of(cls, pods: Iterable[Pod], *, is_believed: bool = False) -> ClaimIndex:
        """Index many pods at once."""
        return cls().changed({pod.key: claims_of(pod, is_believed=is_believed) for pod in pods})

    def with_pod(self, pod: Pod, *, is_believed: bool = False) -> ClaimIndex:
        """Give an index with a pod added or renewed; `is_believed` as `claims_of` takes it."""
        return self.changed({pod.key: claims_of(pod, is_believed=is_believed)})

    def without_pod(self, key: str) -> ClaimIndex:
        """Give an index without a pod, named `namespace/name`."""
        return self.changed({key: None})

    def changed(self, pods: Mapping[str, PodClaims | None]) -> ClaimIndex:
        """Give an index with what some pods claim renewed, or (None) gone; cheaper than singly."""
        draft = _Renewal(
            self._pods, self._holders, self._usage, self._tallies, self._kept, used=self._used
        )
        for pod, given in pods.items():
            draft.renew(pod, given)
        if not draft.pods.changes:
            return self
        index = ClaimIndex()
        index._pods = self._pods.changed(draft.pods.changes)
        index._holders = self._holders.changed(draft.holders.changes)
        index._usage = self._usage.changed(draft.usage.changes)
        index._tallies = self._tallies.changed(draft.tallies.changes)
        index._kept = self._kept.changed(draft.kept.changes)
        index._used = self._used.changed(draft.used.changes)
        index._held = self._held
        return index

    def with_held(self, changes: Mapping[Held, str | None]) -> ClaimIndex:
        """Give an index with what address blocks say of who has static addresses of planes.

        Args:
            changes: the pod, `namespace/name`, of each address, None for nobody.
        """
        index = ClaimIndex()
        for name in ("_pods", "_holders", "_usage", "_tallies", "_kept", "_used"):
            setattr(index, name, getattr(self, name))
        index._held = self._held.changed(changes)
        return index

    def of_pod(self, pod: str) -> PodClaims | None:
        """Give what a pod, `namespace/name`, claims; None: nothing."""
        return self._pods.get(pod)

    def holders(self, ref: NadRef, address: IPAddress) -> tuple[Claim, ...]:
        """Give everybody who claims an address on a network."""
        return self._holders.get((ref, address)) or ()

    def rival(
        self, ref: NadRef, address: IPAddress, pod: str, counts: Counts, plane: str = ""
    ) -> Claim | None:
        """Give the claim that keeps a pod from an address, None where it may have it.

        Who is attached has it. Of those who only ask, a pod that is known already goes before a
        new one, and the lower name before the higher: so exactly one of two rivals is refused.

        Args:
            ref: the network.
            address: on it.
            pod: who wants it, `namespace/name`.
            counts: whose claims count.
            plane: whose blocks say who has it; "" where none do.
        """
        holder = self._held.get((plane, address)) if plane else None
        claims = self.holders(ref, address)
        if holder == pod or not (claims or holder):
            return None
        own = next((claim for claim in claims if claim.pod == pod), None)
        if own is not None and own.is_attached:
            return None
        if holder is not None and holder in self._pods:  # what is left of a dead pod holds nothing
            return Claim(holder, True, True)
        others = [claim for claim in claims if claim.pod != pod and counts(claim.namespace)]
        attached = next((claim for claim in others if claim.is_attached), None)
        if attached is not None:
            return attached
        ahead = [claim for claim in others if own is None or claim.pod < pod]
        return min(ahead, key=lambda claim: claim.pod, default=None)

    def usage(self, ref: NadRef, namespace: str, *, without: str = "") -> Usage:
        """Count what a namespace holds on a network, one pod left out."""
        found = self._usage.get((ref, namespace)) or Usage()
        own = self._pods.get(without) if without else None
        if own is not None and own.namespace == namespace and (part := own.usage.get(ref)):
            return found + -part
        return found

    def networks_of(self, namespace: str) -> frozenset[NadRef]:
        """Give the networks that a namespace's pods ask for, or have."""
        return self._used.get(namespace) or frozenset()

    def tally(self, ref: NadRef, version: int, namespaces: Iterable[str]) -> Tally:
        """Count the addresses of one family in use on a network, in some namespaces together."""
        total = Tally()
        for namespace in namespaces:
            if (found := self._tallies.get((ref, version, namespace))) is not None:
                total += found
        return total

    def free(
        self,
        ref: NadRef,
        spans: Iterable[AddressRange],
        near: IPAddress,
        counts: Counts,
        plane: str = "",
    ) -> tuple[IPAddress, ...]:
        """Suggest up to 3 addresses that nobody claims: after `near` first, then from the start."""
        found: list[IPAddress] = []
        for address in _candidates(tuple(spans), near):
            is_free = self.rival(ref, address, "", counts, plane) is None
            if address != near and address not in found and is_free:
                found.append(address)
            if len(found) == _SUGGESTIONS:
                break
        return tuple(found)


_SUGGESTIONS = 3


class _Draft(Generic[_K, _V]):
    """Changes to come of a mapping, read through."""

    def __init__(self, base: Layered[_K, _V]) -> None:
        self._base = base
        self.changes: dict[_K, _V | None] = {}

    def get(self, key: _K) -> _V | None:
        return self.changes[key] if key in self.changes else self._base.get(key)


class _Renewal:
    """An index while pods are renewed in it."""

    def __init__(
        self,
        pods: Layered[str, PodClaims],
        holders: Layered[Key, tuple[Claim, ...]],
        usage: Layered[tuple[NadRef, str], Usage],
        tallies: Layered[tuple[NadRef, int, str], Tally],
        kept: Layered[str, int],
        *,
        used: Layered[str, frozenset[NadRef]],
    ) -> None:
        self.pods = _Draft(pods)
        self.holders = _Draft(holders)
        self.usage = _Draft(usage)
        self.tallies = _Draft(tallies)
        self.kept = _Draft(kept)
        self.used = _Draft(used)

    def renew(self, pod: str, given: PodClaims | None) -> None:
        """Take what a pod claims from now on; who claims nothing is not remembered."""
        old, new = self.pods.get(pod), given or None
        if old == new:
            return
        for key in old.claims if old else ():
            left = tuple(claim for claim in self.holders.get(key) or () if claim.pod != pod)
            self.holders.changes[key] = left or None
        self._count(old, is_gain=False)
        if new is not None and not self._has_room(new):
            new = replace(new, claims={})
        for key, claim in new.claims.items() if new else ():
            before = self.holders.get(key) or ()
            same = sum(each.namespace == claim.namespace for each in before)
            if claim.is_attached or same < MAX_CLAIMS_OF_ADDRESS:
                self.holders.changes[key] = (*before, claim)
        self._count(new, is_gain=True)
        self.pods.changes[pod] = new

    def _has_room(self, new: PodClaims) -> bool:
        kept = self.kept.get(new.namespace) or 0
        return kept + len(new.claims) <= MAX_CLAIMS_OF_NAMESPACE

    def _count(self, each: PodClaims | None, *, is_gain: bool) -> None:
        if each is None:
            return
        at = each.namespace
        if each.claims:
            size = len(each.claims) if is_gain else -len(each.claims)
            self.kept.changes[at] = (self.kept.get(at) or 0) + size or None
        for ref, used in each.usage.items():
            total = (self.usage.get((ref, at)) or Usage()) + (used if is_gain else -used)
            is_used = total != Usage()
            self.usage.changes[ref, at] = total if is_used else None
            before = self.used.get(at) or frozenset()
            if is_used != (ref in before):
                self.used.changes[at] = (before | {ref} if is_used else before - {ref}) or None
        for (ref, version), shown in each.tallies.items():
            place = ref, version, at
            tally = (self.tallies.get(place) or Tally()) + (shown if is_gain else -shown)
            self.tallies.changes[place] = None if tally == Tally() else tally


def _candidates(spans: tuple[AddressRange, ...], near: IPAddress) -> Iterator[IPAddress]:
    looked_at = 0
    same = [span for span in spans if span.version == near.version]
    rising = [
        span.starting_at(near) for span in same if near in span or int(span.first) > int(near)
    ]
    for run in (*rising, *map(iter, same)):
        for address in run:
            looked_at += 1
            if looked_at > MAX_LOOKED_AT:
                return
            yield address
