"""A port over HTTP, with TLS or without: opened, and drained without losing an answer."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

from planes.model.errors import Unavailable
from planes.run.listening.bounds import Bounds
from planes.run.listening.connections import Connections, Handler
from planes.run.listening.door import Door


def _unheard(_: object) -> None:
    return


class Port:
    """A door, and the connections behind it.

    Args:
        handler: answers a request.
        context: of TLS; None = plain HTTP.
        turned_away: told why a peer was put out: "connections" and "waiting" (it was full),
            "silent", "hello" (it does not speak TLS), "records" (of TLS, that carry nothing),
            "http" (what came is not HTTP), "descriptors" (the process has none left).
        count: told how many are connected.
    """

    def __init__(
        self,
        handler: Handler,
        bounds: Bounds,
        context: ssl.SSLContext | None = None,
        *,
        turned_away: Callable[[str], None] = _unheard,
        count: Callable[[int], None] = _unheard,
    ) -> None:
        self._handler = handler
        self._bounds = bounds
        self._context = context
        self._turned_away = turned_away
        self._count = count
        self._door: Door | None = None
        self._connections: Connections | None = None

    @property
    def number(self) -> int:
        """The port listened on, after `open`."""
        return self._door.port if self._door is not None else 0

    async def open(self, host: str, number: int, *, remedy: str, what: str = "") -> None:
        """Listen; an empty host means every address.

        Args:
            host: name or address.
            number: of the port; 0 for any.
            remedy: what to do where that fails.
            what: what it is for, as in "cannot listen on HOST:PORT for metrics".

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
        door = Door(
            self._bounds,
            self._connections.greet,
            is_tls=self._context is not None,
            turned_away=self._turned_away,
        )
        try:
            await door.open(host, number)
        except OSError as error:
            raise Unavailable(
                f"cannot listen on {host or '*'}:{number}{what}: {error.strerror or error}",
                remedy=remedy,
            ) from error
        self._door = door

    async def drain(self, seconds: float) -> None:
        """Stop listening, end idle connections, and wait so long for answers in work."""
        if self._door is None or self._connections is None:
            return
        self._door.close()
        self._connections.pre_shutdown()  # ends idle connections; the others after their answer
        await asyncio.sleep(0)
        await self._connections.shutdown(seconds)
