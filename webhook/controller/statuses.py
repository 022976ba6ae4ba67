"""Write the status of planes: conditions when they change, and counts not too often.

A busy plane's counts change with every pod, and the reports of nodes may change as often: both are
written at most once in `COUNT_SECONDS`. Any other condition that changes, or a new generation, is
written at once. A new leader writes nothing before it has seen everything: no condition changes
because another replica leads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from planes.kube.api import KubeApi
from planes.kube.informers.cache import ObjectCache
from planes.kube.resources import PLANES
from planes.model.errors import JsonObject, NotFound
from planes.model.names import NETPLANE_NAMESPACE
from planes.model.spec.plane_spec import Plane
from planes.model.state.catalog import Catalog
from planes.model.state.cluster_nets import ClusterNets
from planes.model.state.plane_counts import AddressCounts
from planes.model.state.plane_health import Health, availability
from planes.model.state.plane_status import (
    ADDRESSES_TAKEN,
    AVAILABLE,
    CLUSTER_OVERLAP,
    EXHAUSTED,
    NadState,
    Observed,
    newly_blocked,
    newly_exhausted,
    newly_ignored,
    newly_in_cluster,
    newly_withheld,
    status_of,
)
from planes.model.state.plane_users import Users, users_of
from planes.run.clock import Clock, rfc3339
from planes.store.protocol import Store
from webhook.controller.blocks import Blocks
from webhook.controller.comparison import Comparison
from webhook.controller.events import PlaneEvents
from webhook.controller.nads import nad_state
from webhook.controller.objects import NadSeen, PlaneSeen

COUNT_SECONDS: Final = 5.0

_WAIT_SECONDS: Final = 30.0

_UNKNOWN: Final = NadState(None, "NotSeen", "the NADs have not been read yet")


class StatusKeeper:
    """Writes the status of planes.

    Args:
        store: its catalog has the planes of pods, and the NADs.
        blocks: the blocks of each plane.
        events: writes an event when nodes ignore a block.
        health: returns what each node reports of a plane.
        is_seen: whether NADs, blocks and reports were listed. A kind that is not served never is:
            after a while the status is written all the same.
        joined: returns which namespaces joined a plane, None while that is not known. Addresses
            that pods of other namespaces claim are not counted.
        counts: counts a plane's addresses, given the namespaces that joined it.
        show: called with the status of each plane that is looked at, None for one that is gone.
        cluster: returns the cluster's own networks.
    """

    def __init__(
        self,
        api: KubeApi,
        store: Store,
        clock: Clock,
        *,
        planes: ObjectCache[PlaneSeen],
        nads: ObjectCache[NadSeen],
        blocks: Blocks,
        events: PlaneEvents,
        health: Callable[[str], Mapping[str, Health]],
        is_seen: Callable[[], bool],
        joined: Callable[[str], Sequence[str] | None],
        counts: Callable[[Plane, Sequence[str]], Mapping[int, AddressCounts]],
        show: Callable[[str, JsonObject | None], None],
        cluster: Callable[[], ClusterNets] = ClusterNets,
    ) -> None:
        self._cluster = cluster
        self._api = api
        self._store = store
        self._clock = clock
        self._planes = planes
        self._nads = nads
        self._blocks = blocks
        self._events = events
        self._health = health
        self._is_seen = is_seen
        self._began = clock.monotonic()
        self._joined = joined
        self._counts = counts
        self._show = show
        self._written: dict[str, float] = {}
        self._comparison = Comparison(planes)

    def forget_planes(self) -> None:
        """Take note that planes have changed."""
        self._comparison.forget()

    async def reconcile(self, name: str) -> bool:
        """Write a plane's status where it is not what is observed and a write is due.

        Returns:
            Whether it wrote something beside counts.

        Raises:
            PlanesError: it could not be written; try again later.
        """
        seen = self._planes.get("", name)
        if seen is None:
            self._written.pop(name, None)
            self._show(name, None)
            return False
        joined = self._joined(name)
        if joined is None or not self._store.is_synced or not self._is_complete():
            return False
        now = rfc3339(self._clock.now())
        wanted = status_of(seen.plane, self._observe(seen, joined), seen.status, now)
        self._show(name, wanted)
        old = seen.status if isinstance(seen.status, dict) else {}
        is_news = _written_at_once(wanted) != _written_at_once(old)
        if wanted == old or (not is_news and self._is_early(name)):
            return False
        self._written[name] = self._clock.monotonic()
        gone: dict[str, Any] = dict.fromkeys(old.keys() - wanted.keys())
        patch = {"metadata": {"uid": seen.uid}, "status": {**gone, **wanted}}
        try:
            await self._api.patch(PLANES, name, patch, subresource="status")
        except NotFound:  # deleted since
            return False
        for reason, message in (
            ("BlocksIgnored", newly_ignored(old, wanted)),
            (CLUSTER_OVERLAP, newly_in_cluster(old, wanted)),
            ("DeletionBlocked", newly_blocked(old, wanted)),
            (ADDRESSES_TAKEN, newly_withheld(old, wanted)),
            (EXHAUSTED, newly_exhausted(old, wanted)),
        ):
            if message:
                await self._events.tell(seen, "Warning", reason, message)
        return is_news

    def _is_complete(self) -> bool:
        return self._is_seen() or self._clock.monotonic() >= self._began + _WAIT_SECONDS

    def _is_early(self, name: str) -> bool:
        last = self._written.get(name)
        return last is not None and self._clock.monotonic() < last + COUNT_SECONDS

    def _observe(self, seen: PlaneSeen, joined: Sequence[str]) -> Observed:
        plane, catalog = seen.plane, self._store.catalog
        if seen.faults:
            faulty = Observed(_UNKNOWN, faults=seen.faults, namespaces=len(joined))
            return replace(faulty, users=self._users(seen, catalog))
        return Observed(
            nad=self._nad(seen, catalog),
            withheld=self._comparison.withheld(plane),
            overlaps=self._comparison.overlaps(plane),
            cluster=self._cluster().overlaps(plane),
            namespaces=len(joined),
            tallies={
                version: catalog.claims.tally(plane.ref, version, joined) for version in (4, 6)
            },
            counts=self._counts(plane, joined),
            blocks=self._blocks.counts[plane.name],
            ignored=self._blocks.ignored(plane.name),
            users=self._users(seen, catalog),
            available=availability(self._health(plane.name), self._clock.now()),
            without_effect=seen.without_effect,
        )

    @staticmethod
    def _users(seen: PlaneSeen, catalog: Catalog) -> Users | None:
        return users_of(seen.plane, catalog) if seen.is_held else None

    def _nad(self, seen: PlaneSeen, catalog: Catalog) -> NadState:
        if seen.plane.nad_ref is None and not self._nads.is_synced:
            return _UNKNOWN
        ref = seen.plane.ref
        facts = catalog.facts_of(ref) if ref in catalog.nads else None
        return nad_state(seen, self._nads.get(NETPLANE_NAMESPACE, seen.plane.name), facts)


def _written_at_once(status: JsonObject) -> tuple[Any, Any]:
    """Return what is written at once: all but counts, and conditions made of them or of reports.

    Otherwise one compromised node could have the plane written without end or, as the queue slows
    that down, have all other changes of its status delayed.
    """
    conditions = status.get("conditions")
    if isinstance(conditions, list):
        conditions = [one for one in conditions if not _changes_often(one)]
    return status.get("observedGeneration"), conditions


def _changes_often(condition: Any) -> bool:
    return isinstance(condition, dict) and condition.get("type") in {AVAILABLE, EXHAUSTED}
