"""The peers of a port by source and stage, and which of them is evicted when the port is full.

Invariant: a new peer gets a place unless every place belongs to a request that is being answered.
So peers that keep their connections open slow others down, and never lock them out.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from ipaddress import IPv6Address, ip_address
from typing import Final

_SLOW_SECONDS: Final = 1.0
"""The longest that an honest peer takes for one step: a handshake, its first request."""


class PeerStage(IntEnum):
    """How far a peer has come; those of lower stages are evicted first."""

    SILENT = 0  # sent nothing, or not enough
    WAITING = 1  # sent its first bytes; its handshake has not begun
    HANDSHAKE = 2  # in the TLS handshake
    NEW = 3  # may send its first request
    IDLE = 4  # was answered
    ANSWERED = 5  # is being answered: never evicted


@dataclass(slots=True, eq=False)
class Peer:
    """One peer.

    Attributes:
        source: where it comes from, see `source_of`.
        since: when it came to its stage, in the event loop's time.
        end: closes the connection.
        is_gone: it was evicted, or has closed the connection.
    """

    source: str
    since: float
    stage: PeerStage = PeerStage.SILENT
    end: Callable[[], None] = field(default=lambda: None)
    is_gone: bool = False


class _SourcePeers:
    """The peers of one source: of each stage, in the order in which they came to it."""

    __slots__ = ("_by_stage", "count")

    def __init__(self) -> None:
        self._by_stage: tuple[dict[Peer, None], ...] = tuple({} for _ in PeerStage)
        self.count = 0

    def __iter__(self) -> Iterator[Peer]:
        return itertools.chain(*self._by_stage)

    def add(self, peer: Peer) -> None:
        """Add a peer behind those of its stage."""
        self._by_stage[peer.stage][peer] = None
        self.count += 1

    def remove(self, peer: Peer) -> bool:
        """Remove a peer; report whether it was there."""
        if peer not in self._by_stage[peer.stage]:
            return False
        del self._by_stage[peer.stage][peer]
        self.count -= 1
        return True

    def to_evict(self, now: float) -> Peer | None:
        """Return the peer to evict first; None where all are being answered."""
        if silent := self._first(PeerStage.SILENT):
            return silent
        if waiting := self._by_stage[PeerStage.WAITING]:
            return next(reversed(waiting))  # the first ones wait for us
        new = min(
            filter(None, (self._first(PeerStage.HANDSHAKE), self._first(PeerStage.NEW))),
            key=lambda peer: peer.since,
            default=None,
        )
        idle = self._first(PeerStage.IDLE)
        if new is None or idle is None:
            return new or idle
        # A new peer that is slow, else the one that has sent no request for longest.
        return new if now - new.since > _SLOW_SECONDS or new.since <= idle.since else idle

    def _first(self, stage: PeerStage) -> Peer | None:
        return next(iter(self._by_stage[stage]), None)


class PeerTable:
    """The peers that share a number of places.

    Args:
        places: how many there are.
        evicted: called with each peer that lost its place.
    """

    def __init__(self, places: int, evicted: Callable[[Peer], None]) -> None:
        self._places = places
        self._evicted = evicted
        self._sources: dict[str, _SourcePeers] = {}
        self._count = 0

    def __len__(self) -> int:
        """Count the peers."""
        return self._count

    def __iter__(self) -> Iterator[Peer]:
        """Return the peers as they are now, however they change meanwhile."""
        return iter([peer for peers in self._sources.values() for peer in peers])

    def add(self, peer: Peer) -> bool:
        """Add a peer, evicting another where the table is full; report whether it got a place."""
        if self._count >= self._places and not self.evict(peer.since):
            return False
        self._sources.setdefault(peer.source, _SourcePeers()).add(peer)
        self._count += 1
        return True

    def set_stage(self, peer: Peer, stage: PeerStage, now: float) -> None:
        """Record that a peer has come to a stage."""
        peers = self._sources.get(peer.source)
        is_here = peers is not None and peers.remove(peer)
        peer.stage, peer.since = stage, now
        if peers is not None and is_here:
            peers.add(peer)

    def evict(self, now: float) -> bool:
        """Evict one peer of the source that has most; report whether there was one to evict.

        Those that are being answered stay. Where that are all of the largest source, a peer of
        another source is evicted.
        """
        sources = self._sources.values()
        largest = max(sources, key=_count_of, default=None)
        peer = largest.to_evict(now) if largest is not None else None
        if peer is None:
            others = (each.to_evict(now) for each in sorted(sources, key=_count_of, reverse=True))
            peer = next((each for each in others if each is not None), None)
        if peer is None:
            return False
        self.remove(peer)
        peer.is_gone = True
        self._evicted(peer)
        peer.end()
        return True

    def remove(self, peer: Peer) -> None:
        """Remove a peer; nothing happens where it has no place."""
        peers = self._sources.get(peer.source)
        if peers is None or not peers.remove(peer):
            return
        self._count -= 1
        if not peers.count:
            del self._sources[peer.source]


def _count_of(peers: _SourcePeers) -> int:
    return peers.count


def source_of(address: str) -> str:
    """Return the source of a peer: its IPv4 address, or the /64 of its IPv6 one.

    A host that has one address of a /64 usually has all of them.
    """
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(ip, IPv6Address):
        return str(ip)
    return str(ip.ipv4_mapped or IPv6Address(int(ip) >> 64 << 64))
