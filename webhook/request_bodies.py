"""Request bodies that are being received: bounds of their number, size and slowness.

Invariant: a body that arrives as fast as an API server sends is never refused for slow ones: where
there are too many, or too many bytes of them, the slowest is given up.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from planes.model.errors import PlanesError
from planes.run.clock import Clock
from webhook.limits import AdmissionLimits
from webhook.metrics import ReviewMetrics


class RefusedError(PlanesError):
    """The request is refused before its review is parsed."""

    def __init__(self, message: str, http_status: int, *, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.http_status = http_status


@dataclass(slots=True, eq=False)
class _RequestBody:
    """A body that is being received, or whose review is not answered yet.

    Attributes:
        since: when the request's head was read.
        deadline: ends the wait for more of it.
        is_whole: all of it was received.
    """

    since: float
    deadline: asyncio.Timeout
    content: bytearray = field(default_factory=bytearray)
    is_whole: bool = False
    is_given_up: bool = False

    def rate(self, now: float) -> float:
        """Return its bytes per second so far."""
        return len(self.content) / max(now - self.since, 1e-3)


class RequestBodies:
    """The bodies that are being received, or whose reviews are not answered."""

    def __init__(self, limits: AdmissionLimits, metrics: ReviewMetrics, clock: Clock) -> None:
        self._limits = limits
        self._metrics = metrics
        self._clock = clock
        self._open: dict[_RequestBody, None] = {}
        self._bytes = 0

    @asynccontextmanager
    async def received(self, request: web.BaseRequest) -> AsyncIterator[bytearray]:
        """Return the whole body, which counts towards the bounds until the block ends.

        Raises:
            RefusedError: it is too large, too slow or cut off.
        """
        deadline = asyncio.timeout(self._seconds(request.content_length or 0))
        body = _RequestBody(self._clock.monotonic(), deadline)
        while len(self._open) >= self._limits.unfinished:
            self._give_up_slowest(body)
        self._open[body] = None
        self._metrics.unfinished.inc()
        try:
            await self._receive(request, body)
            body.is_whole = True
            yield body.content
        finally:
            self._open.pop(body, None)
            self._bytes -= len(body.content)
            self._metrics.unfinished.dec()

    async def _receive(self, request: web.BaseRequest, body: _RequestBody) -> None:
        transport = request.transport
        if transport is not None and request.headers.get("Expect", "").lower() == "100-continue":
            transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        try:
            async with body.deadline:
                while chunk := await request.content.readany():
                    body.content += chunk
                    self._bytes += len(chunk)
                    check_size(body.content, self._limits.body_bytes)
                    while self._bytes > self._limits.arrived_bytes:
                        self._give_up_slowest(body)
        except TimeoutError:
            if body.is_given_up:
                raise overloaded() from None
            raise RefusedError("cannot read the body: it came too slowly", 408) from None
        except web.RequestPayloadError as error:
            raise RefusedError("cannot read the body: it ended too early", 400) from error

    def _seconds(self, length: int) -> float:
        """Return how long a body of a length in bytes may take to arrive."""
        limits = self._limits
        return min(limits.body_seconds, limits.slow_seconds + length / limits.bytes_per_second)

    def _give_up_slowest(self, newest: _RequestBody) -> None:
        """Abandon the slowest body that is not whole, but not the newest.

        Raises:
            RefusedError: there is no other.
        """
        now = self._clock.monotonic()
        unfinished = (one for one in self._open if not one.is_whole and one is not newest)
        slowest = min(unfinished, key=lambda one: one.rate(now), default=None)
        if slowest is None:
            raise overloaded()
        del self._open[slowest]
        self._bytes -= len(slowest.content)
        slowest.content = bytearray()
        slowest.is_given_up = True
        slowest.deadline.reschedule(asyncio.get_running_loop().time())


def check_size(body: bytes | bytearray, limit: int) -> None:
    """Refuse a body of more than `limit` bytes.

    Raises:
        RefusedError: it has more.
    """
    if len(body) > limit:
        raise RefusedError(f"cannot read the body: it is larger than {limit} bytes", 413)


def overloaded() -> RefusedError:
    """Return the error of a request that comes while there are too many."""
    return RefusedError("cannot read the body: too many are on their way", 503)
