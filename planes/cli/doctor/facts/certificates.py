"""Certificates of the webhook: what API servers trust, and what it serves."""

from __future__ import annotations

import binascii
import socket
import ssl
from base64 import b64decode
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Final

from certs.bundle import Certificate
from planes.cli.doctor.diagnosis import CannotCheck
from planes.kube.api import ReadApi
from planes.kube.resources import MUTATING_HOOKS
from planes.model.errors import BadInput

HOOKS: Final = "netplane"
SERVICE: Final = ("netplane-webhook.netplane-system.svc", 443)
_SECONDS: Final = 5.0
_MOST_HOOKS: Final = 16
_MOST_BUNDLE: Final = 1 << 18


@dataclass(frozen=True, slots=True)
class SeenCertificate:
    """One certificate.

    Attributes:
        what: it is, as texts name it.
        fault: why it is of no use though it is valid, "" where it is.
    """

    what: str
    not_before: datetime
    not_after: datetime
    fault: str = ""


async def read_authorities(api: ReadApi) -> tuple[bytes, ...]:
    """Return the PEM bundles of the webhook configuration, each once.

    Raises:
        PlanesError: the configuration cannot be read.
    """
    obj = await api.get(MUTATING_HOOKS, HOOKS)
    hooks = obj.get("webhooks")
    entries = hooks[:_MOST_HOOKS] if isinstance(hooks, list) else []
    return tuple(dict.fromkeys(_bundle(entry) for entry in entries))


def _bundle(entry: Any) -> bytes:
    config = entry.get("clientConfig") if isinstance(entry, dict) else None
    text = config.get("caBundle") if isinstance(config, dict) else None
    if not isinstance(text, str) or len(text) > _MOST_BUNDLE:
        return b""
    with suppress(binascii.Error, ValueError):
        return b64decode(text, validate=True)
    return b""


def authorities(pem: bytes) -> Iterator[SeenCertificate]:
    """Yield the certificates of a bundle.

    Raises:
        CannotCheck: it has none.
    """
    try:
        found = Certificate.parse_all(pem, "caBundle")
    except BadInput as error:
        raise CannotCheck("the webhook configuration has no usable caBundle") from error
    for one in islice(found, _MOST_HOOKS):
        yield SeenCertificate("a CA that API servers trust", one.not_before, one.not_after)


def served(host: str, port: int, pem: bytes) -> SeenCertificate:
    """Return the certificate that a listener serves.

    Args:
        host: its name, for which the certificate has to be.
        port: of the listener.
        pem: the CAs that it is verified with; empty for no verification.

    Raises:
        CannotCheck: there is no connection, or no certificate.
    """
    plain = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    plain.check_hostname, plain.verify_mode = False, ssl.CERT_NONE
    try:
        raw = _handshake(host, port, plain)
        found = Certificate(ssl.DER_cert_to_PEM_cert(raw or b"").encode())
        before, after = found.not_before, found.not_after
    except (OSError, ValueError) as error:
        text = getattr(error, "strerror", None) or str(error)
        raise CannotCheck(f"the webhook at {host}:{port} shows no certificate: {text}") from error
    fault = ""
    if pem:
        try:
            context = ssl.create_default_context(cadata=pem.decode("ascii", "replace"))
            _handshake(host, port, context)
        except ssl.SSLCertVerificationError as error:
            fault = error.verify_message
        except OSError as error:
            fault = error.strerror or str(error)
    return SeenCertificate("the webhook's certificate", before, after, fault)


def _handshake(host: str, port: int, context: ssl.SSLContext) -> bytes | None:
    with (
        socket.create_connection((host, port), _SECONDS) as connection,
        context.wrap_socket(connection, server_hostname=host) as secured,
    ):
        return secured.getpeercert(binary_form=True)
