"""Keep the status of planes: written where it says something new, and counts not too often.

A busy plane's counts change with every pod; they are written at most once in `COUNT_SECONDS`.
A condition that turns, or a new generation, is written at once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Any, Final

from planes.kube.api import KubeApi
from planes.kube.resources import PLANES
from planes.model.errors import JsonObject, NotFound
from planes.model.state.catalog import Catalog
from planes.model.state.plane_status import NadState, Observed, find_overlaps, status_of
from planes.run.clock import Clock
from planes.store.protocol import Store
from webhook.controller.books import Book, NadSeen, PlaneSeen
from webhook.controller.nads import nad_state

COUNT_SECONDS: Final = 5.0

_UNKNOWN: Final = NadState(None, "NotSeen", "the NADs have not been read yet")


class StatusKeeper:
    """Writes the status of planes.

    Args:
        store: of its catalog, what pods have and which NADs there are.
        blocks: IPBlock names to the planes they are of.
        joined: tells how many namespaces joined a plane; None while that is not known.
    """

    def __init__(
        self,
        api: KubeApi,
        store: Store,
        clock: Clock,
        *,
        planes: Book[PlaneSeen],
        nads: Book[NadSeen],
        blocks: Book[str],
        joined: Callable[[str], int | None],
    ) -> None:
        self._api = api
        self._store = store
        self._clock = clock
        self._planes = planes
        self._nads = nads
        self._blocks = blocks
        self._joined = joined
        self._written: dict[str, float] = {}
        self._overlaps: dict[str, tuple[str, ...]] = {}

    def compare(self) -> Collection[str]:
        """Compare all planes with each other; the names of those that overlap others now or did."""
        sound = [seen.plane for seen in self._planes.values() if not seen.faults]
        before, self._overlaps = self._overlaps, find_overlaps(sound)
        return before.keys() | self._overlaps.keys()

    async def look(self, name: str) -> None:
        """Compare a plane's status with what is observed, and write it where that is due.

        Raises:
            PlanesError: it could not be written; look again later.
        """
        seen = self._planes.get(name)
        if seen is None:
            self._written.pop(name, None)
            return
        joined = self._joined(name)
        if joined is None or not self._store.is_synced:
            return
        now = datetime.fromtimestamp(self._clock.now(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        wanted = status_of(seen.plane, self._observe(seen, joined), seen.status, now)
        old = seen.status if isinstance(seen.status, dict) else {}
        if wanted == old or (_said(wanted) == _said(old) and self._is_early(name)):
            return
        self._written[name] = self._clock.monotonic()
        gone: dict[str, Any] = dict.fromkeys(old.keys() - wanted.keys())
        patch = {"metadata": {"uid": seen.uid}, "status": {**gone, **wanted}}
        try:
            await self._api.patch(PLANES, name, patch, subresource="status")
        except NotFound:  # removed since
            return

    def _is_early(self, name: str) -> bool:
        last = self._written.get(name)
        return last is not None and self._clock.monotonic() < last + COUNT_SECONDS

    def _observe(self, seen: PlaneSeen, joined: int) -> Observed:
        plane, catalog = seen.plane, self._store.catalog
        if seen.faults:
            return Observed(_UNKNOWN, faults=seen.faults, namespaces=joined)
        return Observed(
            nad=self._nad(seen, catalog),
            overlaps=self._overlaps.get(plane.name, ()),
            namespaces=joined,
            tallies={version: catalog.claims.tally(plane.ref, version) for version in (4, 6)},
            blocks=sum(of == plane.name for of in self._blocks.values()),
        )

    def _nad(self, seen: PlaneSeen, catalog: Catalog) -> NadState:
        if seen.plane.nad_ref is None and not self._nads.is_synced:
            return _UNKNOWN
        ref = seen.plane.ref
        facts = catalog.facts_of(ref) if ref in catalog.nads else None
        return nad_state(seen, self._nads.get(seen.plane.name), facts)


def _said(status: JsonObject) -> tuple[Any, Any]:
    """Give what is written at once: everything but the counts."""
    return status.get("observedGeneration"), status.get("conditions")
