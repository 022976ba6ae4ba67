"""A map for browsers of this machine, made anew when it is asked for.

Only the loopback interface is served. The path has a secret, so other users of the machine, who can
connect as well, get nothing; and only requests for this very address are answered, so a web page
whose name was pointed here (DNS rebinding) gets nothing either.
"""

from __future__ import annotations

import secrets
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from hmac import compare_digest
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from planes.cli.console import Console
from planes.cli.map.page import POLICY
from planes.cli.map.texts import xml
from planes.model.errors import PlanesError, Unavailable

HOST: Final = "127.0.0.1"
REFRESH_SECONDS: Final = 10
"""After which a browser asks again."""
MOST_WAITING: Final = 32
"""Connections whose request is not complete, or asks for something else than the map."""
_REQUEST_SECONDS: Final = 10.0
_SECRET_BYTES: Final = 24
_KEPT_SECONDS: Final = 1.0
"""For which a map is not made again."""


class LivePage:
    """The page that was made last, if it is not too old.

    Args:
        make: makes it; what it raises is shown.
        now: returns seconds that never go back.
    """

    def __init__(self, make: Callable[[], str], now: Callable[[], float] = time.monotonic) -> None:
        self._make = make
        self._now = now
        self._lock = threading.Lock()
        self._made: tuple[float, HTTPStatus, bytes] | None = None

    def get(self) -> tuple[HTTPStatus, bytes]:
        """Return status and page; one is made at a time, and at most one a second."""
        with self._lock:
            if self._made is None or self._now() - self._made[0] >= _KEPT_SECONDS:
                status, text = self._try()
                # A moment after it was made: making it may take longer than it is kept.
                self._made = self._now(), status, text.encode()
            return self._made[1:]

    def _try(self) -> tuple[HTTPStatus, str]:
        try:
            return HTTPStatus.OK, self._make()
        except PlanesError as error:
            return HTTPStatus.SERVICE_UNAVAILABLE, _error_page(error)


def _error_page(error: PlanesError) -> str:
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"/>'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}"/>'
        f'<meta http-equiv="refresh" content="{REFRESH_SECONDS}"/><title>Planes</title></head>'
        f"<body><h1>There is no map now</h1><p>{xml(error.message)}</p>"
        f"<p>{xml(error.remedy)}</p></body></html>\n"
    )


class _Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    server: MapServer
    protocol_version = "HTTP/1.0"  # a connection ends with its answer
    server_version, sys_version = "netplane", ""

    def setup(self) -> None:
        """Let the client say nothing for so long only."""
        self.request.settimeout(self.server.request_seconds)
        super().setup()

    def do_GET(self) -> None:
        self._answer(has_body=True)

    def do_HEAD(self) -> None:
        self._answer(has_body=False)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer in one line: also other methods, and what is no request."""
        status = HTTPStatus(code)
        if status is HTTPStatus.NOT_IMPLEMENTED:
            status = HTTPStatus.METHOD_NOT_ALLOWED
        self._send(status, f"{status.phrase}\n".encode(), "text/plain", has_body=True)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - of the base class
        """Write no log: paths have the secret."""

    def _answer(self, *, has_body: bool) -> None:
        if self.headers.get_all("Host") not in [[name] for name in self.server.names]:
            text = b"This is not the address of the map.\n"
            self._send(HTTPStatus.FORBIDDEN, text, "text/plain", has_body=has_body)
        elif not compare_digest(self.path.encode(errors="replace"), self.server.path.encode()):
            text = b"There is nothing here: open the whole address that netplane printed.\n"
            self._send(HTTPStatus.NOT_FOUND, text, "text/plain", has_body=has_body)
        else:
            self.server.waiting.end(self.connection)
            status, page = self.server.page.get()
            self._send(status, page, "text/html", has_body=has_body)

    def _send(self, status: HTTPStatus, body: bytes, kind: str, *, has_body: bool) -> None:
        self.send_response(status)
        headers = {
            "Content-Type": f"{kind}; charset=utf-8",
            "Content-Length": str(len(body)),
            "Content-Security-Policy": f"{POLICY}; frame-ancestors 'none'",
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Connection": "close",
        }
        if status is HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = "GET, HEAD"
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if has_body:
            self.wfile.write(body)


class Waiting:
    """Connections that have not asked for the map yet: a bounded number.

    Anyone on the machine can make some, and send one letter from time to time. So the one that has
    waited longest gives way, and not the one that comes: a browser asks at once.

    Args:
        most: how many there may be.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._connections: dict[socket.socket, None] = {}

    def begin(self, connection: socket.socket) -> None:
        """Take one more, and shut down the first where there are too many."""
        with self._lock:
            if len(self._connections) == self._most:
                first = next(iter(self._connections))
                del self._connections[first]
                with suppress(OSError):  # the client has left
                    first.shutdown(socket.SHUT_RDWR)
            self._connections[connection] = None

    def end(self, connection: socket.socket) -> None:
        """Let one go: it asked for the map, or is closed; it may have gone already."""
        with self._lock:
            self._connections.pop(connection, None)


class MapServer(ThreadingHTTPServer):
    """Serves one page on the loopback interface.

    Args:
        make: makes the page.
        port: 0 for one of chance.
        request_seconds: that a client may say nothing.

    Attributes:
        page: the page.
        path: with the secret.
        names: what a browser may call this server.
        waiting: connections that have not asked for the map.

    Raises:
        Unavailable: the port is taken.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(
        self, make: Callable[[], str], port: int, *, request_seconds: float = _REQUEST_SECONDS
    ) -> None:
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            raise Unavailable(
                f"cannot serve the map on port {port}: {error.strerror}",
                remedy="give another port, or none for one that is free",
            ) from error
        self.request_seconds = request_seconds
        self.page = LivePage(make)
        self.path = f"/{secrets.token_urlsafe(_SECRET_BYTES)}/"
        self.names = (f"{HOST}:{self.server_port}", f"localhost:{self.server_port}")
        self.waiting = Waiting(MOST_WAITING)

    @property
    def url(self) -> str:
        """What to open in a browser."""
        return f"http://{self.names[0]}{self.path}"

    def run(self, console: Console) -> int:
        """Print the address, and serve until Ctrl-C; return 0."""
        console.line(self.url)
        console.document({"url": self.url})
        console.note("the map is live at this address; Ctrl-C ends it")
        try:
            self.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            console.note("the map is no longer served")
        finally:
            self.server_close()
        return 0

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in a thread of its own."""
        self.waiting.begin(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection that was served."""
        # Before it is closed: its number may be that of the next one at once.
        self.waiting.end(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Pass over what a client breaks: it closed the connection, or was too slow."""
