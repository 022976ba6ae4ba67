"""Keep the status of planes: written where it says something new, and counts not too often.

A busy plane's counts change with every pod; they are written at most once in `COUNT_SECONDS`.
A condition that turns, or a new generation, is written at once. A leader that is new to its office
says nothing before it has seen everything: nothing turns because the office changes hands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from planes.kube.api import KubeApi
from planes.kube.resources import PLANES
from planes.model.errors import JsonObject, NotFound
from planes.model.state.catalog import Catalog
from planes.model.state.overlaps import find_overlaps
from planes.model.state.plane_status import NadState, Observed, newly_ignored, status_of
from planes.run.clock import Clock
from planes.store.protocol import Store
from webhook.controller.blocks import Blocks
from webhook.controller.books import Book, NadSeen, PlaneSeen
from webhook.controller.events import PlaneEvents
from webhook.controller.nads import nad_state

COUNT_SECONDS: Final = 5.0

_PATIENT_SECONDS: Final = 30.0

_UNKNOWN: Final = NadState(None, "NotSeen", "the NADs have not been read yet")


class StatusKeeper:
    """Writes the status of planes.

    Args:
        store: of its catalog, what pods have and which NADs there are.
        blocks: the blocks of each plane.
        events: told when nodes ignore a block.
        is_seen: whether NADs and blocks were read; a kind that is not served never is, and the
            rest is said all the same after a while.
        joined: tells which namespaces joined a plane; None while that is not known. Addresses that
            pods of others claim to have are not counted.
    """

    def __init__(
        self,
        api: KubeApi,
        store: Store,
        clock: Clock,
        *,
        planes: Book[PlaneSeen],
        nads: Book[NadSeen],
        blocks: Blocks,
        events: PlaneEvents,
        is_seen: Callable[[], bool],
        joined: Callable[[str], Sequence[str] | None],
    ) -> None:
        self._api = api
        self._store = store
        self._clock = clock
        self._planes = planes
        self._nads = nads
        self._blocks = blocks
        self._events = events
        self._is_seen = is_seen
        self._began = clock.monotonic()
        self._joined = joined
        self._written: dict[str, float] = {}
        self._overlaps: Mapping[str, tuple[str, ...]] | None = None

    def forget_planes(self) -> None:
        """Take note that planes have changed."""
        self._overlaps = None

    async def look(self, name: str) -> bool:
        """Compare a plane's status with what is observed, and write it where that is due.

        Whether it wrote something beside counts.

        Raises:
            PlanesError: it could not be written; look again later.
        """
        seen = self._planes.get(name)
        if seen is None:
            self._written.pop(name, None)
            return False
        joined = self._joined(name)
        if joined is None or not self._store.is_synced or not self._may_speak():
            return False
        now = datetime.fromtimestamp(self._clock.now(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        wanted = status_of(seen.plane, self._observe(seen, joined), seen.status, now)
        old = seen.status if isinstance(seen.status, dict) else {}
        is_news = _said(wanted) != _said(old)
        if wanted == old or (not is_news and self._is_early(name)):
            return False
        self._written[name] = self._clock.monotonic()
        gone: dict[str, Any] = dict.fromkeys(old.keys() - wanted.keys())
        patch = {"metadata": {"uid": seen.uid}, "status": {**gone, **wanted}}
        try:
            await self._api.patch(PLANES, name, patch, subresource="status")
        except NotFound:  # removed since
            return False
        if message := newly_ignored(old, wanted):
            await self._events.tell(seen, "Warning", "BlocksIgnored", message)
        return is_news

    def _may_speak(self) -> bool:
        return self._is_seen() or self._clock.monotonic() >= self._began + _PATIENT_SECONDS

    def _is_early(self, name: str) -> bool:
        last = self._written.get(name)
        return last is not None and self._clock.monotonic() < last + COUNT_SECONDS

    def _observe(self, seen: PlaneSeen, joined: Sequence[str]) -> Observed:
        plane, catalog = seen.plane, self._store.catalog
        if seen.faults:
            return Observed(_UNKNOWN, faults=seen.faults, namespaces=len(joined))
        return Observed(
            nad=self._nad(seen, catalog),
            overlaps=self._compared().get(plane.name, ()),
            namespaces=len(joined),
            tallies={
                version: catalog.claims.tally(plane.ref, version, joined) for version in (4, 6)
            },
            blocks=self._blocks.counts[plane.name],
            ignored=self._blocks.ignored(plane.name),
        )

    def _compared(self) -> Mapping[str, tuple[str, ...]]:
        if self._overlaps is None:
            sound = [seen.plane for seen in self._planes.values() if not seen.faults]
            self._overlaps = find_overlaps(sound)
        return self._overlaps

    def _nad(self, seen: PlaneSeen, catalog: Catalog) -> NadState:
        if seen.plane.nad_ref is None and not self._nads.is_synced:
            return _UNKNOWN
        ref = seen.plane.ref
        facts = catalog.facts_of(ref) if ref in catalog.nads else None
        return nad_state(seen, self._nads.get(seen.plane.name), facts)


def _said(status: JsonObject) -> tuple[Any, Any]:
    """Give what is written at once: everything but the counts."""
    return status.get("observedGeneration"), status.get("conditions")
