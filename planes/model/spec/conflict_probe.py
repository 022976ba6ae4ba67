"""Conflict detection of a plane: how an address is probed, and for how long one that answers rests.

Read from `ipam.conflictDetection` and `ipam.probe`. Every number is bounded: a host of the segment
that answers for all addresses costs each ADD a few probes, and each node a part of its addresses
for an hour at most.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from planes.model.spec.spec_reader import SpecReader

PROBED_ADDRESSES: Final = 3
"""The most addresses of one family that an ADD tries; a constant, so that nobody waits longer."""
PROBED_CANDIDATES: Final = 8
"""The same for a pod with a list of addresses, of which the first silent one is used."""
FIRST_REST_SECONDS: Final = 300.0
LONGEST_REST_SECONDS: Final = 3600.0
MOST_QUARANTINED: Final = 64
"""Of a plane on one node."""
_PART_QUARANTINED: Final = 4


class ConflictDetection(StrEnum):
    """Whether an address is probed on its segment before a pod gets it."""

    NONE = "None"
    PROBE = "Probe"


@dataclass(frozen=True, slots=True)
class ConflictProbe:
    """The schedule of probes (RFC 5227 §2.1.1, RFC 4862 §5.4): 0.4 s unless set otherwise.

    Attributes:
        count: probes of each address.
        interval: seconds between two of them.
        wait: seconds for an answer after the last one.
    """

    count: int = 3
    interval: float = 0.1
    wait: float = 0.2


def read_conflict_probe(ipam: SpecReader) -> ConflictProbe | None:
    """Read `conflictDetection` and `probe`; None where addresses are not probed.

    `conflictDetection: false`, which earlier versions accepted, is None.
    """
    reader = ipam.child("probe", "count intervalMilliseconds waitMilliseconds")
    count = reader.integer("count", 1, 5)
    interval = reader.integer("intervalMilliseconds", 20, 500)
    wait = reader.integer("waitMilliseconds", 50, 1000)
    is_off = ipam.raw("conflictDetection") is False
    kind = ConflictDetection.NONE
    if not is_off:
        kind = ipam.choice("conflictDetection", ConflictDetection, ConflictDetection.NONE)
    if kind is ConflictDetection.NONE:
        if ipam.has("probe"):
            ipam.report(
                "probe",
                "cannot set how addresses are probed: they are not",
                "set conflictDetection to Probe, or remove it",
            )
        return None
    default = ConflictProbe()
    return ConflictProbe(
        default.count if count is None else count,
        default.interval if interval is None else interval / 1000,
        default.wait if wait is None else wait / 1000,
    )


def rest_seconds(conflicts: int) -> float:
    """Return how long an address is not handed out after its n-th conflict in a row."""
    doubled = FIRST_REST_SECONDS * 2.0 ** min(max(conflicts - 1, 0), 16)
    return min(LONGEST_REST_SECONDS, doubled)


def most_quarantined(capacity: int) -> int:
    """Return how many addresses may rest at once, of so many that the node can hand out.

    Of more the oldest one is handed out again, after it was probed.
    """
    return min(MOST_QUARANTINED, max(1, capacity // _PART_QUARANTINED))
