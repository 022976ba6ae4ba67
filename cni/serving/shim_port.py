"""The connections of the daemon's socket: the shim's requests are answered, others passed on.

The shim sends one request on each connection and closes it after the answer, so one task reads the
request, carries it out and writes the answer. Invariant: that is done only for a whole request as
the shim writes it, of a peer that may call. Any other connection goes on in an HTTP server, with
the bytes that were received: other requests, bodies that are too large, requests that are cut.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from cni.serving.protocol import EXIT_HEADER, Answer
from cni.serving.shim_request import ForeignHead, read_head

_READ_BYTES: Final = 64 << 10  # the shim's head and the config of a pod, in one piece
_ANSWER_SECONDS: Final = 30.0  # for an answer that does not fit into the socket's buffer
_PAUSE_SECONDS: Final = 1.0
# accept(2): no descriptor or no memory is left; anything else is about one connection.
_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

_logger: Final = logging.getLogger(__name__)


class ShimCalls(Protocol):
    """Carries out the shim's calls."""

    def may_call(self, connection: socket.socket) -> bool:
        """Report whether the peer may call at all."""
        ...

    def is_stopping(self) -> bool:
        """Report whether no call is begun any more."""
        ...

    async def call(self, variables: Mapping[str, str], stdin: bytes) -> Answer:
        """Carry out a call in the task of its connection."""
        ...


class ShimPort:
    """Serves the connections of a listening socket.

    Args:
        listening: the socket; not blocking.
        calls: carries out the shim's calls.
        http: makes the protocol that serves any other connection.
    """

    def __init__(
        self, listening: socket.socket, calls: ShimCalls, http: Callable[[], asyncio.Protocol]
    ) -> None:
        self._listening = listening
        self._calls = calls
        self._http = http
        self._tasks: set[asyncio.Task[None]] = set()
        self._pause: asyncio.TimerHandle | None = None

    def open(self) -> None:
        """Accept connections from now on."""
        self._pause = None
        asyncio.get_running_loop().add_reader(self._listening, self._accept)

    async def close(self) -> None:
        """Accept no more, and end the connections that are served here."""
        if self._pause is not None:
            self._pause.cancel()
        asyncio.get_running_loop().remove_reader(self._listening)
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _accept(self) -> None:
        """Accept one connection; where more wait, the event loop calls this again."""
        try:
            connection, _ = self._listening.accept()
        except OSError as error:
            if error.errno in _EXHAUSTED:
                self._wait_a_while(error)
            return
        connection.setblocking(False)
        task = asyncio.get_running_loop().create_task(self._serve(connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _wait_a_while(self, error: OSError) -> None:
        _logger.error("cannot accept connections for now", extra={"reason": error.strerror})
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._listening)
        self._pause = loop.call_later(_PAUSE_SECONDS, self.open)

    async def _serve(self, connection: socket.socket) -> None:
        is_passed_on = False
        try:
            call, received = None, b""
            if self._calls.may_call(connection):
                call, received = await _read(connection)
            if call is None or self._calls.is_stopping():
                is_passed_on = True
                await self._pass_on(connection, received)
            else:
                await _write(connection, await self._calls.call(*call))
        except OSError as error:  # the client has gone: its call was carried out all the same
            _logger.debug("a client has gone", extra={"reason": str(error)})
        finally:
            if not is_passed_on:
                connection.close()

    async def _pass_on(self, connection: socket.socket, received: bytes) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(lambda: _Begun(self._http(), received), connection)
        except BaseException:
            connection.close()
            raise


class _Begun(asyncio.Protocol):
    """Starts a protocol on a connection some bytes of which were received before."""

    def __init__(self, protocol: asyncio.Protocol, received: bytes) -> None:
        self._protocol = protocol
        self._received = received

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.set_protocol(self._protocol)
        self._protocol.connection_made(transport)
        if self._received:
            self._protocol.data_received(self._received)


async def _read(
    connection: socket.socket,
) -> tuple[tuple[Mapping[str, str], bytes] | None, bytes]:
    """Read one request of the shim.

    Returns:
        Its variables and its body, None where it is no such request; and all bytes received.
    """
    loop = asyncio.get_running_loop()
    received, head = b"", None
    while head is None:
        more = await loop.sock_recv(connection, _READ_BYTES)
        if not more:
            return None, received
        received += more
        try:
            head = read_head(received)
        except ForeignHead:
            return None, received
    pieces, left = [received], head.end - len(received)
    while left > 0:
        pieces.append(await loop.sock_recv(connection, min(left, _READ_BYTES)))
        left -= len(pieces[-1])
        if not pieces[-1]:
            return None, b"".join(pieces)
    received = b"".join(pieces)
    return (None if left < 0 else (head.variables, received[head.body_at :])), received


async def _write(connection: socket.socket, answer: Answer) -> None:
    """Write an answer.

    Raises:
        OSError: the client has gone, or does not read.
    """
    head = (
        f"HTTP/1.1 200 OK\r\n{EXIT_HEADER}: {answer.exit_status}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(answer.stdout)}\r\n"
        "Connection: close\r\n\r\n"
    )
    data = head.encode() + answer.stdout
    try:
        sent = connection.send(data)
    except BlockingIOError:
        sent = 0
    if sent < len(data):
        async with asyncio.timeout(_ANSWER_SECONDS):
            await asyncio.get_running_loop().sock_sendall(connection, data[sent:])
