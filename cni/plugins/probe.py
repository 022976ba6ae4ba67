"""A probe for tests, called at the boundaries between the steps of a call.

Invariant: production code only reports the boundary. The probe of a test may cancel the call, fail
or kill the process at exactly that point.
"""

from __future__ import annotations

from typing import Protocol


class Probe(Protocol):
    """Receives the boundaries that a call reaches."""

    def reached(self, boundary: str) -> None:
        """Receive a boundary, e.g. `journal.begun` or `next:net1`; may raise."""
        ...


class NoProbe:
    """The probe of production: does nothing."""

    def reached(self, boundary: str) -> None:
        """Do nothing."""
