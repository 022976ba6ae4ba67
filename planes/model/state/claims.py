"""Claims of a pod: addresses and MACs it asks for, and addresses in its network-status.

The author of a pod may write both annotations, so they prove a request only. A pod has an address
where its network-status is known to be written by its node. Other statuses are counted for the
quota of the pod's own namespace alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from planes.model.addresses import IPAddress, parse_request
from planes.model.annotations.selection import Reading, Selection, read_selections
from planes.model.bounds import MAX_SHOWN_IPS_OF_POD, MAX_STATUS_CHARACTERS
from planes.model.errors import BadInput
from planes.model.mac import parse_mac
from planes.model.names import (
    DEFAULT_NETWORK_ANNOTATION,
    MULTUS_NAMESPACE,
    NETWORKS_ANNOTATION,
    STATUS_ANNOTATION,
)
from planes.model.objects import NadRef, Pod
from planes.model.wire.status import parse_addresses, parse_status

Wanted = IPAddress | bytes
"""An address, or a MAC by its bytes."""
Key = tuple[NadRef, Wanted]


@dataclass(frozen=True, slots=True)
class Claim:
    """One pod's claim of an address or MAC.

    Attributes:
        pod: `namespace/name`.
        is_attached: an interface of it has the address or MAC, by a status of its node.
        is_static: it asks for this address.
        node: where the pod runs, "" where that is not known.
    """

    pod: str
    is_attached: bool
    is_static: bool
    node: str = ""

    @property
    def namespace(self) -> str:
        """The pod's namespace."""
        return self.pod.partition("/")[0]


@dataclass(frozen=True, slots=True)
class Usage:
    """Usage of a network by a namespace."""

    addresses: int = 0
    attachments: int = 0
    static: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.addresses + other.addresses,
            self.attachments + other.attachments,
            self.static + other.static,
        )

    def changed(self, old: Usage, new: Usage) -> Usage:
        """Return the sum with one part of it replaced."""
        return Usage(
            self.addresses - old.addresses + new.addresses,
            self.attachments - old.attachments + new.attachments,
            self.static - old.static + new.static,
        )


NO_USAGE: Final = Usage()


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of addresses of one family on a network, by network-status.

    Attributes:
        attached: addresses of interfaces. Of those that were not asked for, one counts for each
            attachment of the pod: its author may write any number into the status.
        static: those of them that were asked for by address.
    """

    attached: int = 0
    static: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.attached + other.attached, self.static + other.static)

    def changed(self, old: Tally, new: Tally) -> Tally:
        """Return the sum with one part of it replaced."""
        return Tally(
            self.attached - old.attached + new.attached, self.static - old.static + new.static
        )


NO_TALLY: Final = Tally()


@dataclass(frozen=True, slots=True)
class PodClaims:
    """All claims of one pod.

    Attributes:
        claims: addresses and MACs that it asks for, and addresses that it has.
        usage: its share of quotas, by network.
        tallies: the addresses in its network-status, by network and IP version.
    """

    namespace: str
    claims: Mapping[Key, Claim] = field(default_factory=dict)
    usage: Mapping[NadRef, Usage] = field(default_factory=dict)
    tallies: Mapping[tuple[NadRef, int], Tally] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.claims or self.usage)

    @property
    def networks(self) -> tuple[NadRef, ...]:
        """The NADs that it asks for, each once."""
        return tuple(sorted(ref for ref, used in self.usage.items() if used.attachments))


def claims_of(
    pod: Pod,
    *,
    is_believed: bool = False,
    read: Callable[[str, str], Reading] = read_selections,
) -> PodClaims:
    """Return the claims of a pod.

    Annotations that cannot be read, or are out of bounds, claim nothing; nor does a pod that ended.

    Args:
        pod: with its annotations.
        is_believed: its network-status is known to be written by its node.
        read: `read_selections`, or a cache of it.
    """
    if pod.is_ended or pod.host_network:
        return PodClaims(pod.namespace)
    networks = pod.annotations.get(NETWORKS_ANNOTATION, "")
    selections = [
        *read(networks, pod.namespace).selections,
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
    claims: dict[Key, Claim] = {
        key: Claim(name, key in attached, key in asked, pod.node)
        for key in sorted_keys(asked | attached)
    }
    macs = {(selection.ref, mac) for selection in selections if (mac := _mac(selection.mac))}
    has = _shown_macs(pod.annotations.get(STATUS_ANNOTATION, "")) if macs and is_believed else ()
    for own in sorted(macs):
        claims[own] = Claim(name, is_attached=own in has, is_static=True, node=pod.node)
    usage = _usage(selections, asked, shown)
    return PodClaims(pod.namespace, claims, usage, _tallies(asked, shown, usage))


_Addresses = AbstractSet[tuple[NadRef, IPAddress]]


def _usage(
    selections: Iterable[Selection], asked: _Addresses, shown: _Addresses
) -> dict[NadRef, Usage]:
    counts: dict[NadRef, list[int]] = {}
    for selection in selections:
        found = counts.setdefault(selection.ref, [0, 0, 0])
        found[1] += 1
        found[2] += bool(selection.ipam_claim_reference)  # static ones, known once it has them
    for ref, _ in asked | shown:
        counts.setdefault(ref, [0, 0, 0])[0] += 1
    for ref, _ in asked:
        counts[ref][2] += 1
    return {ref: Usage(*count) for ref, count in counts.items()}


def _tallies(
    asked: _Addresses, shown: _Addresses, usage: Mapping[NadRef, Usage]
) -> dict[tuple[NadRef, int], Tally]:
    counts: dict[tuple[NadRef, int], list[int]] = {}
    for key in shown:
        found = counts.setdefault((key[0], key[1].version), [0, 0])
        found[0] += 1
        found[1] += key in asked
    return {
        (ref, version): Tally(min(has, static + max(usage[ref].attachments, 1)), static)
        for (ref, version), (has, static) in counts.items()
    }


def _in_place_of_default(text: str) -> tuple[Selection, ...]:
    """Return the network that a pod asks for in place of its default one."""
    return read_selections(text, MULTUS_NAMESPACE).selections[:1] if text else ()


def sorted_keys(keys: Iterable[tuple[NadRef, IPAddress]]) -> list[tuple[NadRef, IPAddress]]:
    """Order keys by network, family and address."""
    return sorted(keys, key=lambda key: (key[0], key[1].version, int(key[1])))


def bare_address(text: str) -> IPAddress | None:
    """Return the address of `a` or `a/b`, None where the text is none."""
    try:
        return parse_request(text)[0]
    except BadInput:
        return None


def _mac(text: str) -> bytes:
    """Return a MAC that is asked for, b"" where none is."""
    try:
        return parse_mac(text) if text else b""
    except BadInput:
        return b""


def _shown_macs(text: str) -> frozenset[tuple[NadRef, bytes]]:
    """Return the MACs of NADs' interfaces in a network-status."""
    if len(text) > MAX_STATUS_CHARACTERS:
        return frozenset()
    try:
        found = parse_status(text)
    except BadInput:
        return frozenset()
    named = [(one.name.partition("/"), _mac(one.mac)) for one in found]
    return frozenset((NadRef(at, name), mac) for (at, slash, name), mac in named if slash and mac)


def _shown(text: str) -> Iterator[tuple[NadRef, IPAddress]]:
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
