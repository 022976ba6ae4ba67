"""Objects of any size, in lists of any length: of an object that is too large only names are kept.

A tenant may write objects of up to the 1.5 MiB that etcd takes, thousands of them in one list. So
no long list is held whole, and an object over a bound is never decoded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from planes.kube.client.scanner import Path, Scanner, Stop
from planes.kube.resources import IPAM_CLAIMS, NADS, NAMESPACES, PODS, Resource
from planes.model.errors import JsonObject
from planes.model.names import (
    DEFAULT_NETWORK_ANNOTATION,
    NETWORKS_ANNOTATION,
    STATUS_ANNOTATION,
)

PIECE_BYTES: Final = 8 << 10
"""Scanned at a time: far below 1 ms, or 3 ms where there are brackets only."""

_MAX_NAME: Final = 512
_MAX_TEXT: Final = 64 << 10
_NAMES: Final = (
    *("namespace", "name", "uid", "resourceVersion"),
    *("creationTimestamp", "deletionTimestamp"),
)
_KEPT: Final[Mapping[Path, int]] = {
    **{("metadata", name): _MAX_NAME for name in _NAMES},
    ("metadata", "annotations", NETWORKS_ANNOTATION): _MAX_TEXT,
    ("metadata", "annotations", DEFAULT_NETWORK_ANNOTATION): _MAX_TEXT,
    ("metadata", "annotations", STATUS_ANNOTATION): _MAX_TEXT,
}
"""What is kept of an object, and how many bytes of it at most."""


@dataclass(frozen=True, slots=True)
class Bound:
    """Which objects of a kind are decoded: so many bytes, and so many quotes (two for each string).

    A string of 256 KiB is decoded in microseconds; as many bytes of tiny members take 10 ms.
    """

    size: int
    quotes: int

    def holds(self, data: bytes | bytearray) -> bool:
        """Report whether an object is to be decoded."""
        return len(data) <= self.size and data.count(b'"') <= self.quotes


OF_TENANTS: Final = Bound(512 << 10, 1 << 14)
"""Metadata of pods and namespaces: annotations have 256 KiB together, fields are some hundreds."""
OF_NADS: Final = Bound(128 << 10, 1 << 12)
"""Four times a NAD's largest config: `kubectl apply` keeps a copy of it in an annotation."""
OF_CLAIMS: Final = Bound(64 << 10, 1 << 11)
"""IPAMClaims: two names, two addresses, some conditions."""
OF_ADMINISTRATORS: Final = Bound(8 << 20, 8 << 20)
"""Objects that no tenant may write are decoded at any size that the API server takes."""


def bound_of(resource: Resource) -> Bound:
    """Return the bound of a kind."""
    return _BOUNDS.get(resource.plural, OF_ADMINISTRATORS)


_BOUNDS: Final = {
    PODS.plural: OF_TENANTS,
    NAMESPACES.plural: OF_TENANTS,
    NADS.plural: OF_NADS,
    IPAM_CLAIMS.plural: OF_CLAIMS,
}


class Skimmed(dict[str, Any]):
    """The outline of an object that was too large to be decoded: names, and networks annotations.

    Attributes:
        size: its length in bytes as it was sent.
    """

    def __init__(self, found: Mapping[Path, str], size: int) -> None:
        super().__init__()
        self.size = size
        for path, text in found.items():
            place: dict[str, Any] = self
            for key in path[:-1]:
                place = place.setdefault(key, {})
            place[path[-1]] = text


