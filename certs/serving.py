"""The TLS context of a listener whose certificate changes while connections come in.

Each pair gets a fresh `SSLContext`, tried out before it is used; a handshake is moved to the
current one in the SNI callback. A live context is never loaded with another pair: between its
certificate and its key there would be a moment in which handshakes fail.

Peers are asked for a certificate only where an authority for those was named (`demand`).
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
        self._authorities = ""

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
        context = _context_with(pair, self._authorities)
        self._pair, self._current = pair, context

    def demand(self, authorities: bytes) -> None:
        """Take, from the next handshake on, only peers with a certificate of these authorities.

        Args:
            authorities: certificates in PEM.

        Raises:
            BadInput: there is no certificate in it that TLS accepts; what was demanded stays.
        """
        text = authorities.decode("ascii", "ignore")  # comments may be in any script
        _demand(_empty_context(), text)
        context = _context_with(self._pair, text) if self._pair is not None else None
        # The handshake begins on the listener's context, which says that a certificate is asked
        # for, and is moved to the current one, which knows by whom it must be issued.
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
    # An API server speaks 1.3 (Go does since 2019). Of 1.2, OpenSSL would keep sessions in memory,
    # and who shakes hands chooses which version it is.
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0  # nobody resumes: an API server keeps its connections
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    return context


def _demand(context: ssl.SSLContext, authorities: str) -> None:
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
        _demand(context, authorities)
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
