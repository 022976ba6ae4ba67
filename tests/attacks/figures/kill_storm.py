"""A thousand kills at random moments: nothing is left, and the socket is soon back.

`ATTACK_KILLS` says another number.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from statistics import median
from typing import Final

from tests.attacks.figures.figure import Figure
from tests.attacks.kills import storm

_ATTACK: Final = "kill -9 amid ADDs and DELs, plugins hanging"
_SOCKET_SECONDS: Final = 2.0


def measure() -> Iterable[Figure]:
    """Kill the daemon; return what was left, and how long its socket was away at most."""
    kills = int(os.environ.get("ATTACK_KILLS", "1000"))
    with storm() as made:
        outcome = made.kill_repeatedly(kills)
    left = len(outcome.left) + len(outcome.wedged)
    yield Figure(_ATTACK, f"left after {outcome.kills} kills", left, 0, "")
    yield Figure(_ATTACK, "socket, median", median(outcome.sockets), _SOCKET_SECONDS, "s")
    yield Figure(_ATTACK, "slowest socket", max(outcome.sockets), _SOCKET_SECONDS, "s")
