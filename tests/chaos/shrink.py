"""Find few steps of a failing world that still fail: parts are left out as long as it does."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from tests.chaos.play import Outcome

Play = Callable[[Sequence[int]], Outcome]


def shrunk(first: Outcome, play: Play, seconds: float) -> tuple[tuple[int, ...], Outcome]:
    """Return steps that fail, and how; not always the fewest.

    Args:
        first: the failure with the steps 0, 1, 2, …
        play: plays some steps.
        seconds: begin no further attempt after so long.
    """
    until = time.monotonic() + seconds
    steps, outcome = tuple(range(first.step)), first
    size = max(1, len(steps) // 2)
    while len(steps) > 1 and time.monotonic() < until:  # first steps alone: those are quick to play
        found = play(steps[: len(steps) // 2])
        if not found.failure:
            break
        steps, outcome = steps[: found.step], found
        size = max(1, len(steps) // 2)
    while size and time.monotonic() < until:
        start, has_shrunk = 0, False
        while start < len(steps) and time.monotonic() < until:
            fewer = steps[:start] + steps[start + size :]
            found = play(fewer)
            if found.failure:
                steps, outcome, has_shrunk = fewer[: found.step], found, True
            else:
                start += size
        size = size if has_shrunk and size == 1 else size // 2
    return steps, outcome
