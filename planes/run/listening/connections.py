"""HTTP connections on a door: aiohttp's protocol with bounds on what each peer may hold open."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, cast

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from planes.run.listening.bounds import READ_BYTES, Bounds
from planes.run.listening.crowd import Crowd, Guest, Stage
from planes.run.listening.encryption import SmallTls

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

_MOST_HEADERS: Final = 48
_NO_LOG: Final = cast(logging.Logger, None)  # how aiohttp is told to keep no access log

NAMELESS: Final = {"Server": "netplane"}
"""A header that keeps aiohttp from telling everybody its version, and Python's."""


class Connection(web.RequestHandler):
    """One connection: knows its peer, and how much came before a request was begun.

    Attributes:
        carried: bytes received in all, decrypted.
        come_bytes: of them since the last request was begun or answered.
        head_bytes: the most that these may be.
        garbled: told when what came is not HTTP.
    """

    __slots__ = ("carried", "come_bytes", "garbled", "guest", "head_bytes")

    guest: Guest
    carried: int
    come_bytes: int
    head_bytes: int
    garbled: Callable[[], None]

    def data_received(self, data: bytes) -> None:
        """Take bytes; break off where a head has no end."""
        self.carried += len(data)
        if self.guest.stage is not Stage.ANSWERED:
            self.come_bytes += len(data)
            if self.come_bytes > self.head_bytes:
                self.guest.end()
                return
        super().data_received(data)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """See aiohttp; what is not HTTP is counted instead of logged, and not repeated."""
        if isinstance(exc, HttpProcessingError):
            self.garbled()
            text = "cannot read the request: it is not HTTP/1.1 as we take it\n"
            answer: web.StreamResponse = web.Response(status=400, text=text)
            answer.force_close()
        else:
            answer = super().handle_error(request, status, exc, message)
        answer.headers.update(NAMELESS)
        return answer


class Connections(web.Server):
    """Takes peers in, closes those that never ask, and answers the others.

    Args:
        handler: answers a request.
        context: of TLS; None = plain HTTP.
        turned_away: told why a peer was put out.
        count: told how many are connected.
    """

    def __init__(
        self,
        handler: Handler,
        bounds: Bounds,
        context: ssl.SSLContext | None,
        *,
        turned_away: Callable[[str], None],
        count: Callable[[int], None],
    ) -> None:
        super().__init__(self._attend)
        self._answer = handler
        self._bounds = bounds
        self._context = context
        self._turned_away = turned_away
        self._count = count
        self._inside = Crowd(bounds.connections, lambda _: turned_away("connections"))
        self._silent: dict[web.RequestHandler, asyncio.TimerHandle] = {}

    async def greet(self, peer: socket.socket, guest: Guest) -> None:
        """Take a peer in, with the handshake where there is TLS.

        Raises:
            OSError: it has gone.
        """
        loop = asyncio.get_running_loop()
        guest.stage, guest.since = Stage.GREETED, loop.time()
        guest.end = lambda: None  # until there is something to break off
        if not self._inside.admit(guest):
            self._turned_away("connections")
            peer.close()
            return
        self._count(len(self._inside))
        connection = self._connection(guest)
        protocol: asyncio.BaseProtocol = connection
        if self._context is not None:
            protocol = SmallTls(
                connection,
                self._context,
                self._bounds.handshake_seconds,
                carried=lambda: connection.carried,
                ended=partial(self._leave, guest),
                overdone=partial(self._turned_away, "records"),
            )
        try:
            transport, _ = await loop.connect_accepted_socket(lambda: protocol, peer)
        except BaseException:
            self._leave(guest)
            raise
        guest.end = transport.abort
        if guest.is_gone:
            transport.abort()

    def _connection(self, guest: Guest) -> Connection:
        connection = Connection(
            self,
            loop=asyncio.get_running_loop(),
            access_log=_NO_LOG,
            auto_decompress=False,
            keepalive_timeout=self._bounds.idle_seconds,
            # What a peer goes on sending after its answer is not worth being parsed: TLS takes it
            # off the network, unread, until the peer has seen the end.
            lingering_time=0.0,
            max_headers=_MOST_HEADERS,
            read_bufsize=READ_BYTES,
        )
        connection.guest = guest
        connection.garbled = partial(self._turned_away, "http")
        connection.carried = 0
        connection.come_bytes, connection.head_bytes = 0, self._bounds.head_bytes
        return connection

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        """See aiohttp: the handshake is done."""
        super().connection_made(handler, transport)
        loop = asyncio.get_running_loop()
        if isinstance(handler, Connection):
            self._inside.step(handler.guest, Stage.NEW, loop.time())
        self._silent[handler] = loop.call_later(
            self._bounds.silent_seconds, self._close_silent, handler, transport
        )

    def connection_lost(
        self, handler: web.RequestHandler, exc: BaseException | None = None
    ) -> None:
        """See aiohttp."""
        super().connection_lost(handler, exc)
        self._has_asked(handler)
        if isinstance(handler, Connection):
            self._leave(handler.guest)

    async def _attend(self, request: web.BaseRequest) -> web.StreamResponse:
        connection = request.protocol
        self._has_asked(connection)
        if not isinstance(connection, Connection):
            return await self._answer(request)
        guest = connection.guest
        self._inside.step(guest, Stage.ANSWERED, self._loop.time())
        connection.come_bytes = 0
        try:
            return await self._answer(request)
        finally:
            self._inside.step(guest, Stage.IDLE, self._loop.time())
            connection.come_bytes = 0

    def _leave(self, guest: Guest) -> None:
        self._inside.leave(guest)
        self._count(len(self._inside))

    def _has_asked(self, handler: web.RequestHandler) -> None:
        timer = self._silent.pop(handler, None)
        if timer is not None:
            timer.cancel()

    def _close_silent(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        if self._silent.pop(handler, None) is not None:
            self._turned_away("silent")
            transport.abort()
