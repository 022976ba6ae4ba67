"""How a TLS client begins: the head of its first record."""

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
