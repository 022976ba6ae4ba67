"""What the listener bears from a peer, and why it is this much."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one listener; times in seconds.

    Attributes:
        body_bytes: an API request carries at most 3 MiB; an UPDATE review holds the object twice,
            and the envelope needs less than one more.
        large_bytes: from here on a review is answered in a thread, so that small ones go on.
        body_seconds: for a whole body to arrive; the API server waits 10 s at most by default.
        silent_seconds: for a new connection to send its first request.
        handshake_seconds: for a TLS handshake.
        idle_seconds: between requests; longer than the API server's 90 s, so that it closes first.
        connections: an API server keeps at most 25 to one host, plus bursts.
        unfinished: bodies on their way at once; together they are what a peer can make us hold.
    """

    body_bytes: int = 7 << 20
    large_bytes: int = 64 << 10
    body_seconds: float = 8.0
    silent_seconds: float = 30.0
    handshake_seconds: float = 10.0
    idle_seconds: float = 120.0
    connections: int = 512
    unfinished: int = 64
