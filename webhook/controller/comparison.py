"""Compare planes with each other: which keep others out of force, and which share a CIDR.

It is computed once for all planes as they are, by the catalog that admission and nodes decide by.
"""

from __future__ import annotations

from collections.abc import Mapping

from planes.kube.informers.cache import ObjectCache
from planes.model.errors import Finding
from planes.model.spec.plane_spec import Plane
from planes.model.state.catalog import Catalog
from planes.model.state.overlaps import find_overlaps
from webhook.controller.objects import PlaneSeen


class Comparison:
    """Compares the planes that have no faults."""

    def __init__(self, planes: ObjectCache[PlaneSeen]) -> None:
        self._planes = planes
        self._catalog = Catalog.build()
        self._overlaps: Mapping[str, tuple[str, ...]] = {}
        self._is_stale = True

    def forget(self) -> None:
        """Take note that planes have changed."""
        self._is_stale = True

    def withheld(self, plane: Plane) -> Finding | None:
        """Return why a plane is not in force beside an earlier one, None where it is."""
        self._compare()
        found = self._catalog.withheld.get(plane.ref)
        return None if found is None else Finding("spec.subnets", found.cause, found.remedy)

    def overlaps(self, plane: Plane) -> tuple[str, ...]:
        """Return what to say of CIDRs that a plane shares on its wire."""
        self._compare()
        return self._overlaps.get(plane.name, ())

    def _compare(self) -> None:
        if self._is_stale:
            self._is_stale = False
            sound = [seen.plane for seen in self._planes.values() if not seen.faults]
            self._catalog = Catalog.build(sound, previous=self._catalog)
            self._overlaps = find_overlaps(sound)
