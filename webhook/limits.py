"""Limits of what peers may make the listener hold, and the reason for each."""

from __future__ import annotations

from dataclasses import dataclass

from planes.run.listening.bounds import Bounds


@dataclass(frozen=True, slots=True)
class AdmissionLimits(Bounds):
    """Limits of the admission port, besides those of any port; times in seconds.

    Attributes:
        body_bytes: of one review. An API request carries at most 3 MiB, etcd stores 1.5 MiB of an
            object, and an UPDATE review holds it twice.
        large_bytes, containers: a review of this size, or with more lists and objects than this, is
            answered in a thread, one at a time, so that light ones go on. A pod with two sidecars
            has 10 kB and 200 of them.
        values: of one heavy body; parsed, each takes up to 200 bytes.
        body_seconds: for a whole body to arrive; the API server waits 10 s at most by default.
        slow_seconds, bytes_per_second: a body gets the former and its size divided by the latter,
            where that is less.
        unfinished: bodies that are received at once, and large ones that wait for their turn.
        arrived_bytes: of all these bodies together.
    """

    body_bytes: int = 3 << 20
    large_bytes: int = 64 << 10
    containers: int = 2000
    values: int = 200_000
    body_seconds: float = 8.0
    slow_seconds: float = 3.0
    bytes_per_second: int = 256 << 10
    unfinished: int = 64
    arrived_bytes: int = 16 << 20
