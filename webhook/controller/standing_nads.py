"""Write an event on each NAD that no pod can use as policy stands, for its author to see.

It may be from before a plane or a setting, or was written while no webhook looked. Each is told of
once for its configuration as it is, by whichever replica leads: the name of the event says what it
is about, and the API server takes a name once. A namespace gets so many at a time and no more.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import Counter
from datetime import UTC, datetime
from typing import Any, Final

from planes.kube.api import KubeApi, Query
from planes.kube.errors import AlreadyExists
from planes.kube.resources import EVENTS, NADS
from planes.model.decide.wire_review import review_wires
from planes.model.errors import JsonObject, PlanesError
from planes.model.events import COMPONENT
from planes.model.objects import Nad, NadRef
from planes.model.spec.plane_spec import Plane
from planes.model.state.catalog import Catalog
from planes.run.clock import Clock
from planes.store.protocol import Store

_log = logging.getLogger(__name__)

ON_PLANE_WIRE: Final = "OnPlaneWire"
NOT_PERMITTED: Final = "NotPermitted"
"""It says more than a NAD of its namespace may, or is beyond all bounds."""
MOST_AT_ONCE: Final = 8
"""Events of one namespace in `PERIOD_SECONDS`."""
PERIOD_SECONDS: Final = 600.0
_LONGEST_NAME: Final = 253 - 1 - 16
_LONGEST_MESSAGE: Final = 1024  # of core/v1 Event


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

    async def survey(self) -> None:
        """Look at every NAD that has changed, at all of them where planes have, or now and then."""
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
                await asyncio.sleep(
                    0
                )  # a hostile one takes milliseconds, and reviews must not wait
                if not await self._look(nad, catalog):
                    continue
            done[ref] = nad
        self._done = done

    async def _look(self, nad: Nad, catalog: Catalog) -> bool:
        """Tell of a NAD where there is something to tell; whether that is done."""
        namespace = self._store.namespace(nad.namespace)
        if nad.plane is not None or namespace is None:
            return True
        found = list(review_wires(nad.ref, catalog.facts_of(nad.ref), namespace, catalog))
        reason = ON_PLANE_WIRE if found else NOT_PERMITTED
        found += catalog.gate.findings(nad)
        name = _event_name(nad, catalog, reason) if found else ""
        if not name or self._told.get(nad.ref) == name:
            return True
        if self._spent[nad.namespace] >= MOST_AT_ONCE:
            return False
        self._spent[nad.namespace] += 1
        self._told[nad.ref] = name
        try:
            message = "; ".join(map(str, found))[:_LONGEST_MESSAGE]
            await self._tell(nad, name, reason, message)
        except AlreadyExists:
            return True  # told of before, by us or whoever led then
        except PlanesError as error:
            _log.warning("event not written", extra={"nad": str(nad.ref), "cause": str(error)})
        return True

    async def _tell(self, nad: Nad, name: str, reason: str, message: str) -> None:
        now = datetime.fromtimestamp(self._clock.now(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        involved: JsonObject = {
            "apiVersion": NADS.api_version,
            "kind": NADS.kind,
            "name": nad.name,
            "namespace": nad.namespace,
        }
        uid = await self._uid(nad.ref)
        if not uid:
            return  # removed since
        event = {
            "apiVersion": EVENTS.api_version,
            "kind": EVENTS.kind,
            "metadata": {"name": name, "namespace": nad.namespace},
            "involvedObject": {**involved, "uid": uid},
            "type": "Warning",
            "reason": reason,
            "message": message,
            "count": 1,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "source": {"component": COMPONENT},
            "reportingComponent": COMPONENT,
            "reportingInstance": "",
        }
        await self._api.create(EVENTS, event, namespace=nad.namespace)

    async def _uid(self, ref: NadRef) -> str:
        """Give the UID, which `kubectl describe` finds events by; "" where there is no such NAD."""
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
    """Name the event by the NAD and what it says, so that it is written once for that."""
    about = f"{reason}\0{nad.config}\0{catalog.resources.get(nad.ref, '')}"
    digest = hashlib.sha256(about.encode(errors="surrogatepass")).hexdigest()[:16]
    return f"{nad.name[:_LONGEST_NAME].rstrip('-.')}.{digest}"
