"""HTTP responses of admission, written as one piece.

`PreparedResponse` replaces aiohttp's header assembly and chunking by a single write; requests are
still read by aiohttp. Measured beside a bare `web.Response` in one run, a request costs about
30 µs less.
"""

from __future__ import annotations

from http import HTTPStatus

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

# A peer that does not read its responses is disconnected instead of filling memory: one response
# of any size may be unread, a second one only behind less than this.
_UNREAD_BYTES = 32 << 10

_JSON = "application/json"
_TEXT = "text/plain; charset=utf-8"


class PreparedResponse(web.StreamResponse):
    """A complete response: status line, headers and body in one piece.

    Args:
        closes: close the connection after this response.
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
        """Whether the connection stays open after this response."""
        return not self._closes

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Write the response."""
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
        """Do nothing: `prepare` has written everything."""


def text_response(text: str, status: int, *, closes: bool = False) -> PreparedResponse:
    """Return a response of one line of text."""
    body = " ".join(text.split()) + "\n"
    return PreparedResponse(body.encode(), status=status, content_type=_TEXT, closes=closes)
