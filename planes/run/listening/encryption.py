"""TLS of an accepted connection, by the event loop's own protocol with smaller buffers.

asyncio gives each TLS connection a buffer of 256 KiB, used or not: 1,000 silent peers took 504 MiB.
"""

from __future__ import annotations

import asyncio
import ssl
from asyncio.sslproto import SSLProtocol
from collections.abc import Callable
from typing import Final

from planes.run.listening.bounds import READ_BYTES

_SHUTDOWN_SECONDS: Final = 1.0


class SmallTls(SSLProtocol):
    """The server's side of TLS for one connection.

    Args:
        protocol: gets the decrypted bytes.
        ended: told once the connection is over, also where no handshake came to its end.
    """

    max_size = READ_BYTES

    def __init__(
        self,
        protocol: asyncio.Protocol,
        context: ssl.SSLContext,
        handshake_seconds: int,
        ended: Callable[[], None],
    ) -> None:
        loop = asyncio.get_running_loop()
        greeted: asyncio.Future[None] = loop.create_future()
        # A failed handshake ends the connection; nobody has to be told of its exception.
        greeted.add_done_callback(lambda done: done.cancelled() or done.exception())
        super().__init__(
            loop,
            protocol,
            context,
            greeted,
            server_side=True,
            ssl_handshake_timeout=handshake_seconds,
            ssl_shutdown_timeout=_SHUTDOWN_SECONDS,
        )
        # Encrypted bytes that wait while the decrypted ones are not taken.
        self._app_transport.set_read_buffer_limits(2 * READ_BYTES)
        self._ended = ended

    def connection_lost(self, exc: BaseException | None) -> None:
        """See asyncio.BaseProtocol."""
        super().connection_lost(exc)
        self._ended()
