"""One HTTP request to an API server as a value, and how long and large its answer may be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from planes.kube.refusal import Asked

JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request; `asked` is what errors say of it, `is_stream` that its answer goes on."""

    asked: Asked
    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = field(default=None, repr=False)
    content_type: str = JSON
    accept: str = JSON
    is_stream: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how much; seconds and bytes.

    Attributes:
        connect: until there is a TLS connection.
        total: until an answer is complete.
        idle: without a byte of a stream; then it is opened anew. Bookmarks come every minute, but
            not of a kind that nobody changes where etcd reports no progress (before 3.5).
        answer: the largest answer that is no list; etcd takes objects of 1.5 MiB.
        line: the largest event of a watch; etcd takes objects of 1.5 MiB.
        tries: of one request, all reasons together.
        pause: the longest Retry-After that is waited for.
    """

    connect: float = 5.0
    total: float = 30.0
    idle: float = 100.0
    answer: int = 16 << 20
    line: int = 8 << 20
    tries: int = 4
    pause: float = 10.0
