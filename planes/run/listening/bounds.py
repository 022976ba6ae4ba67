"""What the peers of a port may have at most, and why it is this much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

READ_BYTES: Final = 16 << 10
"""Read from a peer at once: one TLS record. Each connection holds a buffer of this size."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bounds of one port; times in seconds.

    Attributes:
        connections: peers from the TLS handshake on. An API server keeps at most 25 to one host,
            plus bursts; each may cost some 200 KiB.
        waiting: accepted peers that have not sent the first bytes of what they want. They cost a
            descriptor and no memory worth mentioning.
        hello_seconds: for those first bytes (a whole TLS ClientHello, or a byte of HTTP).
        handshake_seconds: for a TLS handshake.
        silent_seconds: from there to the first request.
        idle_seconds: between requests; longer than the API server's 90 s, so that it closes first.
        head_bytes: of a request before its answer begins: its head, and as much of its body as
            comes along.
        handshakes: begun in one turn of the event loop. Each takes 1 ms of processor time, and
            requests of others are answered between two turns.
    """

    connections: int = 320
    waiting: int = 512
    hello_seconds: float = 5.0
    handshake_seconds: int = 5
    silent_seconds: float = 10.0
    idle_seconds: float = 120.0
    head_bytes: int = 96 << 10
    handshakes: int = 8
