"""One HTTP request to an API server as a value, its JSON, and the limits of its response."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from planes.kube.client.status_errors import Asked
from planes.model.errors import BadInput

JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request; `asked` names it in errors, `is_stream` means that its response is one."""

    asked: Asked
    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = field(default=None, repr=False)
    content_type: str = JSON
    accept: str = JSON
    is_stream: bool = False


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """Timeouts in seconds, and sizes in bytes.

    Attributes:
        connect: until there is a TLS connection.
        total: until a response is complete.
        idle: without a byte of a stream; then it is opened anew. Bookmarks come every minute, but
            not for a kind without changes where etcd reports no progress (before 3.5).
        answer: the largest response that is no list; etcd takes objects of 1.5 MiB.
        line: the largest event of a watch; etcd takes objects of 1.5 MiB.
        tries: attempts at one request, for all reasons together.
        pause: the longest Retry-After that is waited for.
    """

    connect: float = 5.0
    total: float = 30.0
    idle: float = 100.0
    answer: int = 16 << 20
    line: int = 8 << 20
    tries: int = 4
    pause: float = 10.0


def encoded(asked: Asked, body: Any) -> bytes:
    """Return the body of a request as JSON.

    Raises:
        BadInput: it cannot be written as JSON.
    """
    try:
        return orjson.dumps(body)
    except orjson.JSONEncodeError as error:
        raise BadInput(f"cannot {asked}: what is to be sent is not JSON") from error
