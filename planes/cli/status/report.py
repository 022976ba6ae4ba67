"""One look at Netplane: what was seen, the faults of it, and whether all is well."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final

from planes.cli.status.cluster_facts import ClusterSeen, StatusFault
from planes.cli.status.judging import faults_of
from planes.cli.status.machine import MachineSeen, machine_faults
from planes.model.errors import JsonObject, Unavailable
from planes.run.clock import Clock

POLL_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class StatusReport:
    """One look.

    Attributes:
        title: names the place.
        seen: None where the API server did not answer.
        is_strict: what is not known counts as a fault.
    """

    title: str
    seen: ClusterSeen | MachineSeen | None
    faults: tuple[StatusFault, ...]
    unknown: tuple[str, ...] = ()
    is_strict: bool = False

    @property
    def is_well(self) -> bool:
        """Whether there is no fault."""
        return not self.faults and not (self.is_strict and self.unknown)

    def as_json(self) -> JsonObject:
        """Return it as it is printed."""
        return {
            "place": self.title,
            "well": self.is_well,
            "faults": [fault.as_json() for fault in self.faults],
            "unknown": list(self.unknown),
            "seen": None if self.seen is None else self.seen.as_json(),
        }


def report_of(title: str, seen: ClusterSeen | MachineSeen, *, is_strict: bool) -> StatusReport:
    """Judge what was seen."""
    faults = machine_faults(seen) if isinstance(seen, MachineSeen) else faults_of(seen)
    return StatusReport(title, seen, tuple(faults), seen.unknown, is_strict)


def away(title: str, error: Unavailable) -> StatusReport:
    """Return the report on a place that does not answer."""
    return StatusReport(title, None, (StatusFault(error.message, error.remedy),))


async def look_until_well(
    look: Callable[[], Awaitable[StatusReport]],
    clock: Clock,
    seconds: float,
    told: Callable[[StatusReport], None],
    *,
    least: float = 5.0,
) -> StatusReport:
    """Look every `POLL_SECONDS` until all is well, or the time is over; return the last look.

    An API server that does not answer is something to wait for.

    Args:
        look: looks once.
        clock: paces the looks.
        seconds: how long to wait.
        told: called with each look whose faults are others than before.
        least: seconds that each look may take, also the last one.
    """
    end = clock.monotonic() + seconds
    before: StatusReport | None = None
    while True:
        found = await _looked(look, max(least, end - clock.monotonic()), before)
        left = end - clock.monotonic()
        if found.is_well or left <= 0:
            return found
        if before is None or found.faults != before.faults:
            told(found)
        before = found
        await clock.sleep(min(POLL_SECONDS, left))


async def _looked(
    look: Callable[[], Awaitable[StatusReport]], seconds: float, before: StatusReport | None
) -> StatusReport:
    try:
        async with asyncio.timeout(seconds):
            return await look()
    except TimeoutError:
        fault = StatusFault(f"no answer within {seconds:.0f} s", "look whether it is there")
    except Unavailable as error:
        fault = StatusFault(error.message, error.remedy)
    base = before or StatusReport("", None, ())
    return replace(base, seen=None, faults=(fault,), unknown=())
