"""Step boundaries of a call, told to an observer.

Invariant: production code only announces where it is; what happens there (nothing, a log line,
a test that cancels, fails or kills at exactly that point) is the observer's business.
"""

from __future__ import annotations

from typing import Protocol


class Probe(Protocol):
    """Somebody who wants to know how far a call has come."""

    def reached(self, boundary: str) -> None:
        """Take note of a boundary, e.g. `journal.begun` or `attached:net1`; may raise."""
        ...


class Silent:
    """The observer of production: not interested."""

    def reached(self, boundary: str) -> None:
        """Do nothing."""
