"""TLS of an accepted connection, by the event loop's own protocol with smaller buffers.

asyncio gives each TLS connection a buffer of 256 KiB, used or not: 1,000 silent peers took 504 MiB.
And it reads whatever TLS records come. A KeyUpdate (RFC 8446, section 4.6.3) has 27 bytes and costs
20 µs, records of one byte cost as much: 40 connections of them delayed all others for seconds.
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
        carried: returns how many decrypted bytes the protocol has got.
        ended: called once the connection is over, also where no handshake came to its end.
        overdone: called before the connection is aborted because its records carry too little.
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
        handshake: asyncio.Future[None] = loop.create_future()
        # A failed handshake ends the connection; its exception is retrieved here.
        handshake.add_done_callback(lambda done: done.cancelled() or done.exception())
        super().__init__(
            loop,
            protocol,
            context,
            handshake,
            server_side=True,
            ssl_handshake_timeout=handshake_seconds,
            ssl_shutdown_timeout=_SHUTDOWN_SECONDS,
        )
        # Encrypted bytes that wait while the protocol does not read the decrypted ones.
        self._app_transport.set_read_buffer_limits(2 * READ_BYTES)
        self._records = Records()
        self._idle_records = 0.0
        self._carried = carried
        self._carried_before = 0
        self._ended = ended
        self._overdone = overdone

    def buffer_updated(self, nbytes: int) -> None:
        """See asyncio.BufferedProtocol; abort where records carry next to nothing."""
        began = self._records.feed(self.get_buffer(nbytes)[:nbytes])
        carried, before = self._carried(), self._carried_before
        paid = (carried - before) / _CARRIED_BYTES
        # Never below zero: useful bytes sent earlier do not pay for later records.
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
