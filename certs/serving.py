"""The TLS context of a listener whose certificate changes while connections come in.

Each pair gets a fresh `SSLContext`, tried out before it is used; a handshake is moved to the
current one in the SNI callback. A live context is never loaded with another pair: between its
certificate and its key there would be a moment in which handshakes fail.
"""

from __future__ import annotations

import os
import ssl

from certs.bundle import Pair
from planes.model.errors import BadInput


class RotatingContext:
    """Holds the context to listen with, and swaps what new handshakes get.

    Attributes:
        listener: the context to give to the listening socket; it has no certificate of its own.
    """

    def __init__(self) -> None:
        self.listener = _empty_context()
        self.listener.sni_callback = self._choose
        self._current: ssl.SSLContext | None = None
        self._pair: Pair | None = None

    @property
    def pair(self) -> Pair | None:
        """What new handshakes are shown; None before the first `swap`."""
        return self._pair

    def swap(self, pair: Pair) -> None:
        """Show another pair from the next handshake on; connections in being are untouched.

        Raises:
            BadInput: OpenSSL refuses the pair; the last one stays.
        """
        if pair == self._pair:
            return
        context = _context_with(pair)
        self._pair, self._current = pair, context

    def _choose(
        self, tls: ssl.SSLSocket | ssl.SSLObject, _name: str | None, _listener: ssl.SSLContext
    ) -> int | None:
        # Called for every handshake, also without SNI (the API server dials addresses too).
        if self._current is None:
            return int(ssl.AlertDescription.ALERT_DESCRIPTION_INTERNAL_ERROR)
        tls.context = self._current
        return None


def _empty_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    return context


def _context_with(pair: Pair) -> ssl.SSLContext:
    context = _empty_context()
    # OpenSSL through Python reads only files; an anonymous one keeps the key off the disk.
    descriptor = os.memfd_create("serving-pair", os.MFD_CLOEXEC)
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(pair.key + b"\n" + pair.chain)
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    except (ssl.SSLError, OSError) as exc:
        raise BadInput(
            "cannot serve a certificate: TLS does not accept the pair",
            remedy="put certificate and key of the same issue there, EC P-256 or RSA 2048 and up",
        ) from exc
    finally:
        os.close(descriptor)
    return context
