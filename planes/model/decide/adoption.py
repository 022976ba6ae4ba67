"""Which addresses of a plane are in use already, by whom, and which source proves it.

Sources are facts about single addresses: a journal, interfaces in sandboxes, files and pools of
other IPAM plugins, annotations. They are compared with each other and with what is held already.

Invariant: an address that any source proves to be in use is held, also where sources name different
holders. An annotation that a pod's author could have written proves nothing by itself.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from planes.model.addresses import IPAddress
from planes.model.spec.plane_spec import Plane

MOST_OF_SANDBOX: Final = 64
"""Addresses of a plane that interfaces of one sandbox prove: root in a pod may add any number."""
NO_INTERFACE: Final = "unknown"
"""Stands for the name of an interface that is not known, or cannot be written."""
_PREFIX: Final = "adopted-"


class Source(StrEnum):
    """Where a fact comes from; the first ones say most about the holder."""

    JOURNAL = "journal"
    SANDBOX = "sandbox"
    HOST_LOCAL = "host-local"
    WHEREABOUTS = "whereabouts"
    POD_IP = "pod-ip"
    STATUS = "network-status"
    ANNOTATION = "annotation"


_RANK: Final = {source: rank for rank, source in enumerate(Source)}
_OTHER_IPAMS: Final = frozenset({Source.HOST_LOCAL, Source.WHEREABOUTS})
_PROOFS: Final = frozenset(Source) - {Source.STATUS, Source.ANNOTATION}


class Verdict(StrEnum):
    """What becomes of an address.

    HOLD: it is to be recorded as held. HELD: it is already, for this attachment. CONFLICT: the
    plane holds it for another attachment. UNPROVEN: only annotations say so; nothing is recorded.
    """

    HOLD = "hold"
    HELD = "held"
    CONFLICT = "conflict"
    UNPROVEN = "unproven"


@dataclass(frozen=True, slots=True)
class AddressUser:
    """The attachment that uses an address, as far as known; "" for what is not.

    Attributes:
        netns: path of its network namespace.
    """

    container_id: str = ""
    interface: str = ""
    namespace: str = ""
    pod: str = ""
    uid: str = ""
    netns: str = ""

    @property
    def identity(self) -> str:
        """The container ID, or where it is unknown a name of that form; "" where nothing is."""
        if self.container_id:
            return self.container_id
        if self.netns:
            return sandbox_identity(self.netns)
        return pod_identity(self.namespace, self.pod, self.uid) if self.pod else ""

    def may_be(self, other: AddressUser) -> bool:
        """Report whether both may be one attachment: what identifies both is equal."""
        if self.container_id and other.container_id:
            return self.container_id == other.container_id
        if self.pod and other.pod:
            same = (self.namespace, self.pod) == (other.namespace, other.pod)
            return same and (not (self.uid and other.uid) or self.uid == other.uid)
        if self.netns and other.netns:
            return canonical_netns(self.netns) == canonical_netns(other.netns)
        return not (self.interface and other.interface) or self.interface == other.interface

    def completed(self, other: AddressUser) -> AddressUser:
        """Return it with what only the other one says."""
        return AddressUser(
            self.container_id or other.container_id,
            self.interface or other.interface,
            self.namespace if self.pod else other.namespace,
            self.pod or other.pod,
            self.uid if self.pod else other.uid,
            self.netns or other.netns,
        )

    def __str__(self) -> str:
        where = f" (interface {self.interface})" if self.interface else ""
        if self.pod:
            return f"pod {self.namespace}/{self.pod}{where}"
        if self.container_id:
            return f"container {self.container_id[:12]}{where}"
        return f"sandbox {self.netns}{where}" if self.netns else "somebody unknown"


@dataclass(frozen=True, slots=True)
class Fact:
    """One source says that an address is in use.

    Attributes:
        network: the network as its source names it: `<namespace>/<NAD>`, or a directory's name.
        plane: the plane, where the source knows it.
    """

    source: Source
    address: IPAddress
    user: AddressUser
    network: str = ""
    plane: str = ""


@dataclass(frozen=True, slots=True)
class Adoption:
    """The decision about one address.

    Attributes:
        user: whom it is held for.
        sources: those that say so.
        networks: the networks that they name.
        doubts: why somebody should look at it; none mostly.
    """

    address: IPAddress
    verdict: Verdict
    user: AddressUser
    sources: tuple[Source, ...]
    networks: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


def canonical_netns(netns: str) -> str:
    """Return the path of a namespace below /run: /var/run leads there."""
    return netns.removeprefix("/var") if netns.startswith("/var/run/") else netns


def sandbox_identity(netns: str) -> str:
    """Return what stands for the container ID of a sandbox of which only the namespace is known."""
    return _digest("netns", canonical_netns(netns))


def pod_identity(namespace: str, pod: str, uid: str) -> str:
    """Return what stands for the container ID of a pod of which no sandbox was found."""
    return _digest("pod", namespace, pod, uid)


def is_adopted(container_id: str) -> bool:
    """Report whether a container ID is none, but stands for one."""
    return container_id.startswith(_PREFIX)


def adoptions(
    plane: Plane,
    facts: Iterable[Fact],
    held: Mapping[IPAddress, AddressUser],
    is_joined: Callable[[str], bool],
) -> tuple[Adoption, ...]:
    """Decide about all addresses of a plane that a source mentions, in rising order.

    Args:
        plane: the plane.
        facts: of all sources; those of other planes and networks are sorted out here.
        held: what the plane's address book holds already.
        is_joined: reports whether a namespace joined the plane.
    """
    by_address: dict[IPAddress, list[Fact]] = {}
    for fact in facts:
        if _can_have(plane, fact.address):
            by_address.setdefault(fact.address, []).append(fact)
    room = Counter[str]()
    found = []
    for address in sorted(by_address, key=lambda one: (one.version, int(one))):
        told = sorted(by_address[address], key=lambda fact: _RANK[fact.source])
        told = _of_plane(plane, told)
        proofs = [fact for fact in told if _proves(plane, fact, is_joined) and _fits(fact, room)]
        if proofs:
            found.append(_adoption(address, proofs, told, held.get(address)))
        elif told:
            doubt = "no interface, file or pool confirms it"
            found.append(_said(address, Verdict.UNPROVEN, told[0].user, told, [doubt]))
    return tuple(found)


def _can_have(plane: Plane, address: IPAddress) -> bool:
    subnet = plane.subnet_of(address)
    return subnet is not None and not (address in subnet.unusable or address in subnet.excluded)


def _of_plane(plane: Plane, told: Sequence[Fact]) -> list[Fact]:
    """Leave out what the journal has of other networks: two wires may have equal addresses.

    What another IPAM keeps is not left out. Only `adopt` reads that, for a plane that is to take
    over that network's addresses.
    """
    elsewhere = [
        fact.user for fact in told if fact.source is Source.JOURNAL and fact.plane != plane.name
    ]
    return [
        fact
        for fact in told
        if (fact.source is not Source.JOURNAL or fact.plane == plane.name)
        and (
            fact.source in _OTHER_IPAMS
            or not any(fact.user.may_be(user) and _knows(fact.user) for user in elsewhere)
        )
    ]


def _knows(user: AddressUser) -> bool:
    return bool(user.container_id or user.pod or user.netns)


def _proves(plane: Plane, fact: Fact, is_joined: Callable[[str], bool]) -> bool:
    if fact.source in _PROOFS:
        return True
    # Of the plane's own network, of a pod that could have asked for it: it costs others nothing
    # that the pod could not have had anyway.
    return (
        fact.source is Source.STATUS
        and fact.network == str(plane.ref)
        and is_joined(fact.user.namespace)
    )


def _fits(fact: Fact, room: Counter[str]) -> bool:
    if fact.source is not Source.SANDBOX:
        return True
    room[fact.user.netns] += 1
    return room[fact.user.netns] <= MOST_OF_SANDBOX


def _adoption(
    address: IPAddress, proofs: Sequence[Fact], told: Sequence[Fact], holder: AddressUser | None
) -> Adoption:
    user = proofs[0].user
    doubts = []
    for fact in proofs[1:]:
        if user.may_be(fact.user):
            user = user.completed(fact.user)
        else:
            doubts.append(f"{fact.source} says {fact.user}")
    for fact in told:
        if fact not in proofs and not user.pod and user.may_be(fact.user):
            user = user.completed(fact.user)
    if holder is None:
        return _said(address, Verdict.HOLD, user, proofs, doubts)
    if holder.identity == user.identity or holder.may_be(user):
        return _said(address, Verdict.HELD, user, proofs, doubts)
    doubts.insert(0, f"the plane holds it for {holder}")
    return _said(address, Verdict.CONFLICT, user, proofs, doubts)


def _said(
    address: IPAddress,
    verdict: Verdict,
    user: AddressUser,
    by: Sequence[Fact],
    doubts: Sequence[str],
) -> Adoption:
    sources = tuple(dict.fromkeys(fact.source for fact in by))
    networks = tuple(dict.fromkeys(fact.network for fact in by if fact.network))
    return Adoption(address, verdict, user, sources, networks, tuple(doubts))


def _digest(*parts: str) -> str:
    text = "\n".join(parts).encode(errors="surrogatepass")
    return _PREFIX + hashlib.sha256(text).hexdigest()[:40]
