"""The TLS listener of admission, and how it drains.

Draining loses no review: the replica becomes unready, after the grace period it accepts no new
connections and closes idle ones, and then waits for the answers of open reviews.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

from planes.run.listening.connections import Handler
from planes.run.listening.port import Port
from webhook.limits import AdmissionLimits
from webhook.metrics import ReviewMetrics


class AdmissionServer:
    """Listens, and drains.

    Args:
        handler: answers a request.
        drain: called first when draining; makes the replica unready.
        context: TLS context of the listener.
        grace_seconds: how long after `drain` connections are still accepted: until the API server
            has seen that the replica is unready.
    """

    def __init__(
        self,
        handler: Handler,
        *,
        drain: Callable[[], None],
        context: ssl.SSLContext,
        limits: AdmissionLimits,
        metrics: ReviewMetrics,
        grace_seconds: float = 0.0,
    ) -> None:
        self._drain = drain
        self._limits = limits
        self._grace_seconds = grace_seconds
        self._port = Port(
            handler,
            limits,
            context,
            turned_away=metrics.refused,
            count=metrics.connections.set,
        )

    @property
    def port(self) -> int:
        """The port listened on, after `start`."""
        return self._port.number

    async def start(self, host: str, port: int) -> None:
        """Listen; an empty host means every address.

        Raises:
            Unavailable: the address cannot be listened on.
        """
        remedy = "choose another --listen HOST:PORT, or stop what listens there"
        await self._port.open(host, port, remedy=remedy)

    async def run(self) -> None:
        """Serve until cancelled, then drain; a second cancellation cuts the draining short."""
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await self.drain()

    async def drain(self) -> None:
        """Become unready, accept no more connections, answer open reviews, close."""
        self._drain()
        if not self._port.number:
            return
        try:
            await asyncio.sleep(self._grace_seconds)
        finally:
            await self._port.drain(self._limits.body_seconds)
