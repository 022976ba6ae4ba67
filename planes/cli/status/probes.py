"""Ask programs of this machine how they are, over HTTP; blocking, each within seconds."""

from __future__ import annotations

import http.client
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from planes.model.lines import one_line
from planes.run.files import read_regular
from planes.run.unix_http import HttpOverUnixSocket

_SECONDS: Final = 5.0
_MOST_BYTES: Final = 4096
_MOST_CA_BYTES: Final = 1 << 20
_LONGEST: Final = 512


@dataclass(frozen=True, slots=True)
class ProbeAnswer:
    """What a program answered.

    Attributes:
        text: of the answer.
        why: the reason where it did not answer, or is not ready.
        is_asked: False where we may not ask.
    """

    is_ready: bool
    text: str = ""
    why: str = ""
    is_asked: bool = True


def ask_socket(path: Path) -> ProbeAnswer:
    """Ask the daemon at a unix socket whether it is ready."""
    connection = HttpOverUnixSocket(path, _SECONDS)
    try:
        return _asked(connection, "/readyz")
    except (OSError, http.client.HTTPException) as error:
        why = f"cannot reach it at {path}: {_cause(error)}"
        return ProbeAnswer(False, why=why, is_asked=not isinstance(error, PermissionError))
    finally:
        connection.close()


def ask_webhook(url: str, ca_file: str) -> ProbeAnswer:
    """Ask the webhook at a URL, verified by a CA, whether it is ready."""
    parts = urlsplit(url)
    try:
        read_regular(ca_file, _MOST_CA_BYTES, follows=True)  # ssl would wait for ever at a FIFO
        trust = ssl.create_default_context(cafile=ca_file)
        port = parts.port or 443
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        why = f"cannot use {url} with {ca_file}: {_cause(error)}"
        return ProbeAnswer(False, why=why, is_asked=not isinstance(error, PermissionError))
    if parts.scheme != "https" or not parts.hostname:
        return ProbeAnswer(False, why=f"cannot use {url}: it is no https URL")
    connection = http.client.HTTPSConnection(parts.hostname, port, timeout=_SECONDS, context=trust)
    try:
        return _asked(connection, f"{parts.path.rstrip('/')}/readyz")
    except (OSError, http.client.HTTPException) as error:
        return ProbeAnswer(False, why=f"cannot reach it at {url}: {_cause(error)}")
    finally:
        connection.close()


def _asked(connection: http.client.HTTPConnection, path: str) -> ProbeAnswer:
    connection.request("GET", path)
    response = connection.getresponse()
    text = one_line(response.read(_MOST_BYTES).decode(errors="replace"), _LONGEST)
    if response.status == http.HTTPStatus.OK:
        return ProbeAnswer(True, text)
    return ProbeAnswer(False, why=text or f"it answers HTTP {response.status}")


def _cause(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not of this CA: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return f"no answer within {_SECONDS:.0f} s"
    strerror = error.strerror if isinstance(error, OSError) else None
    return strerror or str(error) or type(error).__name__
