"""Which pod holds or asks for which address on which network, as pods' annotations tell it.

An index for early answers: it names holders, suggests free addresses and counts for quotas. The
address book alone hands out addresses; a race that this index misses ends there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from planes.model.addresses import AddressRange, IPAddress, parse_request
from planes.model.annotations.selection import read_selections
from planes.model.bounds import MAX_LOOKED_AT
from planes.model.errors import BadInput
from planes.model.names import NETWORKS_ANNOTATION, STATUS_ANNOTATION
from planes.model.objects import NadRef, Pod
from planes.model.state.layered import Layered
from planes.model.wire.status import parse_addresses

Key = tuple[NadRef, IPAddress]
_K = TypeVar("_K")
_V = TypeVar("_V")


@dataclass(frozen=True, slots=True)
class Claim:
    """One pod's claim of an address; `is_attached` where an interface has it already."""

    pod: str
    is_attached: bool
    is_static: bool


@dataclass(frozen=True, slots=True)
class Usage:
    """What a namespace holds on a network."""

    addresses: int = 0
    attachments: int = 0
    static: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.addresses + other.addresses,
            self.attachments + other.attachments,
            self.static + other.static,
        )

    def __neg__(self) -> Usage:
        return Usage(-self.addresses, -self.attachments, -self.static)


@dataclass(frozen=True, slots=True)
class Tally:
    """Addresses of one family that interfaces have on a network, in all namespaces together.

    Attributes:
        static: those of them that were asked for by address.
    """

    attached: int = 0
    static: int = 0


@dataclass(frozen=True, slots=True)
class PodClaims:
    """Everything one pod claims."""

    namespace: str
    claims: Mapping[Key, Claim]
    networks: tuple[NadRef, ...]

    def __bool__(self) -> bool:
        return bool(self.claims or self.networks)

    def usage(self) -> dict[NadRef, Usage]:
        """Count per network."""
        addresses = Counter(ref for ref, _ in self.claims)
        static = Counter(key[0] for key, claim in self.claims.items() if claim.is_static)
        attachments = Counter(self.networks)
        return {
            ref: Usage(addresses[ref], attachments[ref], static[ref])
            for ref in {*addresses, *attachments}
        }


def claims_of(pod: Pod) -> PodClaims:
    """Read what a pod claims: the addresses it asks for and those its network-status shows.

    Annotations that cannot be read claim nothing; a pod that has ended holds nothing.
    """
    if pod.is_ended or pod.host_network:
        return PodClaims(pod.namespace, {}, ())
    selections = read_selections(
        pod.annotations.get(NETWORKS_ANNOTATION, ""), pod.namespace
    ).selections
    asked = {
        (selection.ref, address)
        for selection in selections
        for address in map(bare_address, selection.ips)
        if address is not None
    }
    attached = set(_attached(pod.annotations.get(STATUS_ANNOTATION, "")))
    name = pod.key
    claims = {
        key: Claim(name, key in attached, key in asked) for key in sorted_keys(asked | attached)
    }
    return PodClaims(pod.namespace, claims, tuple(selection.ref for selection in selections))


def sorted_keys(keys: Iterable[Key]) -> list[Key]:
    """Order keys by network, family and address."""
    return sorted(keys, key=lambda key: (key[0], key[1].version, int(key[1])))


def bare_address(text: str) -> IPAddress | None:
    """Give the address of `a` or `a/b`, None where the text is none."""
    try:
        return parse_request(text)[0]
    except BadInput:
        return None


def _attached(text: str) -> Iterator[Key]:
    if "/" not in text and "\\" not in text:  # no NAD is named, not even with escapes
        return
    try:
        found = parse_addresses(text)
    except BadInput:
        return
    for network, ips in found:
        namespace, slash, name = network.partition("/")
        for address in map(bare_address, ips) if slash else ():
            if address is not None:
                yield NadRef(namespace, name), address


