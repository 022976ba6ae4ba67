"""Ask for the log of a container, and keep the end of it within a bound."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from planes.kube.api import LogQuery
from planes.kube.client.request import Request
from planes.kube.client.status_errors import Asked
from planes.kube.resources import PODS, Resource

_POD_LOG: Final = Resource("", "v1", "pods/log", "log of Pod")
"""As roles and errors name it."""
_MOST_SENT: Final = 16
"""Times the bytes that are kept: the newest lines come last, so all of them must be sent."""


def log_request(query: LogQuery) -> Request:
    """Return the request for a log; names are any text that is not empty, `.` or `..`."""
    params = {
        "container": query.container,
        "timestamps": "true",
        "tailLines": str(query.lines),
        "limitBytes": str(query.size * _MOST_SENT),
        **({"previous": "true"} if query.is_previous else {}),
    }
    path = PODS.path(query.namespace, query.pod, "log")
    asked = Asked("get", _POD_LOG, query.namespace, query.pod)
    return Request(asked, "GET", path, params=params, accept="*/*")


async def end_of(chunks: AsyncIterator[bytes], size: int) -> bytes:
    """Return the last bytes of a text, at most so many: from the beginning of a line on."""
    kept, is_cut = bytearray(), False
    async for chunk in chunks:
        kept += chunk
        if len(kept) > 2 * size:
            is_cut = True
            del kept[:-size]
    if len(kept) > size:
        is_cut = True
        del kept[:-size]
    if is_cut:
        del kept[: kept.find(b"\n") + 1]
    return bytes(kept)
