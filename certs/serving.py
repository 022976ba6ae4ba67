"""The TLS context of a listener whose certificate changes while it accepts connections.

Each pair gets a new `SSLContext`, checked before it is used; the SNI callback moves a handshake to
the current one. A context in use never gets another pair: between loading certificate and key
handshakes would fail.

Client certificates are required only after `require_client_ca`.
"""

from __future__ import annotations

import os
import ssl

from certs.bundle import Pair
from planes.model.errors import BadInput


class RotatingContext:
    """The context to listen with, and the certificate that new handshakes get.

    Attributes:
        listener: the context of the listening socket; it has no certificate of its own.
    """

    def __init__(self) -> None:
        self.listener = _empty_context()
        self.listener.sni_callback = self._choose
        self._current: ssl.SSLContext | None = None
        self._pair: Pair | None = None
        self._authorities = ""

    @property
    def pair(self) -> Pair | None:
        """The pair that new handshakes get; None before the first `swap`."""
        return self._pair

    def swap(self, pair: Pair) -> None:
        """Serve another pair from the next handshake on; open connections stay as they are.

        Raises:
            BadInput: OpenSSL refuses the pair; the last one is served still.
        """
        if pair == self._pair:
            return
        context = _context_with(pair, self._authorities)
        self._pair, self._current = pair, context

    def require_client_ca(self, authorities: bytes) -> None:
        """Accept, from the next handshake on, only clients with a certificate of these CAs.

        Args:
            authorities: certificates of the CAs in PEM.

        Raises:
            BadInput: TLS accepts none of them; the CAs required before stay.
        """
        text = authorities.decode("ascii", "ignore")  # comments may be in any script
        _require(_empty_context(), text)
        context = _context_with(self._pair, text) if self._pair is not None else None
        # A handshake begins on the listener's context, which requests a client certificate, and is
        # moved to the current one, which has the CAs.
        self.listener.verify_mode = ssl.CERT_REQUIRED
        self._authorities, self._current = text, context

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
    # API servers speak TLS 1.3 (Go does since 2019). With 1.2, which a client could choose, OpenSSL
    # would keep sessions in memory.
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0  # API servers keep connections and resume none
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    return context


def _require(context: ssl.SSLContext, authorities: str) -> None:
    try:
        context.load_verify_locations(cadata=authorities)
    except (ssl.SSLError, ValueError) as error:
        raise BadInput(
            "cannot ask peers for certificates: TLS accepts no authority of the file",
            remedy="put the certificate of their CA there, in PEM",
        ) from error
    context.verify_mode = ssl.CERT_REQUIRED


def _context_with(pair: Pair, authorities: str) -> ssl.SSLContext:
    context = _empty_context()
    if authorities:
        _require(context, authorities)
    # Python's OpenSSL binding reads only files; an anonymous one keeps the key off the disk.
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
