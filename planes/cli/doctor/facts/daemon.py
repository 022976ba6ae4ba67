"""Whether the node daemon answers on its socket."""

from __future__ import annotations

import http.client
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from planes.cli.doctor.diagnosis import CannotCheck
from planes.run.unix_http import HttpOverUnixSocket

_SECONDS: Final = 4.0
_MOST_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class DaemonState:
    """What the socket showed.

    Attributes:
        listens: whether somebody accepted the connection.
        is_ready: whether it says that it is ready.
        text: what it says, or why it gave no answer.
    """

    listens: bool
    is_ready: bool = False
    text: str = ""


def read_daemon(path: Path) -> DaemonState:
    """Ask the daemon whether it is ready.

    Raises:
        CannotCheck: the socket may not be used.
    """
    connection = HttpOverUnixSocket(path, _SECONDS)
    try:
        connection.connect()
    except PermissionError as error:
        connection.close()
        raise CannotCheck(f"{path}: {error.strerror}") from error
    except OSError as error:
        connection.close()
        return DaemonState(listens=False, text=error.strerror or str(error))
    try:
        connection.request("GET", "/readyz")
        response = connection.getresponse()
        text = response.read(_MOST_BYTES).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        return DaemonState(listens=True, text=f"no answer: {error}")
    finally:
        connection.close()
    return DaemonState(listens=True, is_ready=response.status == http.HTTPStatus.OK, text=text)