class ClaimIndex:
    """Claims of all pods, persistent: `with_pod` and `without_pod` give a new index."""

    __slots__ = ("_holders", "_pods", "_tallies", "_usage")

    def __init__(self) -> None:
        self._pods: Layered[str, PodClaims] = Layered()
        self._holders: Layered[Key, tuple[Claim, ...]] = Layered()
        self._usage: Layered[tuple[NadRef, str], Usage] = Layered()
        self._tallies: Layered[tuple[NadRef, int], Tally] = Layered()

    @classmethod
    def of(cls, pods: Iterable[Pod]) -> ClaimIndex:
        """Index many pods at once."""
        return cls().changed({pod.key: claims_of(pod) for pod in pods})

    def with_pod(self, pod: Pod) -> ClaimIndex:
        """Give an index with a pod added or renewed."""
        return self.changed({pod.key: claims_of(pod)})

    def without_pod(self, key: str) -> ClaimIndex:
        """Give an index without a pod, named `namespace/name`."""
        return self.changed({key: None})

    def changed(self, pods: Mapping[str, PodClaims | None]) -> ClaimIndex:
        """Give an index with what some pods claim renewed, or (None) gone; cheaper than singly."""
        renewed: dict[str, PodClaims | None] = {}
        holders = _Draft(self._holders)
        usage = _Draft(self._usage)
        tallies = _Draft(self._tallies)
        for pod, given in pods.items():
            old = self._pods.get(pod)
            claims = given if given else None  # who claims nothing is not remembered
            if old == claims:
                continue
            renewed[pod] = claims
            for key in old.claims if old else ():
                kept = tuple(claim for claim in holders.get(key) or () if claim.pod != pod)
                holders.changes[key] = kept or None
            for key, claim in claims.claims.items() if claims else ():
                holders.changes[key] = (*(holders.get(key) or ()), claim)
            _count(usage, old, claims)
            _tally(tallies, old, claims)
        if not renewed:
            return self
        index = ClaimIndex()
        index._pods = self._pods.changed(renewed)
        index._holders = self._holders.changed(holders.changes)
        index._usage = self._usage.changed(usage.changes)
        index._tallies = self._tallies.changed(tallies.changes)
        return index

    def holders(self, ref: NadRef, address: IPAddress) -> tuple[Claim, ...]:
        """Give everybody who claims an address on a network."""
        return self._holders.get((ref, address)) or ()

    def rival(self, ref: NadRef, address: IPAddress, pod: str) -> Claim | None:
        """Give the claim that keeps a pod from an address, None where it may have it.

        Who is attached has it. Of those who only ask, a pod that is known already goes before a
        new one, and the lower name before the higher: so exactly one of two rivals is refused.
        """
        claims = self.holders(ref, address)
        if not claims:
            return None
        own = next((claim for claim in claims if claim.pod == pod), None)
        if own is not None and own.is_attached:
            return None
        others = [claim for claim in claims if claim.pod != pod]
        attached = [claim for claim in others if claim.is_attached]
        if attached:
            return attached[0]
        ahead = [claim for claim in others if own is None or claim.pod < pod]
        return min(ahead, key=lambda claim: claim.pod, default=None)

    def usage(self, ref: NadRef, namespace: str, *, without: str = "") -> Usage:
        """Count what a namespace holds on a network, one pod left out."""
        found = self._usage.get((ref, namespace)) or Usage()
        own = self._pods.get(without) if without else None
        if own is not None and own.namespace == namespace and (part := own.usage().get(ref)):
            return found + -part
        return found

    def tally(self, ref: NadRef, version: int) -> Tally:
        """Count the addresses of one family in use on a network, in all namespaces."""
        return self._tallies.get((ref, version)) or Tally()

    def free(
        self, ref: NadRef, spans: Iterable[AddressRange], near: IPAddress, count: int = 3
    ) -> tuple[IPAddress, ...]:
        """Suggest addresses that nobody claims: after `near` first, then from the start."""
        found: list[IPAddress] = []
        for address in _candidates(tuple(spans), near):
            if address != near and address not in found and not self.holders(ref, address):
                found.append(address)
            if len(found) == count:
                break
        return tuple(found)


class _Draft(Generic[_K, _V]):
    """Changes to come of a mapping, read through."""

    def __init__(self, base: Layered[_K, _V]) -> None:
        self._base = base
        self.changes: dict[_K, _V | None] = {}

    def get(self, key: _K) -> _V | None:
        return self.changes[key] if key in self.changes else self._base.get(key)


def _count(
    usage: _Draft[tuple[NadRef, str], Usage], old: PodClaims | None, new: PodClaims | None
) -> None:
    for each, is_gain in ((old, False), (new, True)):
        if each is None:
            continue
        for ref, count in each.usage().items():
            place = (ref, each.namespace)
            total = (usage.get(place) or Usage()) + (count if is_gain else -count)
            usage.changes[place] = None if total == Usage() else total


def _tally(
    tallies: _Draft[tuple[NadRef, int], Tally], old: PodClaims | None, new: PodClaims | None
) -> None:
    for each, sign in ((old, -1), (new, 1)):
        for (ref, address), claim in each.claims.items() if each else ():
            if claim.is_attached:
                place = (ref, address.version)
                before = tallies.get(place) or Tally()
                tallies.changes[place] = Tally(
                    before.attached + sign, before.static + sign * claim.is_static
                )


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
