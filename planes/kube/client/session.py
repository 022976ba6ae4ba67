"""A TLS session to an API server, made from what `Credentials` read.

Invariant: nothing of the environment (proxies, .netrc) is used, no secret is written to a disk, and
a closed session has no open socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import weakref
from collections.abc import Iterator
from typing import Final

import aiohttp

from planes.kube.client.credentials import Access, Material
from planes.model.errors import BadInput

_CONNECTIONS: Final = 64  # each watch holds one
_READ_BYTES: Final = 1 << 18
_TURNS_TO_CLOSE: Final = 100  # of the event loop; a socket without a peer takes three


def open_session(access: Access, material: Material, user_agent: str) -> aiohttp.ClientSession:
    """Make a session; it connects when it is first used.

    Raises:
        BadInput: the CA, certificate or key cannot be used.
    """
    connector = _Connector(_tls_context(access, material))
    return aiohttp.ClientSession(
        connector=connector,
        trust_env=False,
        # We ask for none, and 256 KiB may hold 256 MiB.
        auto_decompress=False,
        read_bufsize=_READ_BYTES,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": user_agent, "Accept-Encoding": "identity"},
    )


class _Connector(aiohttp.TCPConnector):
    """Connections whose sockets are closed once `close` has returned.

    aiohttp waits for connections of its pool alone. One whose request was cancelled, or that the
    server ends, has left the pool and waits for the server's part of the TLS shutdown: the event
    loop of a command may have ended before.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(limit=_CONNECTIONS, ssl=context, socket_factory=self._open)
        self._opened: weakref.WeakSet[socket.socket] = weakref.WeakSet()

    async def close(self, *, abort_ssl: bool = False) -> None:
        """Close all connections and wait until their sockets are closed."""
        await super().close(abort_ssl=abort_ssl)
        for opened in self._opened:
            with contextlib.suppress(OSError):  # it is closed, or was never connected
                opened.shutdown(socket.SHUT_RDWR)  # the transport reads the end and closes it
        for _ in range(_TURNS_TO_CLOSE):
            if all(opened.fileno() < 0 for opened in self._opened):
                return
            await asyncio.sleep(0)

    def _open(self, address: aiohttp.AddrInfoType) -> socket.socket:
        family, kind, protocol, _, _ = address
        opened = socket.socket(family, kind, protocol)
        self._opened.add(opened)
        return opened


def _tls_context(access: Access, material: Material) -> ssl.SSLContext:
    with contextlib.ExitStack() as stack:
        authority, certificate, key = (
            None if data is None else stack.enter_context(_as_path(data))
            for data in (material.authority, material.certificate, material.key)
        )
        try:
            context = ssl.create_default_context(cafile=authority)
            if certificate is not None:
                context.load_cert_chain(certificate, key)
        except (OSError, ssl.SSLError, ValueError) as error:
            raise BadInput(
                f"cannot set up TLS to {access.server}: the CA, client certificate or key is not "
                f"usable ({type(error).__name__})",
                remedy="check that they are PEM and belong together",
            ) from error
    # Python 3.13 refuses CAs without the extensions that many clusters' CAs lack.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


@contextlib.contextmanager
def _as_path(data: bytes) -> Iterator[str]:
    with os.fdopen(os.memfd_create("netplane"), "wb") as file:
        file.write(data)
        file.flush()
        yield f"/proc/self/fd/{file.fileno()}"
