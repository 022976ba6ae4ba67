"""Why this node is not ready, as far as that is worth a report to the API server.

Invariant: what comes and goes within seconds, as at a start, is not reported.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from planes.model.state.plane_health import reason_of
from planes.run.clock import Clock

SETTLED_SECONDS: Final = 5.0
"""For which a reason has to stand before it is reported."""


class NodeReadiness:
    """Compares why a node is not ready with what was reported.

    Args:
        clock: for the time that a reason stands.
        unready: returns why pods may start here without their planes, or not at all; "" where all
            is well.
    """

    def __init__(self, clock: Clock, unready: Callable[[], str]) -> None:
        self._clock = clock
        self._unready = unready
        self._told = ""
        self._is_unready = False
        self._since = float("-inf")

    def now(self) -> str:
        """Return what is to be reported: a reason that stands for some time, "" for none."""
        found = reason_of(self._unready())
        if bool(found) != self._is_unready:
            self._is_unready, self._since = bool(found), self._clock.monotonic()
        is_new = found and not self._told
        return "" if is_new and self._clock.monotonic() < self._since + SETTLED_SECONDS else found

    def has_turned(self) -> bool:
        """Report whether the node is ready, or is not, otherwise than was reported."""
        return bool(self.now()) != bool(self._told)

    def has_changed(self) -> bool:
        """Report whether anything is otherwise than was reported."""
        return self.now() != self._told

    def told(self, reason: str) -> None:
        """Take note of what was reported."""
        self._told = reason
