"""HTTP answers whose bytes are made once, for the one server that needs to be quick.

`Prepared` replaces aiohttp's header assembly and chunking by a single write; everything that
reads from the network stays aiohttp's. Measured beside a bare `web.Response` in one run, a
request costs about 30 µs less.
"""

from __future__ import annotations

from http import HTTPStatus

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

# A peer that asks and does not read its answers is cut off here instead of filling memory: one
# answer may wait whatever its size, a second one only behind less than this.
_UNREAD_BYTES = 32 << 10

_JSON = "application/json"
_TEXT = "text/plain; charset=utf-8"


class Prepared(web.StreamResponse):
    """A complete answer: status line, headers and body in one piece.

    Args:
        closes: end the connection after this answer.
    """

    def __init__(
        self, payload: bytes, *, status: int = 200, content_type: str = _JSON, closes: bool = False
    ) -> None:
        super().__init__(status=status)
        self._payload = payload
        self._content_type_text = content_type
        self._closes = closes

    @property
    def keep_alive(self) -> bool:
        """Whether the connection goes on after this answer."""
        return not self._closes

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Write the answer."""
        self._closes = self._closes or not request.keep_alive or request.version < (1, 1)
        transport = request.transport
        if transport is None:
            return None
        if transport.get_write_buffer_size() > _UNREAD_BYTES:
            transport.abort()
            return None
        head = (
            f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}\r\n"
            f"Content-Type: {self._content_type_text}\r\n"
            f"Content-Length: {len(self._payload)}\r\n"
        )
        end = "Connection: close\r\n\r\n" if self._closes else "\r\n"
        body = b"" if request.method == "HEAD" else self._payload
        transport.write((head + end).encode() + body)
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Do nothing more: all is written."""


def line(text: str, status: int, *, closes: bool = False) -> Prepared:
    """Answer with one line of text."""
    body = " ".join(text.split()) + "\n"
    return Prepared(body.encode(), status=status, content_type=_TEXT, closes=closes)
