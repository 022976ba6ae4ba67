"""Bodies of reviews on their way: how many, how large together, how slow, and who gives way.

Invariant: a body that arrives as bodies of an API server do is never turned away for others that
dawdle: where there are too many, or too much of them, the slowest is given up.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from planes.model.errors import PlanesError
from planes.run.clock import Clock
from webhook.limits import Limits
from webhook.metrics import ReviewMetrics


class RefusedError(PlanesError):
    """The request is turned away before there is a review."""

    def __init__(self, message: str, http_status: int, *, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.http_status = http_status


@dataclass(slots=True, eq=False)
class _Arrival:
    """One body.

    Attributes:
        since: when its head was read.
        until: ends the wait for more of it.
        is_whole: it is here, and waits to be answered.
    """

    since: float
    until: asyncio.Timeout
    body: bytearray = field(default_factory=bytearray)
    is_whole: bool = False
    is_given_up: bool = False

    def rate(self, now: float) -> float:
        """Bytes per second so far."""
        return len(self.body) / max(now - self.since, 1e-3)


class Bodies:
    """The bodies that are not whole yet, or not answered."""

    def __init__(self, limits: Limits, metrics: ReviewMetrics, clock: Clock) -> None:
        self._limits = limits
        self._metrics = metrics
        self._clock = clock
        self._arrivals: dict[_Arrival, None] = {}
        self._bytes = 0

    @asynccontextmanager
    async def arriving(self, request: web.BaseRequest) -> AsyncIterator[bytearray]:
        """Give the whole body; inside the block it counts among what is held.

        Raises:
            RefusedError: it is too large, too slow or cut off.
        """
        until = asyncio.timeout(self._seconds(request.content_length or 0))
        arrival = _Arrival(self._clock.monotonic(), until)
        while len(self._arrivals) >= self._limits.unfinished:
            self._give_way(arrival)
        self._arrivals[arrival] = None
        self._metrics.unfinished.inc()
        try:
            await self._receive(request, arrival)
            arrival.is_whole = True
            yield arrival.body
        finally:
            self._arrivals.pop(arrival, None)
            self._bytes -= len(arrival.body)
            self._metrics.unfinished.dec()

    async def _receive(self, request: web.BaseRequest, arrival: _Arrival) -> None:
        transport = request.transport
        if transport is not None and request.headers.get("Expect", "").lower() == "100-continue":
            transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        try:
            async with arrival.until:
                while chunk := await request.content.readany():
                    arrival.body += chunk
                    self._bytes += len(chunk)
                    check_size(arrival.body, self._limits.body_bytes)
                    while self._bytes > self._limits.arrived_bytes:
                        self._give_way(arrival)
        except TimeoutError:
            if arrival.is_given_up:
                raise crowded() from None
            raise RefusedError("cannot read the body: it came too slowly", 408) from None
        except web.RequestPayloadError as error:
            raise RefusedError("cannot read the body: it ended too early", 400) from error

    def _seconds(self, length: int) -> float:
        """Return how long a body of so many bytes may take."""
        limits = self._limits
        return min(limits.body_seconds, limits.slow_seconds + length / limits.bytes_per_second)

    def _give_way(self, newcomer: _Arrival) -> None:
        """Give up the slowest body that is not whole.

        Raises:
            RefusedError: there is none but the newcomer's.
        """
        now = self._clock.monotonic()
        unfinished = (one for one in self._arrivals if not one.is_whole and one is not newcomer)
        slowest = min(unfinished, key=lambda one: one.rate(now), default=None)
        if slowest is None:
            raise crowded()
        del self._arrivals[slowest]
        self._bytes -= len(slowest.body)
        slowest.body = bytearray()
        slowest.is_given_up = True
        slowest.until.reschedule(asyncio.get_running_loop().time())


def check_size(body: bytes | bytearray, limit: int) -> None:
    """Refuse a body that is too large.

    Raises:
        RefusedError: it is.
    """
    if len(body) > limit:
        raise RefusedError(f"cannot read the body: it is larger than {limit} bytes", 413)


def crowded() -> RefusedError:
    """Give the answer to whoever comes when there are too many."""
    return RefusedError("cannot read the body: too many are on their way", 503)