class ListSkim:
    """A list that comes in pieces.

    Attributes:
        found: `resourceVersion` and `continue` of the list's metadata, once they have come.

    Args:
        bound: what is decoded.
    """

    def __init__(self, bound: Bound) -> None:
        self.found: dict[str, str] = {}
        self._bound = bound
        kept = {("items", "", *path): size for path, size in _KEPT.items()}
        kept |= {("metadata", key): 16 << 10 for key in ("resourceVersion", "continue")}
        self._scanner = Scanner(kept, ("items",))
        self._item: bytearray | None = None
        self._size = 0

    @property
    def is_whole(self) -> bool:
        """Whether the list has come to its end."""
        return self._scanner.is_between

    def feed(self, data: bytes) -> Iterator[JsonObject]:
        """Take the next piece, of `PIECE_BYTES`; yield the objects that end in it.

        Raises:
            orjson.JSONDecodeError: an object is not JSON.
        """
        at = 0
        while at < len(data):
            start = at
            at, stop = self._scanner.scan(data, start)
            if stop is Stop.BEGIN:
                self._item, self._size = bytearray(), 0
                self._keep(data[at - 1 : at])
            elif self._size:
                self._keep(data[start:at])
            if stop is Stop.END:
                yield self._ended()
        for path, text in self._scanner.found.items():
            if path[0] == "metadata":
                self.found[path[-1]] = text

    def _keep(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > self._bound.size:
            self._item = None
        elif self._item is not None:
            self._item += part

    def _ended(self) -> JsonObject:
        item, size, found = self._item, self._size, self._scanner.found
        self._item, self._size = None, 0
        named = {path[2:]: found.pop(path) for path in tuple(found) if path[0] == "items"}
        if item is None or not self._bound.holds(item):
            return Skimmed(named, size)
        value: JsonObject = orjson.loads(item)
        return value


class EventSkim:
    """One event of a watch that is too large to be decoded."""

    def __init__(self) -> None:
        kept = {("object", *path): size for path, size in _KEPT.items()}
        self._scanner = Scanner({**kept, ("type",): _MAX_NAME})
        self._size = 0

    def feed(self, data: bytes) -> None:
        """Take the next piece."""
        self._size += len(data)
        at = 0
        while at < len(data):
            at, _ = self._scanner.scan(data, at)

    def ended(self) -> JsonObject:
        """Return the event, its object being a `Skimmed`."""
        found = self._scanner.found
        named = {path[1:]: text for path, text in found.items() if path[0] == "object"}
        return {"type": found.get(("type",), ""), "object": Skimmed(named, self._size)}


class Lines:
    """The lines of a watch that come in pieces of any size.

    Args:
        bound: the events that are decoded, in whole; of a larger one an outline is given.
        most: the largest event that is read at all, in bytes.
    """

    def __init__(self, bound: Bound, most: int) -> None:
        self._bound = bound
        self._most = most
        self._parts: list[bytes] = []
        self._size = 0
        self._skim: EventSkim | None = None

    @property
    def is_between(self) -> bool:
        """Whether no line has begun that has not ended."""
        return self._skim is None and not b"".join(self._parts).strip()

    @property
    def is_endless(self) -> bool:
        """Whether the line that has begun is larger than is read at all."""
        return self._size > self._most

    def feed(self, chunk: bytes) -> Iterator[bytes | JsonObject | None]:
        """Take the next chunk; yield lines that end in it, None where other tasks should run."""
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            yield from self._add(part)
            if self._size:
                yield self._take()
        yield from self._add(rest)

    def _add(self, part: bytes) -> Iterator[None]:
        self._size += len(part)
        if self._skim is None:
            self._parts.append(part)
            if self._size <= self._bound.size:
                return
            yield from self._outline()
        else:
            yield from self._scan(self._skim, part)

    def _outline(self) -> Iterator[None]:
        parts, self._parts = self._parts, []
        self._skim = EventSkim()
        for part in parts:
            yield from self._scan(self._skim, part)

    def _scan(self, skim: EventSkim, part: bytes) -> Iterator[None]:
        for at in range(0, len(part), PIECE_BYTES):
            skim.feed(part[at : at + PIECE_BYTES])
            yield None

    def _take(self) -> bytes | JsonObject:
        line = b"".join(self._parts)
        skim = self._skim
        self._parts, self._size, self._skim = [], 0, None
        if skim is None:
            if self._bound.holds(line):
                return line
            skim = EventSkim()
            skim.feed(line)
        return skim.ended()
