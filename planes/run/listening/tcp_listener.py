"""A listening TCP socket that accepts before any memory goes into TLS, and serves sources in turn.

An accepted peer costs a descriptor until the kernel holds its whole ClientHello (or a first byte,
without TLS). In each turn of the event loop a few peers are served, one of each source before a
second of any.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Final

from planes.run.listening.bounds import Bounds
from planes.run.listening.hello import HEAD_BYTES, hello_bytes
from planes.run.listening.peers import Peer, PeerStage, PeerTable, source_of
from planes.run.listening.sockets import listen

_log = logging.getLogger(__name__)

_ACCEPTS: Final = 16  # in one turn of the event loop
_PAUSE_SECONDS: Final = 0.1
_EXHAUSTED: Final = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}

Serve = Callable[[socket.socket, Peer], Awaitable[None]]


class TcpListener:
    """Listens on one port.

    Args:
        bounds: see there.
        serve: called with the socket of each peer that has sent its first bytes.
        is_tls: whether a ClientHello is waited for, else one byte.
        turned_away: called with the reason why a connection was closed.
    """

    def __init__(
        self, bounds: Bounds, serve: Serve, *, is_tls: bool, turned_away: Callable[[str], None]
    ) -> None:
        self._bounds = bounds
        self._serve = serve
        self._is_tls = is_tls
        self._turned_away = turned_away
        self._listening: list[socket.socket] = []
        self._accepted = PeerTable(bounds.waiting, lambda _: turned_away("waiting"))
        self._ready: dict[str, deque[tuple[socket.socket, Peer]]] = {}
        self._serving: asyncio.Handle | None = None
        self._sweeping: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """Return the port listened on; 0 before `open` and after `close`."""
        return int(self._listening[0].getsockname()[1]) if self._listening else 0

    async def open(self, host: str, port: int) -> None:
        """Listen; an empty host means every address.

        Raises:
            OSError: the address cannot be listened on.
        """
        self._listening = await asyncio.to_thread(listen, host, port)
        for each in self._listening:
            asyncio.get_running_loop().add_reader(each, self._accept, each)

    def close(self) -> None:
        """Stop listening, and close the connections that are not served yet."""
        loop = asyncio.get_running_loop()
        for each in self._listening:
            loop.remove_reader(each)
            each.close()
        self._listening.clear()
        for peer in self._accepted:
            self._turn_away(peer)
        for handle in (self._serving, self._sweeping):
            if handle is not None:
                handle.cancel()
        self._serving = self._sweeping = None

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(_ACCEPTS):
            try:
                connection, address = listening.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._pause(listening, error)
                    return
                continue  # the peer has gone meanwhile
            connection.setblocking(False)
            self._wait_for_bytes(connection, source_of(address[0]))

    def _pause(self, listening: socket.socket, error: OSError) -> None:
        """Leave new peers in the kernel's queue for a moment: to try at once again would spin."""
        _log.warning("cannot accept connections", extra={"reason": error.strerror or str(error)})
        self._turned_away("descriptors")
        loop = asyncio.get_running_loop()
        self._accepted.evict(loop.time())
        loop.remove_reader(listening)
        loop.call_later(_PAUSE_SECONDS, self._resume, listening)

    def _resume(self, listening: socket.socket) -> None:
        if listening in self._listening:
            asyncio.get_running_loop().add_reader(listening, self._accept, listening)

    def _wait_for_bytes(self, connection: socket.socket, source: str) -> None:
        loop = asyncio.get_running_loop()
        peer = Peer(source, loop.time(), end=partial(self._close, connection))
        self._accepted.add(peer)  # none of these is being answered: there is always a place
        self._wake_at(connection, HEAD_BYTES if self._is_tls else 1)
        loop.add_reader(connection, self._peek, connection, peer)
        if self._sweeping is None:
            self._sweeping = loop.call_later(self._bounds.hello_seconds / 4, self._sweep)

    def _peek(self, connection: socket.socket, peer: Peer) -> None:
        """See what has come; called when as many bytes are there as were waited for, or the end."""
        try:
            head = connection.recv(HEAD_BYTES if self._is_tls else 1, socket.MSG_PEEK)
            wanted = 1
            if self._is_tls and len(head) == HEAD_BYTES:
                wanted = hello_bytes(head)
                head = connection.recv(wanted, socket.MSG_PEEK) if wanted else b""
            elif self._is_tls:
                head = b""
        except BlockingIOError:
            return
        except OSError:
            head = b""
        if head and len(head) < wanted and self._wake_at(connection, wanted):
            return
        if len(head) < wanted or not head:
            self._turned_away("hello")
            self._turn_away(peer)
            return
        asyncio.get_running_loop().remove_reader(connection)
        self._wake_at(connection, 1)
        self._accepted.set_stage(peer, PeerStage.WAITING, asyncio.get_running_loop().time())
        self._ready.setdefault(peer.source, deque()).append((connection, peer))
        self._serve_soon()

    def _wake_at(self, connection: socket.socket, count: int) -> bool:
        """Have the kernel wake us at so many bytes; False where it was told so already."""
        with suppress(OSError):
            if connection.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT) != count:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, count)
                return True
        return False

    def _serve_soon(self) -> None:
        if self._serving is None and self._ready:
            self._serving = asyncio.get_running_loop().call_soon(self._serve_some)

    def _serve_some(self) -> None:
        self._serving = None
        left = self._bounds.handshakes
        while left and self._ready:
            source, queue = next(iter(self._ready.items()))
            connection, peer = queue.popleft()
            del self._ready[source]
            if queue:
                self._ready[source] = queue  # behind all other sources
            if peer.is_gone:
                continue
            left -= 1
            self._accepted.remove(peer)
            task = asyncio.get_running_loop().create_task(self._serve_one(connection, peer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._serve_soon()

    async def _serve_one(self, connection: socket.socket, peer: Peer) -> None:
        try:
            await self._serve(connection, peer)
        except OSError:  # it has gone meanwhile
            connection.close()

    def _sweep(self) -> None:
        """Close the connections of peers that have sent nothing for too long."""
        loop = asyncio.get_running_loop()
        before = loop.time() - self._bounds.hello_seconds
        for peer in self._accepted:
            if peer.stage is PeerStage.SILENT and peer.since <= before:
                self._turned_away("silent")
                self._turn_away(peer)
        again = self._bounds.hello_seconds / 4
        self._sweeping = loop.call_later(again, self._sweep) if len(self._accepted) else None

    def _turn_away(self, peer: Peer) -> None:
        self._accepted.remove(peer)
        peer.is_gone = True
        peer.end()

    def _close(self, connection: socket.socket) -> None:
        asyncio.get_running_loop().remove_reader(connection)
        connection.close()
