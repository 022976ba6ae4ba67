"""Accepts connections: counts them before any memory goes into TLS, and greets them in turn.

A peer stands outside, at the price of a descriptor, until the kernel holds its whole ClientHello
(or a first byte, without TLS). A few are greeted in each turn of the event loop, one from each
source before a second from any.
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
from planes.run.listening.crowd import Crowd, Guest, Stage, source_of
from planes.run.listening.hello import HEAD_BYTES, hello_bytes
from planes.run.listening.sockets import listen

_log = logging.getLogger(__name__)

_ACCEPTS: Final = 16  # in one turn of the event loop
_PAUSE_SECONDS: Final = 0.1
_EXHAUSTED: Final = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}

Greet = Callable[[socket.socket, Guest], Awaitable[None]]


class Door:
    """Listens on one port.

    Args:
        bounds: see there.
        greet: takes a peer in, with its socket: whoever comes by then has said what it wants.
        is_tls: a ClientHello is waited for, else one byte.
        turned_away: told why a peer was put out.
    """

    def __init__(
        self, bounds: Bounds, greet: Greet, *, is_tls: bool, turned_away: Callable[[str], None]
    ) -> None:
        self._bounds = bounds
        self._greet = greet
        self._is_tls = is_tls
        self._turned_away = turned_away
        self._listening: list[socket.socket] = []
        self._outside = Crowd(bounds.waiting, lambda _: turned_away("waiting"))
        self._lines: dict[str, deque[tuple[socket.socket, Guest]]] = {}
        self._greeting: asyncio.Handle | None = None
        self._sweeping: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """The port listened on; 0 before `open` and after `close`."""
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
        """Stop listening, and turn away who stands outside."""
        loop = asyncio.get_running_loop()
        for each in self._listening:
            loop.remove_reader(each)
            each.close()
        self._listening.clear()
        for guest in self._outside:
            self._turn_away(guest)
        for handle in (self._greeting, self._sweeping):
            if handle is not None:
                handle.cancel()
        self._greeting = self._sweeping = None

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(_ACCEPTS):
            try:
                peer, address = listening.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._pause(listening, error)
                    return
                continue  # the peer has gone meanwhile
            peer.setblocking(False)
            self._stand_outside(peer, source_of(address[0]))

    def _pause(self, listening: socket.socket, error: OSError) -> None:
        """Leave new peers in the kernel's queue for a moment: to try at once again would spin."""
        _log.warning("cannot accept connections", extra={"reason": error.strerror or str(error)})
        self._turned_away("descriptors")
        loop = asyncio.get_running_loop()
        self._outside.make_room(loop.time())
        loop.remove_reader(listening)
        loop.call_later(_PAUSE_SECONDS, self._resume, listening)

    def _resume(self, listening: socket.socket) -> None:
        if listening in self._listening:
            asyncio.get_running_loop().add_reader(listening, self._accept, listening)

    def _stand_outside(self, peer: socket.socket, source: str) -> None:
        loop = asyncio.get_running_loop()
        guest = Guest(source, loop.time(), end=partial(self._hang_up, peer))
        self._outside.admit(guest)  # who stands outside is never being answered: there is room
        self._want(peer, HEAD_BYTES if self._is_tls else 1)
        loop.add_reader(peer, self._look, peer, guest)
        if self._sweeping is None:
            self._sweeping = loop.call_later(self._bounds.hello_seconds / 4, self._sweep)

    def _look(self, peer: socket.socket, guest: Guest) -> None:
        """See what has come; the kernel calls when there is as much as was wanted, or the end."""
        try:
            head = peer.recv(HEAD_BYTES if self._is_tls else 1, socket.MSG_PEEK)
            wanted = 1
            if self._is_tls and len(head) == HEAD_BYTES:
                wanted = hello_bytes(head)
                head = peer.recv(wanted, socket.MSG_PEEK) if wanted else b""
            elif self._is_tls:
                head = b""
        except BlockingIOError:
            return
        except OSError:
            head = b""
        if head and len(head) < wanted and self._want(peer, wanted):
            return
        if len(head) < wanted or not head:
            self._turned_away("hello")
            self._turn_away(guest)
            return
        asyncio.get_running_loop().remove_reader(peer)
        self._want(peer, 1)
        self._outside.step(guest, Stage.WAITING, asyncio.get_running_loop().time())
        self._lines.setdefault(guest.source, deque()).append((peer, guest))
        self._greet_soon()

    def _want(self, peer: socket.socket, count: int) -> bool:
        """Be called when this many bytes are there; False where that was wanted already."""
        with suppress(OSError):
            if peer.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT) != count:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, count)
                return True
        return False

    def _greet_soon(self) -> None:
        if self._greeting is None and self._lines:
            self._greeting = asyncio.get_running_loop().call_soon(self._greet_some)

    def _greet_some(self) -> None:
        self._greeting = None
        left = self._bounds.greetings
        while left and self._lines:
            source, line = next(iter(self._lines.items()))
            peer, guest = line.popleft()
            del self._lines[source]
            if line:
                self._lines[source] = line  # behind all other sources
            if guest.is_gone:
                continue
            left -= 1
            self._outside.leave(guest)
            task = asyncio.get_running_loop().create_task(self._take_in(peer, guest))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._greet_soon()

    async def _take_in(self, peer: socket.socket, guest: Guest) -> None:
        try:
            await self._greet(peer, guest)
        except OSError:  # it has gone meanwhile
            peer.close()

    def _sweep(self) -> None:
        """Turn away who has stood outside for too long without a word."""
        loop = asyncio.get_running_loop()
        before = loop.time() - self._bounds.hello_seconds
        for guest in self._outside:
            if guest.stage is Stage.SILENT and guest.since <= before:
                self._turned_away("silent")
                self._turn_away(guest)
        again = self._bounds.hello_seconds / 4
        self._sweeping = loop.call_later(again, self._sweep) if len(self._outside) else None

    def _turn_away(self, guest: Guest) -> None:
        self._outside.leave(guest)
        guest.is_gone = True
        guest.end()

    def _hang_up(self, peer: socket.socket) -> None:
        asyncio.get_running_loop().remove_reader(peer)
        peer.close()
