"""Journal entries that cannot leave: what a DEL could not detach."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from shlex import quote
from typing import Final

from cni.journal.pending import SHORT_ID, Pending, age_text
from planes.cli.doctor.diagnosis import Diagnosis, error, warning
from planes.model.lines import first_few, one_line

_LONGEST_FAULT: Final = 160
_MOST_NETWORKS: Final = 4
_OLD_SECONDS: Final = 3600.0


def judge_pending(pending: Iterable[Pending], now: float) -> Iterator[Diagnosis]:
    """Yield what is left, oldest first; what has been tried for an hour is an error."""
    for one in pending:
        whose = f" of pod {one.pod}" if one.pod else ""
        age = age_text(one.age(now)) if one.since else "an unknown time"
        networks = first_few(one.networks, _MOST_NETWORKS)
        make = error if one.age(now) >= _OLD_SECONDS else warning
        yield make(
            f"container {one.container_id[:SHORT_ID]}{whose} cannot leave {networks}: "
            f"{one.attempts} tries in {age}, the last: {one_line(one.error, _LONGEST_FAULT)}",
            "its interfaces, addresses and rules stay until it is detached; it is tried again",
            f"mend what the error names, or netplane-cni forget {quote(one.container_id)}",
        )
