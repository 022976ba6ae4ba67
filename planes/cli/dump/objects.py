"""The objects of a dump, kind by kind, as they are shortened; a page is read at a time."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from importlib.metadata import version
from typing import Final

from planes.cli.dump.shapes import (
    NadShape,
    listed,
    of_event,
    of_namespace,
    of_plane,
    of_pod,
    part,
)
from planes.kube.api import Query, ReadApi
from planes.kube.resources import EVENTS, NADS, NAMESPACES, PLANES, PODS
from planes.model.errors import JsonObject
from planes.model.events import COMPONENT
from planes.run.clock import rfc3339

MOST_EVENTS: Final = 5000
"""Events in a dump, the newest; an event's text has up to 1 KiB."""


async def shaped(
    api: ReadApi, query: Query, shape: Callable[[JsonObject], JsonObject | None]
) -> AsyncGenerator[JsonObject, None]:
    """Yield the objects of a list in its order, shaped; those that the shape leaves out are not."""
    async with aclosing(api.pages(query)) as pages:
        async for page in pages:
            for obj in page.items:
                if (found := shape(obj)) is not None:
                    yield found


class ReadObjects:
    """Reads what both a cluster and a machine have.

    Args:
        api: is read.
        counts: gets how many there are of what.
    """

    def __init__(self, api: ReadApi, counts: Counter[str]) -> None:
        self._api = api
        self._counts = counts
        self._nads = NadShape()

    def planes(self) -> AsyncGenerator[JsonObject, None]:
        """Yield the planes; NADs are read after them."""
        return shaped(self._api, Query(PLANES), self._plane)

    def nads(self) -> AsyncGenerator[JsonObject, None]:
        """Yield the NADs."""
        return shaped(self._api, Query(NADS), self._nad)

    def namespaces(self) -> AsyncGenerator[JsonObject, None]:
        """Yield the namespaces that join planes."""
        return shaped(self._api, Query(NAMESPACES, is_metadata_only=True), self._namespace)

    def pods(self) -> AsyncGenerator[JsonObject, None]:
        """Yield the pods with planes or networks."""
        return shaped(self._api, Query(PODS), self._pod)

    async def events(self) -> AsyncGenerator[JsonObject, None]:
        """Yield the newest of our events, the oldest of them first."""
        kept: list[tuple[str, int, JsonObject]] = []
        number = 0
        query = Query(EVENTS, fields=f"reportingComponent={COMPONENT}")
        async with aclosing(shaped(self._api, query, of_event)) as events:
            async for event in events:
                number += 1
                kept.append((str(event.get("lastTimestamp") or ""), number, event))
                if len(kept) > 2 * MOST_EVENTS:
                    kept = sorted(kept)[-MOST_EVENTS:]
        self._counts["events of ours"] = number
        for _, _, event in sorted(kept)[-MOST_EVENTS:]:
            self._counts[f"events {event.get('reason')}"] += 1
            yield event

    def _plane(self, obj: JsonObject) -> JsonObject:
        self._counts["planes"] += 1
        for each in listed(part(obj, "status", "conditions")):
            if part(each, "status") != "Unknown":
                self._counts[f"planes {part(each, 'type')}={part(each, 'status')}"] += 1
        self._nads.add_plane(obj)
        return of_plane(obj)

    def _nad(self, obj: JsonObject) -> JsonObject:
        self._counts["NADs"] += 1
        return self._nads.of_nad(obj)

    def _namespace(self, obj: JsonObject) -> JsonObject | None:
        self._counts["namespaces"] += 1
        found = of_namespace(obj)
        self._counts["namespaces that join planes"] += found is not None
        return found

    def _pod(self, obj: JsonObject) -> JsonObject | None:
        self._counts["pods"] += 1
        found = of_pod(obj)
        if found is not None:
            self._counts["pods with planes or networks"] += 1
            self._counts[f"pods with planes or networks {found.get('phase')}"] += 1
        return found


async def versions(now: float) -> AsyncGenerator[JsonObject, None]:
    """Yield what made the dump, and when."""
    yield {
        "made": rfc3339(now),
        "netplane": version("netplane"),
        "python": platform.python_version(),
        "client": f"{platform.system()} {platform.release()} {platform.machine()}",
    }


async def counted(counts: Counter[str]) -> AsyncGenerator[JsonObject, None]:
    """Yield the counts."""
    yield dict(sorted(counts.items()))
