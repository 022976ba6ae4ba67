"""The index of claims: which pods hold or ask for which address on which network.

It finds conflicts early, suggests free addresses and counts for quotas. Addresses are handed out by
the address book alone, which decides races that this index misses. Any pod may claim anything, so
callers say which claims count (`ClaimScope`). The claims of one namespace are bounded; beyond that
they are counted for its quota but not found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from planes.model.addresses import AddressRange, IPAddress
from planes.model.annotations.selection import Reading, read_selections
from planes.model.bounds import MAX_LOOKED_AT
from planes.model.objects import NadRef, Pod
from planes.model.state.claim_changes import ClaimChange, ClaimMaps, Held
from planes.model.state.claims import (
    NO_TALLY,
    NO_USAGE,
    Claim,
    PodClaims,
    Tally,
    Usage,
    Wanted,
    claims_of,
)
from planes.model.state.persistent_map import PersistentMap


class ClaimScope(NamedTuple):
    """Which claims of addresses on a network count for a pod.

    Attributes:
        counts: reports whether the claims of a namespace's pods do.
        plane: the plane whose address blocks say who holds an address; "" where none do.
        node: the pod's node where each node has a network of its own, "" while it has none: claims
            of pods on that node count. None: those of all nodes do.
    """

    counts: Callable[[str], bool]
    plane: str = ""
    node: str | None = None


class ClaimIndex:
    """The claims of all pods; immutable, a change returns a new index."""

    __slots__ = ("_held", "_holders", "_macs", "_maps", "_pods", "_tallies", "_usage", "_used")

    def __init__(self, maps: ClaimMaps | None = None) -> None:
        if maps is None:
            empty: PersistentMap[Any, Any] = PersistentMap()
            maps = ClaimMaps(empty, empty, empty, empty, empty, empty, empty, empty)
        self._maps = maps
        self._pods, self._holders, self._usage, self._tallies = maps[:4]
        self._used, self._held, self._macs = maps.used, maps.held, maps.macs

    def with_pod(
        self,
        pod: Pod,
        *,
        is_believed: bool = False,
        read: Callable[[str, str], Reading] = read_selections,
    ) -> ClaimIndex:
        """Return an index with a pod added or replaced; the others as in `claims_of`."""
        return self.changed({pod.key: claims_of(pod, is_believed=is_believed, read=read)})

    def changed(self, pods: Mapping[str, PodClaims | None]) -> ClaimIndex:
        """Return an index with the claims of some pods replaced, or removed (None)."""
        change = ClaimChange(self._maps)
        for pod, given in pods.items():
            change.replace_pod(pod, given)
        return ClaimIndex(change.made()) if change.pods.changes else self

    def with_held(self, changes: Mapping[Held, str | None]) -> ClaimIndex:
        """Return an index with other holders of static addresses, as address blocks have them.

        Args:
            changes: the pod, `namespace/name`, of each address, None for none.
        """
        return ClaimIndex(self._maps._replace(held=self._held.changed(changes)))

    def holders(self, ref: NadRef, address: Wanted) -> tuple[Claim, ...]:
        """Return all claims of an address or MAC on a network."""
        return self._holders.get((ref, address)) or ()

    def rival(self, ref: NadRef, address: Wanted, pod: str, scope: ClaimScope) -> Claim | None:
        """Return the claim that keeps a pod from an address, None where it may have it.

        A pod that is attached has it. Of pods that only ask, a known one goes before a new one,
        and the lower name before the higher: so exactly one of two rivals is refused.

        Args:
            ref: the network.
            address: on it.
            pod: the pod that wants it, `namespace/name`.
            scope: which claims count.
        """
        holder = None
        if scope.plane and not isinstance(address, bytes):  # MACs are in no block
            holder = self._held.get((scope.plane, address))
        claims = self.holders(ref, address)
        if holder == pod or not (claims or holder):
            return None
        if holder is not None and holder in self._pods:  # a deleted pod holds nothing
            is_own = any(claim.pod == pod and claim.is_attached for claim in claims)
            return None if is_own else Claim(holder, True, True)
        return ahead_of(pod, claims, scope)

    def networks_with_mac(self, mac: bytes) -> tuple[NadRef, ...]:
        """Return the networks on which a pod asks for a MAC."""
        return self._macs.get(mac) or ()

    def usage(self, ref: NadRef, namespace: str, *, without: str = "") -> Usage:
        """Return the usage of a network by a namespace, one pod left out."""
        found = self._usage.get((ref, namespace)) or NO_USAGE
        own = self._pods.get(without) if without else None
        if own is not None and own.namespace == namespace and (part := own.usage.get(ref)):
            return found.changed(part, NO_USAGE)
        return found

    def networks_of(self, namespace: str) -> frozenset[NadRef]:
        """Return the networks that a namespace's pods ask for or have."""
        return self._used.get(namespace) or frozenset()

    def pods_on(self, ref: NadRef) -> Iterator[tuple[str, str]]:
        """Yield namespace and key, `namespace/name`, of each pod that asks for a network or has it.

        It goes through all pods: only for what is needed seldom.
        """
        for pod, claims in self._pods.items():
            if ref in claims.usage:
                yield claims.namespace, pod

    def tally(self, ref: NadRef, version: int, namespaces: Iterable[str]) -> Tally:
        """Count the addresses of one family in use on a network, in some namespaces together."""
        total = NO_TALLY
        for namespace in namespaces:
            if (found := self._tallies.get((ref, version, namespace))) is not None:
                total += found
        return total

    def free(
        self,
        ref: NadRef,
        spans: Iterable[AddressRange],
        near: IPAddress,
        scope: ClaimScope,
    ) -> tuple[IPAddress, ...]:
        """Return up to 3 addresses that no pod claims: after `near` first, then from the start."""
        found: list[IPAddress] = []
        for address in _candidates(tuple(spans), near):
            is_free = self.rival(ref, address, "", scope) is None
            if address != near and address not in found and is_free:
                found.append(address)
            if len(found) == _SUGGESTIONS:
                break
        return tuple(found)


_SUGGESTIONS = 3


def ahead_of(pod: str, claims: Iterable[Claim], scope: ClaimScope) -> Claim | None:
    """Return the claim of another pod that goes before a pod's own; see `ClaimIndex.rival`."""
    every = tuple(claims)
    own = next((claim for claim in every if claim.pod == pod), None)
    if own is not None and own.is_attached:
        return None
    others = [claim for claim in every if claim.pod != pod and scope.counts(claim.namespace)]
    if scope.node is not None:
        others = [claim for claim in others if claim.node and claim.node == scope.node]
    attached = next((claim for claim in others if claim.is_attached), None)
    if attached is not None:
        return attached
    ahead = [claim for claim in others if own is None or claim.pod < pod]
    return min(ahead, key=lambda claim: claim.pod, default=None)


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
