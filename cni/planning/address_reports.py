"""The use of this node's address blocks, and when it is reported.

Invariant: changes of the counts cost at most one report in `SOON_SECONDS`, however many pods come
and go, and one only when a count changed by the plane's step; smaller changes wait for
`LATE_SECONDS`. Nothing is reported before the planes are known.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final

from planes.model.spec.plane_spec import IpamMode, Plane
from planes.model.state.node_use import NodeUse, is_far, step_of
from planes.model.state.plane_counts import dynamic_size
from planes.run.clock import Clock

LOOK_SECONDS: Final = 5.0
SOON_SECONDS: Final = 10.0
LATE_SECONDS: Final = 30.0


class AddressReports:
    """Counts addresses now and then, and compares the counts with what was reported.

    Args:
        clock: for the intervals.
        planes: returns all planes.
        count: counts the addresses of planes that are held or rest on this node.

    Attributes:
        now: the counts, as last seen; None while no plane is known whose addresses we hand out.
    """

    def __init__(
        self,
        clock: Clock,
        planes: Callable[[], Iterable[Plane]],
        count: Callable[[Iterable[Plane]], Awaitable[Mapping[str, NodeUse]]],
    ) -> None:
        self._clock = clock
        self._planes = planes
        self._count = count
        # None: an earlier start of the daemon may have reported something.
        self._told: Mapping[str, NodeUse] | None = None
        self._told_at = self._looked_at = float("-inf")
        self._counted: tuple[Plane, ...] = ()
        self.now: Mapping[str, NodeUse] | None = None

    async def look(self) -> None:
        """Count them, unless that was done just now."""
        if self._clock.monotonic() < self._looked_at + LOOK_SECONDS:
            return
        self._looked_at = self._clock.monotonic()
        self._counted = tuple(
            plane for plane in self._planes() if plane.ipam_mode is IpamMode.PLANE
        )
        if self._counted or self.now is not None:
            self.now = await self._count(self._counted)

    @property
    def is_due(self) -> bool:
        """Whether the counts are worth a report now."""
        if self.now is None or self._told is None:
            return self.now is not None
        passed = self._clock.monotonic() - self._told_at
        if self.now == self._told or passed < SOON_SECONDS:
            return False
        steps = {
            plane.name: step_of(
                min((dynamic_size(plane, version) for version in plane.families), default=0)
            )
            for plane in self._counted
        }
        return passed >= LATE_SECONDS or is_far(self.now, self._told, steps)

    def told(self, counts: Mapping[str, NodeUse]) -> None:
        """Take note that counts were reported."""
        self._told, self._told_at = counts, self._clock.monotonic()
