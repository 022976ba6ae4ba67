"""One list and watch of a kind for several handlers: what client-go calls a shared informer.

The handlers are called one after the other, in one turn of the event loop; one that raises does not
keep the others from being told. Each must be cheap, see `planes.kube.informers.handler`.

No object is kept for handlers that are added late. Such a handler is told a list of its own, then
what the watch tells: a list when a replica begins to lead costs less than the memory of all NADs
and namespaces, in every replica and all the time. Its list does not begin while the watch is
listing: that listing may be of a later moment, and tells of no object that was deleted before it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Final

from planes.kube.api import KubeApi, Query
from planes.kube.informers.handler import EventHandler
from planes.kube.informers.late_handler import LateHandler
from planes.kube.informers.metrics import WatchMetrics
from planes.kube.informers.reflector import Reflector
from planes.model.errors import JsonObject, PlanesError
from planes.run.backoff import Backoff
from planes.run.clock import Clock

_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 30.0

_log = logging.getLogger(__name__)


class Informer:
    """Calls several handlers with one query's objects.

    Attributes:
        reflector: lists and watches; its `run` must run.

    Args:
        handlers: those that are called from the start.
        metrics: as for `Reflector`.
    """

    def __init__(
        self,
        api: KubeApi,
        query: Query,
        *handlers: EventHandler,
        clock: Clock,
        metrics: WatchMetrics | None = None,
    ) -> None:
        self._api = api
        self._query = query
        self._clock = clock
        self._handlers = _Handlers(handlers)
        self.reflector = Reflector(api, query, self._handlers, clock=clock, metrics=metrics)

    async def follow(self, handler: EventHandler, namespace: str = "") -> None:
        """Call one more handler until cancelled: first what there is now, then what changes.

        Args:
            handler: it is not called any more once this was cancelled.
            namespace: restricts it to the objects of one namespace; "" for all of the query.
        """
        late = LateHandler(handler, namespace)
        self._handlers.add(late)
        try:
            await self._handlers.wait_while_listing()
            await self._sync(late, namespace)
            await asyncio.Event().wait()
        finally:
            self._handlers.remove(late)

    async def _sync(self, late: LateHandler, namespace: str) -> None:
        # Of the newest state: never one before what the watch has told already.
        query = replace(self._query, namespace=namespace or self._query.namespace, at_least="")
        backoff = Backoff(_FIRST_PAUSE, _LONGEST_PAUSE, jitter=(0.5, 1.0))
        complaint: type[PlanesError] | None = None
        while late.needs_list:
            try:
                await self._list(late, query)
            except PlanesError as error:
                if type(error) is not complaint:
                    complaint = type(error)
                    facts = {"watch": self.reflector.name, "reason": str(error)}
                    _log.warning("watch failed", extra=facts)
                await self._clock.sleep(backoff.next())

    async def _list(self, late: LateHandler, query: Query) -> None:
        version = ""
        late.begin_list()
        async with aclosing(self._api.pages(query)) as pages:
            async for page in pages:
                version = page.resource_version or version
                await self.reflector.call_each(late.put_listed, page.items)
        late.finish_list(version)


@dataclass(frozen=True, slots=True)
class Informers:
    """The informers that a process shares between its store and its controller."""

    planes: Informer
    nads: Informer
    namespaces: Informer


class _Handlers:
    """Implements `EventHandler` for several of them."""

    def __init__(self, handlers: tuple[EventHandler, ...]) -> None:
        self._handlers = list(handlers)
        self._is_listing = False
        self._listing_changed = asyncio.Event()

    def add(self, handler: EventHandler) -> None:
        self._handlers.append(handler)

    def remove(self, handler: EventHandler) -> None:
        self._handlers.remove(handler)

    async def wait_while_listing(self) -> None:
        """Where a listing is under way, wait until it is complete or the next one begins."""
        if self._is_listing:
            await self._listing_changed.wait()

    def begin(self) -> None:
        self._set_listing(True)
        _call_all([handler.begin for handler in self._handlers])

    def put(self, obj: JsonObject) -> None:
        _call_all([handler.put for handler in self._handlers], obj)

    def drop(self, obj: JsonObject) -> None:
        _call_all([handler.drop for handler in self._handlers], obj)

    def finish(self) -> None:
        self._set_listing(False)
        _call_all([handler.finish for handler in self._handlers])

    def _set_listing(self, is_listing: bool) -> None:
        self._is_listing = is_listing
        self._listing_changed.set()
        self._listing_changed = asyncio.Event()


def _call_all(handlers: Sequence[Callable[..., None]], *given: JsonObject) -> None:
    """Call all handlers; only then raise what one of them raised."""
    errors: list[Exception] = []
    for handler in handlers:
        try:
            handler(*given)
        except Exception as error:
            errors.append(error)
    if errors:
        raise errors[0] if len(errors) == 1 else ExceptionGroup("several handlers", errors)
