"""`netplane-webhook problems`: list the current problems of planes, NADs and namespaces.

The metric `netplane_problems` counts them. The command asks the running webhook on its metrics
port, which answers only programs of its own pod: the list names objects of tenants.

    kubectl -n netplane-system exec deploy/netplane-webhook -- python3 -m webhook problems
"""

from __future__ import annotations

import http.client
from collections.abc import Mapping, Sequence
from typing import Final, TextIO

from planes.model.errors import BadInput, Unavailable
from planes.model.lines import printable, shortened
from planes.run.metrics import PROBLEMS
from planes.store.protocol import Problem
from webhook import settings as configuration

COMMAND: Final = "problems"
_MOST: Final = 1000
_REASON_CHARACTERS: Final = 1024
_MOST_BYTES: Final = 4 << 20
_SECONDS: Final = 5.0


def listing(problems: Sequence[Problem]) -> str:
    """Return one line for each problem, up to a limit."""
    lines = [f"{_line(each.where)}: {_line(each.reason)}\n" for each in problems[:_MOST]]
    if len(problems) > _MOST:
        lines.append(f"and {len(problems) - _MOST} more\n")
    return "".join(lines)


def show(argv: Sequence[str], env: Mapping[str, str], stdout: TextIO) -> int:
    """Ask the webhook that runs here, print its list and return the exit status.

    Raises:
        BadInput: it serves no metrics.
        Unavailable: it does not answer.
        SystemExit: as `settings.read`.
    """
    settings = configuration.read(argv, env)
    if settings.metrics is None:
        raise BadInput(
            "cannot list problems: this webhook has no metrics port",
            remedy="start it with --metrics HOST:PORT",
        )
    port = settings.metrics[1]
    connection = http.client.HTTPConnection(_own(settings.metrics[0]), port, timeout=_SECONDS)
    try:
        connection.request("GET", PROBLEMS)
        answer = connection.getresponse()
        text = answer.read(_MOST_BYTES).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(
            f"cannot ask the webhook on port {port} of this machine: {error}",
            remedy="is it running here?",
        ) from error
    finally:
        connection.close()
    if answer.status != http.HTTPStatus.OK:
        raise Unavailable(f"cannot list problems: the webhook answered {answer.status}")
    print(text or "nothing is at fault\n", end="", file=stdout)
    return 0


def _own(host: str) -> str:
    """Return the address by which a port that listens on `host` is reached from here."""
    return host if host in {"127.0.0.1", "::1", "localhost"} else "127.0.0.1"


def _line(text: str) -> str:
    return printable(shortened(text, _REASON_CHARACTERS))
