"""Journal entries that cannot leave, or cannot be read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from shlex import quote
from typing import Final

from cni.journal.damaged import Damaged
from cni.journal.files import DAMAGED
from cni.journal.pending import SHORT_ID, Pending, age_text
from planes.cli.doctor.diagnosis import Diagnosis, error, warning
from planes.model.lines import first_few, one_line

_LONGEST_FAULT: Final = 160
_MOST_NETWORKS: Final = 4
_MOST_DAMAGED: Final = 3
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


def judge_damaged(damaged: Iterable[Damaged]) -> Iterator[Diagnosis]:
    """Yield entries that cannot be read: new ones, those set aside, and those of nobody."""
    new, aside, unknown = [], [], []
    for one in damaged:
        if os.path.basename(os.path.dirname(one.kept)) != DAMAGED:
            new.append(one)
        elif one.container_id:
            aside.append(one)
        else:
            unknown.append(one)
    if new:
        yield warning(
            _unreadable(new),
            "a running daemon knows what it held; its next start does not, and gives that back "
            "only once the container is gone",
            "dmesg | tail; then start the container anew (its ID is the name before @), or remove "
            "a file that is of none",
        )
    if aside:
        names = " ".join(quote(one.container_id) for one in aside[:_MOST_DAMAGED])
        yield warning(
            _unreadable(aside),
            "what it held is given back a minute after its container is gone",
            f"nothing, or for a container that is gone and stays here: netplane-cni forget {names}",
        )
    if unknown:
        paths = " ".join(quote(one.kept) for one in unknown[:_MOST_DAMAGED])
        more = " …" if len(unknown) > _MOST_DAMAGED else ""
        yield warning(
            _unreadable(unknown),
            "it does not say of which container it was; addresses that no entry accounts for are "
            "given back all the same",
            f"look at it, then rm -r {paths}{more}",
        )


def _unreadable(damaged: Sequence[Damaged]) -> str:
    count = "1 journal entry" if len(damaged) == 1 else f"{len(damaged)} journal entries"
    return f"{count} cannot be read: {first_few([one.kept for one in damaged], _MOST_DAMAGED)}"
