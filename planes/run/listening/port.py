"""An HTTP server on a port, with TLS or without; drained without losing an answer."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

from planes.model.errors import Unavailable
from planes.run.listening.bounds import Bounds
from planes.run.listening.connections import Connections, Handler
from planes.run.listening.tcp_listener import TcpListener


def _ignore(_: object) -> None:
    return


class Port:
    """A listener and its connections.

    Args:
        handler: answers a request.
        context: of TLS; None = plain HTTP.
        turned_away: called with the reason why a connection was closed: "connections" and "waiting"
            (too many), "silent", "hello" (it does not speak TLS), "records" (of TLS, that carry
            nothing), "http" (what came is not HTTP), "descriptors" (the process has none left).
        count: called with the number of connections when it changes.
    """

    def __init__(
        self,
        handler: Handler,
        bounds: Bounds,
        context: ssl.SSLContext | None = None,
        *,
        turned_away: Callable[[str], None] = _ignore,
        count: Callable[[int], None] = _ignore,
    ) -> None:
        self._handler = handler
        self._bounds = bounds
        self._context = context
        self._turned_away = turned_away
        self._count = count
        self._listener: TcpListener | None = None
        self._connections: Connections | None = None

    @property
    def number(self) -> int:
        """Return the port listened on, after `open`."""
        return self._listener.port if self._listener is not None else 0

    async def open(self, host: str, number: int, *, remedy: str, what: str = "") -> None:
        """Listen; an empty host means every address.

        Args:
            host: name or address.
            number: of the port; 0 for any.
            remedy: of the error.
            what: its use, for the error "cannot listen on HOST:PORT for metrics".

        Raises:
            Unavailable: the address cannot be listened on.
        """
        self._connections = Connections(
            self._handler,
            self._bounds,
            self._context,
            turned_away=self._turned_away,
            count=self._count,
        )
        listener = TcpListener(
            self._bounds,
            self._connections.serve,
            is_tls=self._context is not None,
            turned_away=self._turned_away,
        )
        try:
            await listener.open(host, number)
        except OSError as error:
            raise Unavailable(
                f"cannot listen on {host or '*'}:{number}{what}: {error.strerror or error}",
                remedy=remedy,
            ) from error
        self._listener = listener

    async def drain(self, seconds: float) -> None:
        """Stop listening, end idle connections, and wait so long for answers in work."""
        if self._listener is None or self._connections is None:
            return
        self._listener.close()
        self._connections.pre_shutdown()  # ends idle connections; the others after their answer
        await asyncio.sleep(0)
        await self._connections.shutdown(seconds)
