"""Write an event on each NAD that no pod can use under the present policy, for its author.

Such a NAD is older than a plane or a setting, or was written while no webhook was asked. It gets
one event for each configuration, whichever replica leads: the event's name is made from what it
says, and the API server takes a name once. A namespace gets a bounded number at a time.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import Any, Final

from planes.kube.api import KubeApi, Query
from planes.kube.errors import AlreadyExists
from planes.kube.resources import EVENTS, NADS
from planes.kube.store.event_objects import event_object, name_by_content
from planes.model.decide.wire_review import review_wires
from planes.model.errors import JsonObject, PlanesError, Unavailable
from planes.model.objects import Nad, NadRef
from planes.model.spec.plane_spec import Plane
from planes.model.state.catalog import Catalog
from planes.run.clock import Clock, rfc3339
from planes.store.protocol import Store

_log = logging.getLogger(__name__)

ON_PLANE_WIRE: Final = "OnPlaneWire"
NOT_PERMITTED: Final = "NotPermitted"
"""It uses more than a NAD of its namespace may, or exceeds a bound."""
MOST_AT_ONCE: Final = 8
"""Events of one namespace in `PERIOD_SECONDS`."""
PERIOD_SECONDS: Final = 600.0


class StandingNads:
    """Writes the events.

    Args:
        store: planes, NADs and namespaces as last seen.
    """

    def __init__(self, api: KubeApi, store: Store, clock: Clock) -> None:
        self._api = api
        self._store = store
        self._clock = clock
        self._done: dict[NadRef, Nad] = {}
        self._told: dict[NadRef, str] = {}
        self._planes: tuple[Plane, ...] = ()
        self._spent: Counter[str] = Counter()
        self._period_ends = clock.monotonic() + PERIOD_SECONDS

    async def resync(self) -> None:
        """Check the NADs that have changed; all when planes have, and every `PERIOD_SECONDS`."""
        catalog, now = self._store.catalog, self._clock.monotonic()
        if now >= self._period_ends:
            self._spent.clear()
            self._done.clear()
            self._period_ends = now + PERIOD_SECONDS
        elif self._planes != catalog.planes:
            self._done.clear()
        self._planes = catalog.planes
        if not self._store.is_synced:
            return
        self._told = {ref: name for ref, name in self._told.items() if ref in catalog.nads}
        done = {}
        for ref, nad in catalog.nads.items():
            if self._done.get(ref) is not nad:
                # A hostile one takes milliseconds, and reviews must not wait.
                await asyncio.sleep(0)
                if not await self._check(nad, catalog):
                    continue
            done[ref] = nad
        self._done = done

    async def _check(self, nad: Nad, catalog: Catalog) -> bool:
        """Write an event on a NAD where one is due; report whether the NAD is done with."""
        namespace = self._store.namespace(nad.namespace)
        if nad.plane is not None or namespace is None:
            return True
        found = list(review_wires(nad.ref, catalog.facts_of(nad.ref), namespace, catalog))
        reason = ON_PLANE_WIRE if found else NOT_PERMITTED
        found += catalog.nad_checks.findings(nad)
        name = _event_name(nad, catalog, reason) if found else ""
        if not name or self._told.get(nad.ref) == name:
            return True
        if self._spent[nad.namespace] >= MOST_AT_ONCE:
            return False
        self._spent[nad.namespace] += 1
        try:
            message = "; ".join(map(str, found))
            await self._tell(nad, name, reason, message)
        except AlreadyExists:
            pass  # written before, by this or another leader
        except Unavailable as error:
            facts = {"nad": str(nad.ref), "cause": str(error)}
            _log.warning("event not written yet", extra=facts)
            return False
        except PlanesError as error:
            _log.warning("event not written", extra={"nad": str(nad.ref), "cause": str(error)})
        self._told[nad.ref] = name
        return True

    async def _tell(self, nad: Nad, name: str, reason: str, message: str) -> None:
        involved: JsonObject = {
            "apiVersion": NADS.api_version,
            "kind": NADS.kind,
            "name": nad.name,
            "namespace": nad.namespace,
        }
        uid = await self._uid(nad.ref)
        if not uid:
            return  # deleted since
        involved["uid"] = uid
        event = event_object(
            name,
            nad.namespace,
            involved,
            kind="Warning",
            reason=reason,
            message=message,
            moment=rfc3339(self._clock.now()),
        )
        await self._api.create(EVENTS, event, namespace=nad.namespace)

    async def _uid(self, ref: NadRef) -> str:
        """Return the UID, by which `kubectl describe` finds events; "" where it is missing."""
        query = Query(
            NADS,
            namespace=ref.namespace,
            fields=f"metadata.name={ref.name}",
            is_metadata_only=True,
        )
        async for page in self._api.pages(query):
            for item in page.items:
                metadata: Any = item.get("metadata")
                if isinstance(metadata, dict) and metadata.get("name") == ref.name:
                    return str(metadata.get("uid", ""))
        return ""


def _event_name(nad: Nad, catalog: Catalog, reason: str) -> str:
    """Name the event by the NAD and what it says, so that it is written once for both."""
    about = f"{reason}\0{nad.config}\0{catalog.resources.get(nad.ref, '')}"
    return name_by_content(nad.name, about)
