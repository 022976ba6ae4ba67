"""Count the addresses of planes: IPBlocks, reports of nodes and network-status together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

from planes.model.errors import JsonObject
from planes.model.spec.plane_spec import IpamMode, Plane
from planes.model.state.node_use import NodeUse
from planes.model.state.plane_counts import AddressCounts, BlockHoldings, count_addresses
from planes.model.state.plane_status import EXHAUSTED
from planes.run.metrics import Metrics
from planes.store.protocol import Store

_STATES: Final = {
    "capacity": "capacity",
    "inUse": "in_use",
    "static": "static",
    "cooling": "cooling",
    "available": "available",
}
"""Fields of a status, each with the label of its metric."""


class CountingAddresses:
    """Counts the addresses of a plane.

    Args:
        store: its catalog has what pods show.
        held: returns what nodes have of a plane by IPBlocks, by IP version.
        use_of: returns what a node reports of its blocks of a plane; None: it does not.
    """

    def __init__(
        self,
        store: Store,
        held: Callable[[Plane], Mapping[int, BlockHoldings]],
        use_of: Callable[[str], Callable[[str], NodeUse | None]],
    ) -> None:
        self._store = store
        self._held = held
        self._use_of = use_of

    def of(self, plane: Plane, joined: Sequence[str]) -> Mapping[int, AddressCounts]:
        """Return the counts of a plane by IP version; none where another IPAM hands out addresses.

        Args:
            plane: as it is now.
            joined: the namespaces that joined it; what pods of others show is not counted.
        """
        if plane.ipam_mode is not IpamMode.PLANE:
            return {}
        claims, held = self._store.catalog.claims, self._held(plane)
        reported = self._use_of(plane.name)
        found = {}
        for version in plane.families:
            tally = claims.tally(plane.ref, version, joined)
            shown = tally.attached - tally.static
            found[version] = count_addresses(plane, version, held[version], reported, shown)
        return found


class AddressGauges:
    """The counts of all planes as metrics, while this replica leads.

    Args:
        metrics: where they are registered.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._statuses: dict[str, JsonObject] = {}
        metrics.family(
            "plane_addresses",
            "Addresses of the plane, of the family that has the fewest left",
            ("plane", "state"),
            self._counts,
        )
        metrics.family(
            "plane_exhausted",
            "Whether few or none of the plane's addresses are left",
            ("plane",),
            self._exhausted,
        )

    def show(self, plane: str, status: JsonObject | None) -> None:
        """Show what the status of a plane says; None: the plane is gone."""
        if status is None:
            self._statuses.pop(plane, None)
        else:
            self._statuses[plane] = status

    @asynccontextmanager
    async def of_a_term(self) -> AsyncIterator[None]:
        """Show planes inside the block only: afterwards another replica may lead."""
        try:
            yield
        finally:
            self._statuses.clear()

    def _counts(self) -> Iterable[tuple[Sequence[str], float]]:
        for plane, status in list(self._statuses.items()):
            for key, state in _STATES.items():
                if key in status:
                    yield (plane, state), status[key]

    def _exhausted(self) -> Iterable[tuple[Sequence[str], float]]:
        for plane, status in list(self._statuses.items()):
            for each in status["conditions"]:
                if each["type"] == EXHAUSTED:
                    yield (plane,), float(each["status"] == "True")
