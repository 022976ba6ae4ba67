"""List what could not be detached yet: for `netplane-cni pending`, metrics and readiness.

No I/O but in `read_pending`, which reads the files of the journal and changes nothing: it works
with and without a running daemon.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cni.journal.damaged import Damaged
from cni.journal.entry import Entry, Stage
from cni.journal.files import inspect_entries
from cni.journal.journal import Journal
from cni.plugins.unable import reason_of
from planes.model.errors import JsonObject
from planes.model.lines import printable

SHORT_ID: Final = 13  # as crictl shows container IDs

_UNITS: Final = ((86400, "d"), (3600, "h"), (60, "min"))
_NO_NETWORKS: Final = ("(its journal entry is damaged)",)


@dataclass(frozen=True, slots=True)
class Pending:
    """One call that could not be detached completely.

    Attributes:
        container_id: the sandbox.
        ifname: the CNI_IFNAME of the call.
        pod: `namespace/name`, "" where unknown.
        networks: the networks that are still attached, in order.
        since: time of the first failure, in seconds since 1970; 0 where unknown.
        attempts: the number of failures.
        error: the error of the last attempt, in one line.
    """

    container_id: str
    ifname: str
    pod: str
    networks: tuple[str, ...]
    since: float
    attempts: int
    error: str

    @property
    def reason(self) -> str:
        """The kind of its error, one of a few, for the label of a metric."""
        return reason_of(self.error)

    def age(self, now: float) -> float:
        """Return the seconds since the first failure; 0 where unknown."""
        return max(0.0, now - self.since) if self.since else 0.0

    def to_json(self, now: float) -> JsonObject:
        """Return it for `-o json`."""
        return {
            "containerID": self.container_id,
            "ifname": self.ifname,
            "pod": self.pod,
            "networks": list(self.networks),
            "ageSeconds": round(self.age(now)),
            "attempts": self.attempts,
            "error": self.error,
        }


def read_pending(journal: Path) -> tuple[Pending, ...]:
    """Read the journal's directory; return what is pending, oldest first.

    Raises:
        Internal: the directory cannot be read.
    """
    found = inspect_entries(journal)
    return pending_of(found.entries, found.damaged)


def pending_of(entries: Iterable[Entry], damaged: Iterable[Damaged] = ()) -> tuple[Pending, ...]:
    """Return what is pending, oldest first; damaged entries at the end."""
    found = sorted(map(_pending, _failed(entries)), key=lambda one: one.since)
    return (*found, *(_of_damaged(one) for one in damaged if one.container_id))


def readiness_note(journal: Journal) -> str:
    """Return the note for a successful readiness probe; "" where nothing is pending."""
    count = len(pending_of(journal.entries(), journal.damaged()))
    return f"{count} not detached yet: see netplane-cni pending" if count else ""


def age_text(seconds: float) -> str:
    """Return an age in its largest unit: `42 s`, `5 min`, `3 h`, `2 d`."""
    for unit, name in _UNITS:
        if seconds >= unit:
            return f"{seconds // unit:.0f} {name}"
    return f"{seconds:.0f} s"


def one_line(text: str) -> str:
    """Return a plugin's text without line breaks and control characters."""
    return printable(" ".join(text.split()))


def _failed(entries: Iterable[Entry]) -> Iterator[Entry]:
    return (entry for entry in entries if entry.stage is Stage.LEAVING and entry.attempts)


def _pending(entry: Entry) -> Pending:
    return Pending(
        container_id=entry.container_id,
        ifname=entry.ifname,
        pod=f"{entry.namespace}/{entry.pod}" if entry.pod else "",
        networks=tuple(one.network for one in entry.attachments),
        since=entry.failed_since,
        attempts=entry.attempts,
        error=one_line(entry.fault),
    )


def _of_damaged(damaged: Damaged) -> Pending:
    return Pending(
        container_id=damaged.container_id,
        ifname=damaged.ifname,
        pod="",
        networks=_NO_NETWORKS,
        since=0.0,
        attempts=0,
        error=one_line(damaged.reason or "the bytes of its journal entry are damaged"),
    )
