"""Listen on a port before a program is loaded, and become that program.

    python3 -m planes.run.listening.early VARIABLE PROGRAM ARGUMENT…

Python takes a second to load a program, and many times that on a busy node. A client that connects
meanwhile (kubelet, to probe it) waits for an answer instead of being refused, of which kubelet
makes a warning each time. The environment variable holds HOST:PORT; the program finds the sockets
by itself (`sockets.listen`) and reports what is wrong with it.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping, Sequence

from planes.run.listening.sockets import listen


def listen_for_program(text: str) -> None:
    """Listen on HOST:PORT, with sockets that the program inherits which this process becomes."""
    host, _, port = text.rpartition(":")
    with contextlib.suppress(OSError, ValueError, OverflowError):
        for each in listen(host.strip("[]"), int(port)):
            each.set_inheritable(True)
            each.detach()


def main(argv: Sequence[str], env: Mapping[str, str]) -> None:
    """Listen, and become the program of a command line; does not return."""
    variable, *program = argv
    if env.get(variable):
        listen_for_program(env[variable])
    os.execvp(program[0], program)  # noqa: S606 - that is the point; there is no shell to want


if __name__ == "__main__":
    main(sys.argv[1:], os.environ)
