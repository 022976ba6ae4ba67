"""Who is connected, from where, how far each has come, and who has to go when it is full.

Invariant: a newcomer gets a place unless every place is taken by somebody who is being answered.
So peers that hold places can slow others down, and never lock them out.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from ipaddress import IPv6Address, ip_address
from typing import Final

_DAWDLES_SECONDS: Final = 1.0
"""How long a peer that means well takes for a step at the most: a handshake, a first request."""


class Stage(IntEnum):
    """How far a peer has come; who has come less far goes first."""

    SILENT = 0  # sent nothing, or not enough
    WAITING = 1  # sent its first bytes, and is not greeted yet
    GREETED = 2  # in the TLS handshake
    NEW = 3  # may ask, and has not
    IDLE = 4  # was answered
    ANSWERED = 5  # is being answered: never put out


@dataclass(slots=True, eq=False)
class Guest:
    """One peer.

    Attributes:
        source: where it comes from, see `source_of`.
        since: when it came to its stage, in the event loop's time.
        end: breaks the connection off.
        is_gone: it was put out, or has left.
    """

    source: str
    since: float
    stage: Stage = Stage.SILENT
    end: Callable[[], None] = field(default=lambda: None)
    is_gone: bool = False


class _Line:
    """The peers of one source: of each stage, in the order in which they came to it."""

    __slots__ = ("_at", "count")

    def __init__(self) -> None:
        self._at: tuple[dict[Guest, None], ...] = tuple({} for _ in Stage)
        self.count = 0

    def __iter__(self) -> Iterator[Guest]:
        return itertools.chain(*self._at)

    def add(self, guest: Guest) -> None:
        """Put a peer behind those of its stage."""
        self._at[guest.stage][guest] = None
        self.count += 1

    def remove(self, guest: Guest) -> bool:
        """Take a peer out; report whether it was there."""
        if guest not in self._at[guest.stage]:
            return False
        del self._at[guest.stage][guest]
        self.count -= 1
        return True

    def leaver(self, now: float) -> Guest | None:
        """Give who has to go first; of those that wait for us it is the last."""
        if silent := self._first(Stage.SILENT):
            return silent
        if waiting := self._at[Stage.WAITING]:
            return next(reversed(waiting))
        new = min(
            filter(None, (self._first(Stage.GREETED), self._first(Stage.NEW))),
            key=lambda guest: guest.since,
            default=None,
        )
        old = self._first(Stage.IDLE)
        if new is None or old is None:
            return new or old
        # Who dawdles before it ever asked, else who has stood longest without asking.
        return new if now - new.since > _DAWDLES_SECONDS or new.since <= old.since else old

    def _first(self, stage: Stage) -> Guest | None:
        return next(iter(self._at[stage]), None)


class Crowd:
    """The peers that share a number of places.

    Args:
        places: how many there are.
        put_out: told of each peer that had to go.
    """

    def __init__(self, places: int, put_out: Callable[[Guest], None]) -> None:
        self._places = places
        self._put_out = put_out
        self._lines: dict[str, _Line] = {}
        self._count = 0

    def __len__(self) -> int:
        """Count the peers."""
        return self._count

    def __iter__(self) -> Iterator[Guest]:
        """Give the peers as they are now, however they change meanwhile."""
        return iter([guest for line in self._lines.values() for guest in line])

    def admit(self, guest: Guest) -> bool:
        """Give a peer a place, where need be that of another; report whether there was one."""
        if self._count >= self._places and not self.make_room(guest.since):
            return False
        self._lines.setdefault(guest.source, _Line()).add(guest)
        self._count += 1
        return True

    def step(self, guest: Guest, stage: Stage, now: float) -> None:
        """Note that a peer has come to a stage."""
        line = self._lines.get(guest.source)
        is_here = line is not None and line.remove(guest)
        guest.stage, guest.since = stage, now
        if line is not None and is_here:
            line.add(guest)

    def make_room(self, now: float) -> bool:
        """Put one peer out, of those from where most come; report whether there was one to go.

        Those that are being answered stay. Where all of the largest source are, the others' go.
        """
        lines = self._lines.values()
        largest = max(lines, key=_count_of, default=None)
        leaver = largest.leaver(now) if largest is not None else None
        if leaver is None:
            others = (line.leaver(now) for line in sorted(lines, key=_count_of, reverse=True))
            leaver = next((guest for guest in others if guest is not None), None)
        if leaver is None:
            return False
        self.leave(leaver)
        leaver.is_gone = True
        self._put_out(leaver)
        leaver.end()
        return True

    def leave(self, guest: Guest) -> None:
        """Take a peer's place back; nothing happens where it has none."""
        line = self._lines.get(guest.source)
        if line is None or not line.remove(guest):
            return
        self._count -= 1
        if not line.count:
            del self._lines[guest.source]


def _count_of(line: _Line) -> int:
    return line.count


def source_of(address: str) -> str:
    """Return what stands for a peer's origin: its IPv4 address, or the /64 of its IPv6 one.

    Whoever has one address of a /64 usually has all of them.
    """
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(ip, IPv6Address):
        return str(ip)
    return str(ip.ipv4_mapped or IPv6Address(int(ip) >> 64 << 64))
