"""A follower kept true to a query: list once, watch for good, list anew only where it must.

Invariant: after any cuts, expiries and restarts the follower knows what the server has; what it
knows stays in force meanwhile, and no list takes it back behind what it was told. No task of its
own, nothing of a list is kept.
"""

from __future__ import annotations

import asyncio
import logging
import random as _random
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Final

from planes.kube.api import Change, Kind, KubeApi, Query
from planes.kube.errors import Expired
from planes.kube.follower import Follower
from planes.kube.watch_metrics import WatchMetrics
from planes.model.errors import BadInput, JsonObject, NotFound, PlanesError
from planes.run.clock import Clock
from planes.run.metrics import Metrics

FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 30.0

_GOOD_SECONDS = 5.0  # a watch that held this long has come to stay
_TURN_SECONDS = 0.002  # and so many objects: then the event loop is others'
_TURN_OBJECTS = 64
_SLOW = 5  # failures after which pauses grow no longer

_log = logging.getLogger(__name__)


class Watching:
    """Tells one follower of one query's objects.

    Args:
        api: the API server.
        query: what is watched.
        follower: who is told; an exception of it for one object is logged and counted.
        clock: paces pauses and measures ages.
        random: gives numbers from 0 up to 1, to jitter pauses.
        metrics: what is counted on; on what nobody sees unless given.
        name: what logs call it; the plural of the resource unless given.
    """

    def __init__(
        self,
        api: KubeApi,
        query: Query,
        follower: Follower,
        *,
        clock: Clock,
        random: Callable[[], float] = _random.random,
        metrics: WatchMetrics | None = None,
        name: str = "",
    ) -> None:
        self.name = name or query.resource.plural
        self._api = api
        self._query = query
        self._follower = follower
        self._clock = clock
        self._random = random
        self._version = ""  # "": list first
        self._reached = ""  # the last version that was known, also when it has expired
        self._wants_newest = False
        self._failures = 0
        self._has_expired = False
        self._complaint: type[PlanesError] | None = None
        self._trouble = ""
        self._synced = asyncio.Event()
        self._synced_at = 0.0
        self._heard_at = clock.monotonic()
        self._turn_began = 0.0
        self._turn_objects = 0
        metrics = metrics or WatchMetrics(Metrics())
        self._counts = metrics.of(self.name, lambda: self.silent_seconds)

    @property
    def is_synced(self) -> bool:
        """Whether the follower has had the whole once; it stays so through outages."""
        return self._synced.is_set()

    @property
    def synced_for_seconds(self) -> float:
        """Seconds since the first whole listing, 0 before it."""
        return self._clock.monotonic() - self._synced_at if self.is_synced else 0.0

    @property
    def silent_seconds(self) -> float:
        """Seconds since the server was last heard of: a page, a change or a bookmark."""
        return self._clock.monotonic() - self._heard_at

    @property
    def trouble(self) -> str:
        """What went wrong last and is not over; "" where all is well."""
        return self._trouble

    async def wait_synced(self) -> None:
        """Wait for the first whole listing."""
        await self._synced.wait()

    async def run(self) -> None:
        """List and watch until cancelled."""
        while True:
            try:
                if not self._version:
                    await self._list()
                pause = await self._follow()
            except PlanesError as error:
                pause = self._pause_after(error)
            if pause:
                await self._clock.sleep(pause)

    async def _list(self) -> None:
        version, count = "", 0
        self._follower.begin()
        async with aclosing(self._api.pages(self._listed())) as pages:
            async for page in pages:
                self._hear()
                version = page.resource_version or version
                for obj in page.items:
                    self._tell(self._follower.put, obj)
                    await self._give_way()
                count += len(page.items)
        self._follower.finish()
        self._version = self._reached = version
        self._wants_newest = False
        self._counts.lists.inc()
        self._counts.objects.set(count)
        if not self.is_synced:
            self._synced_at = self._clock.monotonic()
            self._synced.set()

    def _listed(self) -> Query:
        """Give what to list: where an older moment will do, never one before what is known."""
        query = self._query
        if not query.at_least:
            return query
        return replace(
            query, at_least="" if self._wants_newest else self._reached or query.at_least
        )

    async def _follow(self) -> float:
        """Watch from where we are to the end in good order; how long to pause after it."""
        self._counts.starts.inc()
        began = self._clock.monotonic()
        try:
            async with aclosing(self._api.watch(self._query, self._version)) as changes:
                async for change in changes:
                    self._hear()
                    self._recover()
                    self._apply(change)
                    await self._give_way()
        finally:
            has_held = self._clock.monotonic() - began >= _GOOD_SECONDS
            if has_held:
                self._recover()
        self._heard_at = max(self._heard_at, began)  # it did begin to answer
        return 0.0 if has_held else self._backoff()

    def _apply(self, change: Change) -> None:
        if change.kind is Kind.DELETED:
            self._tell(self._follower.drop, change.obj)
            self._counts.objects.dec()
        elif change.kind is not Kind.BOOKMARK:
            self._tell(self._follower.put, change.obj)
            if change.kind is Kind.ADDED:
                self._counts.objects.inc()
        # Only after it was told: what is not yet told comes again.
        self._version = change.obj["metadata"].get("resourceVersion") or self._version
        self._reached = self._version

    def _tell(self, told: Callable[[JsonObject], None], obj: JsonObject) -> None:
        try:
            told(obj)
        except Exception:
            self._counts.faults.inc()
            _log.exception("object not taken over", extra=self._facts(obj))

    async def _give_way(self) -> None:
        self._turn_objects += 1
        now = self._clock.monotonic()
        if self._turn_objects >= _TURN_OBJECTS or now - self._turn_began >= _TURN_SECONDS:
            await asyncio.sleep(0)
            self._turn_objects = 0
            self._turn_began = self._clock.monotonic()

    def _pause_after(self, error: PlanesError) -> float:
        """Note what went wrong; how long to pause before the next try."""
        self._counts.failures.inc()
        self._trouble = str(error)
        if isinstance(error, Expired | NotFound | BadInput):
            # A list that was refused is not one of a moment that the server has.
            self._wants_newest = not self._version
            self._version = ""
        if isinstance(error, Expired) and not self._has_expired:
            # This happens to every watch that was cut for long, whatever it failed of meanwhile:
            # no reason to leave a gap.
            self._has_expired = True
            _log.info("watch expired", extra={"watch": self.name})
            return 0.0
        if type(error) is not self._complaint:
            self._complaint = type(error)
            _log.warning("watch failed", extra={"watch": self.name, "reason": str(error)})
        return self._backoff()

    def _backoff(self) -> float:
        longest = min(LONGEST_PAUSE, 2 * FIRST_PAUSE * 2.0**self._failures)
        self._failures = min(self._failures + 1, _SLOW)
        return longest * (0.5 + self._random() / 2)

    def _recover(self) -> None:
        self._failures = 0
        self._has_expired = False
        self._trouble = ""
        if self._complaint is not None:
            self._complaint = None
            _log.info("watch recovered", extra={"watch": self.name})

    def _hear(self) -> None:
        self._heard_at = self._clock.monotonic()

    def _facts(self, obj: JsonObject) -> dict[str, Any]:
        metadata = obj.get("metadata") or {}
        place = "/".join(filter(None, (metadata.get("namespace"), metadata.get("name"))))
        return {
            "watch": self.name,
            "pod" if self._query.resource.plural == "pods" else "object": place,
            "uid": metadata.get("uid", ""),
        }
