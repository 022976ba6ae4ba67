"""TLS of an accepted connection, by the event loop's own protocol with smaller buffers.

asyncio gives each TLS connection a buffer of 256 KiB, used or not: 1,000 silent peers took 504 MiB.
And it reads whatever TLS records come. A KeyUpdate (RFC 8446, section 4.6.3) has 27 bytes and costs
20 µs, records of one byte cost as much: 40 connections of them held everybody up for seconds.
"""

from __future__ import annotations

import asyncio
import ssl
from asyncio.sslproto import SSLProtocol
from collections.abc import Callable
from typing import Final

from planes.run.listening.bounds import READ_BYTES
from planes.run.listening.hello import Records

_SHUTDOWN_SECONDS: Final = 1.0
_MOST_RECORDS: Final = 64
"""Records that may carry nothing, as those of a handshake."""
_CARRIED_BYTES: Final = 64
"""What any other record carries on average, at the least."""
_RECORD_BYTES: Final = _CARRIED_BYTES + 22  # with its head, its type and what proves it genuine


class SmallTls(SSLProtocol):
    """The server's side of TLS for one connection.

    Args:
        protocol: gets the decrypted bytes.
        carried: gives how many decrypted bytes the protocol has got.
        ended: told once the connection is over, also where no handshake came to its end.
        overdone: told before the connection is broken off, because its records carry too little.
    """

    max_size = READ_BYTES

    def __init__(
        self,
        protocol: asyncio.Protocol,
        context: ssl.SSLContext,
        handshake_seconds: int,
        *,
        carried: Callable[[], int],
        ended: Callable[[], None],
        overdone: Callable[[], None],
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
        self._records = Records()
        self._idle_records = 0.0
        self._carried = carried
        self._carried_before = 0
        self._ended = ended
        self._overdone = overdone

    def buffer_updated(self, nbytes: int) -> None:
        """See asyncio.BufferedProtocol; break off where records carry next to nothing."""
        began = self._records.feed(self.get_buffer(nbytes)[:nbytes])
        carried, before = self._carried(), self._carried_before
        paid = (carried - before) / _CARRIED_BYTES
        # Never below zero: nobody saves up for later by sending much that is useful.
        self._idle_records = max(0.0, self._idle_records - paid) + began
        self._carried_before = carried
        if self._idle_records > _MOST_RECORDS + nbytes / _RECORD_BYTES:  # these may carry
            self._overdone()
            self._app_transport.abort()
            return
        super().buffer_updated(nbytes)

    def connection_lost(self, exc: BaseException | None) -> None:
        """See asyncio.BaseProtocol."""
        super().connection_lost(exc)
        self._ended()
