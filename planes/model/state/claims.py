"""What a pod claims: the addresses it asks for, and those that its network-status shows.

Whoever creates a pod writes both annotations. So asking is all that they prove; that a pod has an
address is believed only where its network-status is known to be its node's own. Of others' it is
counted, which bears on nobody but their own namespace.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from planes.model.addresses import IPAddress, parse_request
from planes.model.annotations.selection import Selection, read_selections
from planes.model.bounds import MAX_SHOWN_IPS_OF_POD, MAX_STATUS_CHARACTERS
from planes.model.errors import BadInput
from planes.model.names import (
    DEFAULT_NETWORK_ANNOTATION,
    MULTUS_NAMESPACE,
    NETWORKS_ANNOTATION,
    STATUS_ANNOTATION,
)
from planes.model.objects import NadRef, Pod
from planes.model.wire.status import parse_addresses

Key = tuple[NadRef, IPAddress]


@dataclass(frozen=True, slots=True)
class Claim:
    """One pod's claim of an address.

    Attributes:
        pod: `namespace/name`.
        is_attached: an interface of it has the address; not only the pod says so.
        is_static: it asks for that very address.
    """

    pod: str
    is_attached: bool
    is_static: bool

    @property
    def namespace(self) -> str:
        """The pod's namespace."""
        return self.pod.partition("/")[0]


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
    """Addresses of one family that interfaces have on a network, as network-status says.

    Attributes:
        static: those of them that were asked for by address.
    """

    attached: int = 0
    static: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.attached + other.attached, self.static + other.static)

    def __neg__(self) -> Tally:
        return Tally(-self.attached, -self.static)


@dataclass(frozen=True, slots=True)
class PodClaims:
    """Everything one pod claims.

    Attributes:
        claims: addresses that it asks for, and those that it is believed to have.
        usage: what it counts for, by network.
        tallies: what its network-status shows, by network and IP version.
    """

    namespace: str
    claims: Mapping[Key, Claim] = field(default_factory=dict)
    usage: Mapping[NadRef, Usage] = field(default_factory=dict)
    tallies: Mapping[tuple[NadRef, int], Tally] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.claims or self.usage)

    @property
    def networks(self) -> tuple[NadRef, ...]:
        """NADs that it asks for, each once."""
        return tuple(sorted(ref for ref, used in self.usage.items() if used.attachments))


def claims_of(pod: Pod, *, is_believed: bool = False) -> PodClaims:
    """Read what a pod claims.

    Annotations that cannot be read, or are out of bounds, claim nothing; a pod that has ended
    holds nothing.

    Args:
        pod: with its annotations.
        is_believed: its network-status is known to be its node's own.
    """
    if pod.is_ended or pod.host_network:
        return PodClaims(pod.namespace)
    networks = pod.annotations.get(NETWORKS_ANNOTATION, "")
    selections = [
        *read_selections(networks, pod.namespace).selections,
        *_in_place_of_default(pod.annotations.get(DEFAULT_NETWORK_ANNOTATION, "")),
    ]
    asked = {
        (selection.ref, address)
        for selection in selections
        for address in map(bare_address, selection.ips)
        if address is not None
    }
    shown = set(islice(_shown(pod.annotations.get(STATUS_ANNOTATION, "")), MAX_SHOWN_IPS_OF_POD))
    attached = shown if is_believed else frozenset()
    name = pod.key
    claims = {
        key: Claim(name, key in attached, key in asked) for key in sorted_keys(asked | attached)
    }
    addresses = Counter(ref for ref, _ in asked | shown)
    static = Counter(ref for ref, _ in asked)
    attachments = Counter(selection.ref for selection in selections)
    usage = {
        ref: Usage(addresses[ref], attachments[ref], static[ref])
        for ref in {*addresses, *attachments}
    }
    tallies: dict[tuple[NadRef, int], Tally] = {}
    for key in shown:
        place = key[0], key[1].version
        tallies[place] = tallies.get(place, Tally()) + Tally(1, int(key in asked))
    return PodClaims(pod.namespace, claims, usage, tallies)


def _in_place_of_default(text: str) -> tuple[Selection, ...]:
    """Give the network that a pod asks for in place of its default one."""
    return read_selections(text, MULTUS_NAMESPACE).selections[:1] if text else ()


def sorted_keys(keys: Iterable[Key]) -> list[Key]:
    """Order keys by network, family and address."""
    return sorted(keys, key=lambda key: (key[0], key[1].version, int(key[1])))


def bare_address(text: str) -> IPAddress | None:
    """Give the address of `a` or `a/b`, None where the text is none."""
    try:
        return parse_request(text)[0]
    except BadInput:
        return None


def _shown(text: str) -> Iterator[Key]:
    if len(text) > MAX_STATUS_CHARACTERS:
        return
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
