"""The TLS listener: aiohttp's low-level server with bounds on what a peer may hold open.

Draining keeps the order that loses nothing: unready first, then (after the grace) no new
connections, idle ones closed, and the answers of reviews in work are waited for.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from planes.model.errors import Unavailable
from webhook.limits import Limits
from webhook.metrics import ReviewMetrics

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class _Connections(web.Server):
    """Counts connections, refuses those above the limit, closes those that never ask."""

    def __init__(self, handler: Handler, limits: Limits, metrics: ReviewMetrics) -> None:
        super().__init__(
            self._first,
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=limits.idle_seconds,
            lingering_time=1.0,
        )
        self._answer = handler
        self._limits = limits
        self._metrics = metrics
        self._silent: dict[RequestHandler, asyncio.TimerHandle] = {}
        self._open = 0

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        self._open += 1
        self._metrics.connections.set(self._open)
        if self._open > self._limits.connections:
            self._metrics.refused("connections")
            transport.abort()
            return
        loop = asyncio.get_running_loop()
        self._silent[handler] = loop.call_later(
            self._limits.silent_seconds, self._close_silent, handler, transport
        )

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        self._open -= 1
        self._metrics.connections.set(self._open)
        timer = self._silent.pop(handler, None)
        if timer is not None:
            timer.cancel()

    def _first(self, request: web.BaseRequest) -> Awaitable[web.StreamResponse]:
        timer = self._silent.pop(request.protocol, None)
        if timer is not None:
            timer.cancel()
        return self._answer(request)

    def _close_silent(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        if self._silent.pop(handler, None) is not None:
            self._metrics.refused("silent")
            transport.abort()


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
        self._handler = handler
        self._drain = drain
        self._context = context
        self._limits = limits
        self._metrics = metrics
        self._grace_seconds = grace_seconds
        self._connections: _Connections | None = None
        self._listener: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The port listened on, after `start`."""
        if self._listener is None or not self._listener.sockets:
            return 0
        return int(self._listener.sockets[0].getsockname()[1])

    async def start(self, host: str, port: int) -> None:
        """Listen; an empty host means every address.

        Raises:
            Unavailable: the address cannot be listened on.
        """
        self._connections = _Connections(self._handler, self._limits, self._metrics)
        try:
            self._listener = await asyncio.get_running_loop().create_server(
                self._connections,
                host or None,
                port,
                ssl=self._context,
                ssl_handshake_timeout=self._limits.handshake_seconds,
                ssl_shutdown_timeout=1.0,
                backlog=1024,
            )
        except OSError as error:
            raise Unavailable(
                f"cannot listen on {host or '*'}:{port}: {error.strerror or error}",
                remedy="choose another --listen HOST:PORT, or stop what listens there",
            ) from error

    async def run(self) -> None:
        """Serve until cancelled, then drain; a second cancellation cuts the draining short."""
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await self.drain()

    async def drain(self) -> None:
        """Be unready, stop taking connections, answer what is in work, close."""
        self._drain()
        listener, connections = self._listener, self._connections
        if listener is None or connections is None:
            return
        try:
            await asyncio.sleep(self._grace_seconds)
        finally:
            listener.close()
            connections.pre_shutdown()  # ends idle connections; the others after their answer
            await asyncio.sleep(0)
            await connections.shutdown(self._limits.body_seconds)
