"""Ask the daemon on this node for something, as a command of the administrator does; blocks."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import Any, Final

from planes.model.errors import BadInput, CniCode, JsonObject, Unavailable
from planes.run.unix_http import HttpOverUnixSocket

_RESPONSE_SECONDS: Final = 240.0


def ask_daemon(
    path: Path, url: str, body: JsonObject, what: str, *, remedy: str
) -> dict[str, Any] | None:
    """Return the daemon's answer; None where no daemon listens.

    Args:
        path: of the daemon's socket.
        url: the path of the request.
        body: the request.
        what: completes "cannot …" in errors.
        remedy: where there is no answer.

    Raises:
        PlanesError: its answer, or there was none.
    """
    connection = HttpOverUnixSocket(path, _RESPONSE_SECONDS)
    try:
        connection.connect()
    except (FileNotFoundError, ConnectionRefusedError):
        return None
    except OSError as error:
        raise Unavailable(
            f"cannot reach the netplane daemon at {path}: {error.strerror or error}",
            remedy="run as root, on the node",
        ) from error
    try:
        connection.request("POST", url, json.dumps(body))
        response = connection.getresponse()
        decoded: dict[str, Any] = json.loads(response.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unavailable(
            f"cannot {what}: the netplane daemon gave no answer", remedy=remedy
        ) from error
    finally:
        connection.close()
    if response.status == http.HTTPStatus.OK:
        return decoded
    message, hint = str(decoded.get("msg", "no reason given")), str(decoded.get("details", ""))
    if decoded.get("code") == CniCode.TRY_AGAIN:
        raise Unavailable(message, remedy=hint)
    raise BadInput(message, remedy=hint)
