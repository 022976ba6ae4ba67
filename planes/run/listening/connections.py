"""HTTP connections of a port: aiohttp's protocol with bounds on what each peer may hold open."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final, cast

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from planes.run.listening.bounds import READ_BYTES, Bounds
from planes.run.listening.encryption import SmallTls
from planes.run.listening.peers import Peer, PeerStage, PeerTable

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

_MOST_HEADERS: Final = 48
_NO_LOG: Final = cast(logging.Logger, None)  # how aiohttp is told to keep no access log

NAMELESS: Final = {"Server": "netplane"}
"""A header in place of aiohttp's, which shows its version and Python's."""


class Connection(web.RequestHandler):
    """One connection, which bounds what is received before a request is answered.

    Attributes:
        carried: bytes received in all, decrypted.
        pending_bytes: of them since the last request was begun or answered.
        head_bytes: the most that these may be.
        not_http: called when what came is not HTTP.
        set_stage: called with each stage that its peer comes to.
    """

    __slots__ = ("carried", "head_bytes", "not_http", "peer", "pending_bytes", "set_stage")

    peer: Peer
    carried: int
    pending_bytes: int
    head_bytes: int
    not_http: Callable[[], None]
    set_stage: Callable[[PeerStage], None]

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol; close the connection where a request's head has no end."""
        self.carried += len(data)
        if self.peer.stage is not PeerStage.ANSWERED:
            self.pending_bytes += len(data)
            if self.pending_bytes > self.head_bytes:
                self.peer.end()
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
            self.not_http()
            text = "cannot read the request: it is not HTTP/1.1 as we take it\n"
            answer: web.StreamResponse = web.Response(status=400, text=text)
            answer.force_close()
        else:
            answer = super().handle_error(request, status, exc, message)
        answer.headers.update(NAMELESS)
        return answer


@contextmanager
def set_aside(request: web.BaseRequest) -> Iterator[Callable[[], bool]]:
    """Count a peer as idle inside the block: its answer waits for what no peer can hasten.

    Peers that are being answered are never evicted, so those that only wait would lock all others
    out. Yields a function that reports whether the peer has closed the connection.
    """
    connection = request.protocol
    set_stage = connection.set_stage if isinstance(connection, Connection) else lambda _: None
    set_stage(PeerStage.IDLE)
    try:
        yield lambda: request.transport is None or request.transport.is_closing()
    finally:
        set_stage(PeerStage.ANSWERED)


class Connections(web.Server):
    """Serves peers: closes connections without a request, and answers the others.

    Args:
        handler: answers a request.
        context: of TLS; None = plain HTTP.
        turned_away: called with the reason why a connection was closed.
        count: called with the number of connections when it changes.
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
        super().__init__(self._respond)
        self._answer = handler
        self._bounds = bounds
        self._context = context
        self._turned_away = turned_away
        self._count = count
        self._peers = PeerTable(bounds.connections, lambda _: turned_away("connections"))
        self._silent: dict[web.RequestHandler, asyncio.TimerHandle] = {}

    async def serve(self, accepted: socket.socket, peer: Peer) -> None:
        """Serve an accepted peer, with a handshake where there is TLS.

        Raises:
            OSError: it has gone.
        """
        loop = asyncio.get_running_loop()
        peer.stage, peer.since = PeerStage.HANDSHAKE, loop.time()
        peer.end = lambda: None  # until there is a transport to abort
        if not self._peers.add(peer):
            self._turned_away("connections")
            accepted.close()
            return
        self._count(len(self._peers))
        connection = self._connection(peer)
        protocol: asyncio.BaseProtocol = connection
        if self._context is not None:
            protocol = SmallTls(
                connection,
                self._context,
                self._bounds.handshake_seconds,
                carried=lambda: connection.carried,
                ended=partial(self._leave, peer),
                overdone=partial(self._turned_away, "records"),
            )
        try:
            transport, _ = await loop.connect_accepted_socket(lambda: protocol, accepted)
        except BaseException:
            self._leave(peer)
            raise
        peer.end = transport.abort
        if peer.is_gone:
            transport.abort()

    def _connection(self, peer: Peer) -> Connection:
        connection = Connection(
            self,
            loop=asyncio.get_running_loop(),
            access_log=_NO_LOG,
            auto_decompress=False,
            keepalive_timeout=self._bounds.idle_seconds,
            # What a peer sends after its answer is not parsed: TLS reads and drops it until the
            # peer has seen the end.
            lingering_time=0.0,
            max_headers=_MOST_HEADERS,
            read_bufsize=READ_BYTES,
        )
        connection.peer = peer
        connection.not_http = partial(self._turned_away, "http")
        connection.set_stage = partial(self._set_stage, peer)
        connection.carried = 0
        connection.pending_bytes, connection.head_bytes = 0, self._bounds.head_bytes
        return connection

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        """See aiohttp: the handshake is done."""
        super().connection_made(handler, transport)
        loop = asyncio.get_running_loop()
        if isinstance(handler, Connection):
            self._peers.set_stage(handler.peer, PeerStage.NEW, loop.time())
        self._silent[handler] = loop.call_later(
            self._bounds.silent_seconds, self._close_silent, handler, transport
        )

    def connection_lost(
        self, handler: web.RequestHandler, exc: BaseException | None = None
    ) -> None:
        """See aiohttp."""
        super().connection_lost(handler, exc)
        self._stop_timer(handler)
        if isinstance(handler, Connection):
            self._leave(handler.peer)

    async def _respond(self, request: web.BaseRequest) -> web.StreamResponse:
        connection = request.protocol
        self._stop_timer(connection)
        if not isinstance(connection, Connection):
            return await self._answer(request)
        connection.set_stage(PeerStage.ANSWERED)
        connection.pending_bytes = 0
        try:
            return await self._answer(request)
        finally:
            connection.set_stage(PeerStage.IDLE)
            connection.pending_bytes = 0

    def _set_stage(self, peer: Peer, stage: PeerStage) -> None:
        self._peers.set_stage(peer, stage, asyncio.get_running_loop().time())

    def _leave(self, peer: Peer) -> None:
        self._peers.remove(peer)
        self._count(len(self._peers))

    def _stop_timer(self, handler: web.RequestHandler) -> None:
        timer = self._silent.pop(handler, None)
        if timer is not None:
            timer.cancel()

    def _close_silent(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        if self._silent.pop(handler, None) is not None:
            self._turned_away("silent")
            transport.abort()
