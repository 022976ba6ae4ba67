"""What of TLS can be read without a key: the ClientHello's length, and where records begin."""

from __future__ import annotations

from typing import Final

HEAD_BYTES: Final = 5
_HANDSHAKE: Final = 22
_MAJOR_VERSION: Final = 3
_MOST_BYTES: Final = 1 << 14


def hello_bytes(head: bytes) -> int:
    """Return the length of the record that a ClientHello comes in, 0 where none begins so.

    Args:
        head: the first 5 bytes: type, version, length (RFC 8446, section 5.1).
    """
    length = int.from_bytes(head[3:HEAD_BYTES], "big")
    is_hello = head[0] == _HANDSHAKE and head[1] == _MAJOR_VERSION and 0 < length <= _MOST_BYTES
    return HEAD_BYTES + length if is_hello else 0


class Records:
    """Counts the records of one direction of a connection as they begin."""

    __slots__ = ("_head", "_rest")

    def __init__(self) -> None:
        self._head = b""
        self._rest = 0

    def feed(self, data: memoryview) -> int:
        """Read the next bytes; return how many records begin in them."""
        found = at = 0
        while at < len(data):
            if self._rest:
                step = min(self._rest, len(data) - at)
                self._rest -= step
                at += step
                continue
            part = bytes(data[at : at + HEAD_BYTES - len(self._head)])
            self._head += part
            at += len(part)
            if len(self._head) == HEAD_BYTES:
                self._rest = int.from_bytes(self._head[3:], "big")
                self._head = b""
                found += 1
        return found
