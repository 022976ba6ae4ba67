"""List a query's objects once and watch them from there: client-go's Reflector.

Invariant: after any cuts, expired versions and restarts the handler knows what the API server has.
What it knows stays in force meanwhile, and no list is of a moment before that. It lists
anew only where the watch cannot go on. Nothing of a list is kept.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Final

from planes.kube.api import Change, Kind, KubeApi, Query
from planes.kube.errors import Expired
from planes.kube.informers.handler import EventHandler
from planes.kube.informers.metrics import WatchMetrics
from planes.model.errors import BadInput, JsonObject, NotFound, PlanesError
from planes.run.backoff import Backoff, Randomness
from planes.run.clock import Clock
from planes.run.metrics import Metrics

_FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 30.0

_GOOD_SECONDS = 5.0  # a watch that held this long resets the pauses
_SLICE_SECONDS = 0.002  # of time, or so many objects: then other tasks run
_SLICE_OBJECTS = 64

_log = logging.getLogger(__name__)


class Reflector:
    """Calls a handler with one query's objects.

    Attributes:
        name: of the watch in logs and metrics: the plural of the resource.
        is_synced: whether the handler has had a whole listing; it stays so through outages.

    Args:
        api: the API server.
        query: what is watched.
        handler: is called with them; an exception of it for one object is logged and counted.
        clock: paces pauses and measures ages.
        randomness: makes pauses shorter, by up to half.
        metrics: counts lists, watches and failures.
    """

    def __init__(
        self,
        api: KubeApi,
        query: Query,
        handler: EventHandler,
        *,
        clock: Clock,
        randomness: Randomness = random.random,
        metrics: WatchMetrics | None = None,
    ) -> None:
        self.name = query.resource.plural
        self.is_synced = False
        self._api = api
        self._query = query
        self._handler = handler
        self._clock = clock
        self._backoff = Backoff(
            _FIRST_PAUSE, LONGEST_PAUSE, jitter=(0.5, 1.0), randomness=randomness
        )
        self._version = ""  # "": list first
        self._reached = ""  # the last version that was known, also when it has expired
        self._wants_newest = False
        self._has_expired = False
        self._complaint: type[PlanesError] | None = None
        self._trouble = ""
        self._heard_at = clock.monotonic()
        self._slice_began = 0.0
        self._slice_objects = 0
        metrics = metrics or WatchMetrics(Metrics())
        self._counts = metrics.of(self.name, lambda: self.silent_seconds)

    @property
    def silent_seconds(self) -> float:
        """Seconds since the API server last sent something: a page, a change or a bookmark."""
        return self._clock.monotonic() - self._heard_at

    @property
    def trouble(self) -> str:
        """The last error; "" once the watch has gone on after it."""
        return self._trouble

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

    async def call_each(
        self, call: Callable[[JsonObject], None], objects: Iterable[JsonObject]
    ) -> None:
        """Call a handler with objects one by one, and let other tasks run in between."""
        for obj in objects:
            self._call(call, obj)
            await self._give_way()

    async def _list(self) -> None:
        version, count = "", 0
        self._handler.begin()
        async with aclosing(self._api.pages(self._listed())) as pages:
            async for page in pages:
                self._hear()
                version = page.resource_version or version
                await self.call_each(self._handler.put, page.items)
                count += len(page.items)
        self._handler.finish()
        self._version = self._reached = version
        self._wants_newest = False
        self._counts.lists.inc()
        self._counts.objects.set(count)
        self.is_synced = True

    def _listed(self) -> Query:
        """Return the query of a list; with `at_least`, of no moment before what is known."""
        query = self._query
        if not query.at_least:
            return query
        return replace(
            query, at_least="" if self._wants_newest else self._reached or query.at_least
        )

    async def _follow(self) -> float:
        """Watch to the end of the stream in good order; return how long to pause after it."""
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
        return 0.0 if has_held else self._backoff.next()

    def _apply(self, change: Change) -> None:
        if change.kind is Kind.DELETED:
            self._call(self._handler.drop, change.obj)
            self._counts.objects.dec()
        elif change.kind is not Kind.BOOKMARK:
            self._call(self._handler.put, change.obj)
            if change.kind is Kind.ADDED:
                self._counts.objects.inc()
        # Only after the call: a change that the handler has not had comes again.
        self._version = change.obj["metadata"].get("resourceVersion") or self._version
        self._reached = self._version

    def _call(self, call: Callable[[JsonObject], None], obj: JsonObject) -> None:
        try:
            call(obj)
        except Exception:
            self._counts.faults.inc()
            _log.exception("object not taken over", extra=self._facts(obj))

    async def _give_way(self) -> None:
        """Let other tasks run where this one has had its slice of the event loop."""
        self._slice_objects += 1
        now = self._clock.monotonic()
        if self._slice_objects >= _SLICE_OBJECTS or now - self._slice_began >= _SLICE_SECONDS:
            await asyncio.sleep(0)
            self._slice_objects = 0
            self._slice_began = self._clock.monotonic()

    def _pause_after(self, error: PlanesError) -> float:
        """Take note of an error; return how long to pause before the next attempt."""
        self._counts.failures.inc()
        self._trouble = str(error)
        if isinstance(error, Expired | NotFound | BadInput):
            # A list that was refused is not one of a moment that the server has.
            self._wants_newest = not self._version
            self._version = ""
        if isinstance(error, Expired) and not self._has_expired:
            # This happens to every watch that was cut for long: no reason to pause, whatever the
            # attempts in between failed of.
            self._has_expired = True
            _log.info("watch expired", extra={"watch": self.name})
            return 0.0
        if type(error) is not self._complaint:
            self._complaint = type(error)
            _log.warning("watch failed", extra={"watch": self.name, "reason": str(error)})
        return self._backoff.next()

    def _recover(self) -> None:
        self._backoff.reset()
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
