"""HTTP over a unix socket: what a daemon on this machine answers."""

from __future__ import annotations

import http.client
import os
import socket
from pathlib import Path


class HttpOverUnixSocket(http.client.HTTPConnection):
    """A connection to the server that listens on a socket's path, `seconds` at most a step."""

    def __init__(self, path: Path, seconds: float) -> None:
        super().__init__("netplane", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket.

        Raises:
            OSError: nobody listens, or it may not be used.
        """
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(os.fspath(self._path))
