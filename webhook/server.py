"""The TLS listener of admission, and its end.

Draining keeps the order that loses nothing: unready first, then (after the grace) no new
connections, idle ones closed, and the answers of reviews in work are waited for.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

from planes.run.listening.connections import Handler
from planes.run.listening.port import Port
from webhook.limits import Limits
from webhook.metrics import ReviewMetrics


class Server:
    """Listens, and drains.

    Args:
        handler: answers a request.
        drain: told first that the end has come; makes the replica unready.
        context: TLS context of the listener.
        grace_seconds: how long after `drain` connections are still taken: until whoever sends
            requests has noticed.
    """

    def __init__(
        self,
        handler: Handler,
        *,
        drain: Callable[[], None],
        context: ssl.SSLContext,
        limits: Limits,
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
        """Be unready, stop taking connections, answer what is in work, close."""
        self._drain()
        if not self._port.number:
            return
        try:
            await asyncio.sleep(self._grace_seconds)
        finally:
            await self._port.drain(self._limits.body_seconds)
