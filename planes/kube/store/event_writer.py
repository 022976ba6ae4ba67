"""Write core/v1 Events, at a bounded rate.

Invariant: no call fails or waits long because of an event. Events of one pod keep their order. One
that repeats within ten minutes is counted instead of written again. Those over the rate, or that
cannot be written, are dropped and counted.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from planes.kube.api import KubeApi
from planes.kube.errors import AlreadyExists
from planes.kube.resources import EVENTS
from planes.model.errors import Denied, NotFound, PlanesError, Unavailable
from planes.model.events import Event, event_name, to_object
from planes.run.clock import Clock, rfc3339
from planes.run.token_bucket import Buckets, TokenBucket

MOST_IN_FLIGHT: Final = 4
EMIT_SECONDS: Final = 10.0
REPEAT_SECONDS: Final = 600.0
_MOST_REMEMBERED: Final = 4096
# A pod has up to 32 networks besides its default one, each with an event; a whole node's pods may
# start at once.
POD_BURST: Final = 64
POD_PER_SECOND: Final = 0.1
NODE_BURST: Final = 1000
NODE_PER_SECOND: Final = 20.0
# Pods of one namespace, whose kubelet tries them again and again, leave half of it to the others.
NAMESPACE_BURST: Final = NODE_BURST // 2
NAMESPACE_PER_SECOND: Final = NODE_PER_SECOND / 2

_PASSING: Final = frozenset({"late", "unavailable"})
"""Reasons that are over once an event was written: the next time they are logged again."""

_log = logging.getLogger(__name__)

Drop = Callable[[str], None]
"""Called with the reason why an event was dropped, one word."""


@dataclass(slots=True)
class _Written:
    name: str
    count: int
    last: float


class EventWriter:
    """Writes events about pods.

    Args:
        api: the API server.
        clock: the time of events, and of what they may cost.
        host: the reporting node, "" for none.
        on_drop: called for each event that is dropped.
        seconds: how long one `emit` may take.
    """

    def __init__(
        self,
        api: KubeApi,
        *,
        clock: Clock,
        host: str,
        on_drop: Drop,
        seconds: float = EMIT_SECONDS,
    ) -> None:
        self._api = api
        self._clock = clock
        self._host = host
        self._on_drop = on_drop
        self._seconds = seconds
        self._written: OrderedDict[Event, _Written] = OrderedDict()
        self._all = TokenBucket(clock, NODE_BURST, NODE_PER_SECOND)
        self._pods = Buckets(clock, POD_BURST, POD_PER_SECOND)
        self._namespaces = Buckets(clock, NAMESPACE_BURST, NAMESPACE_PER_SECOND)
        self._in_flight = asyncio.Semaphore(MOST_IN_FLIGHT)
        self._last_name = 0
        self._told: set[str] = set()

    async def emit(self, events: Sequence[Event]) -> None:
        """Write events; those of one pod one after the other. Never raises."""
        by_pod: dict[tuple[str, str], list[Event]] = {}
        for event in events:
            by_pod.setdefault((event.namespace, event.pod), []).append(event)
        left = len(events)

        async def write(of_pod: Sequence[Event]) -> None:
            nonlocal left
            for event in of_pod:
                async with self._in_flight:
                    await self._emit_one(event)
                left -= 1

        try:
            async with asyncio.timeout(self._seconds), asyncio.TaskGroup() as group:
                for of_pod in by_pod.values():
                    group.create_task(write(of_pod))
        except TimeoutError:
            for _ in range(left):
                self._drop("late", events[0], f"not written within {self._seconds:g} s")

    async def _emit_one(self, event: Event) -> None:
        if not self._may_write(event):
            self._drop("limit", event, "too many events")
            return
        try:
            await self._write(event)
        except NotFound as error:
            # The namespace is being deleted, or gone: no user will read it.
            _log.debug("event not taken", extra={**_facts(event), "cause": str(error)})
            self._on_drop("refused")
        except Denied as error:
            self._drop("denied", event, str(error))
        except Unavailable as error:
            self._drop("unavailable", event, str(error))
        except PlanesError as error:
            self._drop("invalid", event, str(error))
        else:
            self._told -= _PASSING

    def _may_write(self, event: Event) -> bool:
        # The node's own events are in namespace default, beside those of anybody's pods there.
        return (
            self._pods.take((event.kind, event.namespace, event.pod))
            and self._namespaces.take((event.kind, event.namespace))
            and self._all.take()
        )

    async def _write(self, event: Event) -> None:
        now = self._clock.now()
        written = self._written.pop(event, None)
        if written is not None and now - written.last < REPEAT_SECONDS:
            try:
                await self._count(event, written, now)
            except NotFound:  # events expire after an hour, and users may delete them
                written = None
        else:
            written = None
        if written is None:
            written = _Written(await self._create(event, now), 1, now)
        self._written[event] = written
        if len(self._written) > _MOST_REMEMBERED:
            self._written.popitem(last=False)

    async def _count(self, event: Event, written: _Written, now: float) -> None:
        patch: dict[str, Any] = {"count": written.count + 1, "lastTimestamp": rfc3339(now)}
        await self._api.patch(EVENTS, written.name, patch, namespace=event.namespace)
        written.count += 1
        written.last = now

    async def _create(self, event: Event, now: float) -> str:
        """Create an event's object and return its name; retry once where the name is taken."""
        try:
            return await self._create_as(self._name(event, now), event, now)
        except AlreadyExists:
            return await self._create_as(self._name(event, now), event, now)

    async def _create_as(self, name: str, event: Event, now: float) -> str:
        obj = to_object(event, name=name, now_rfc3339=rfc3339(now), host=self._host)
        await self._api.create(EVENTS, obj, namespace=event.namespace)
        return name

    def _name(self, event: Event, now: float) -> str:
        # Two events of one instant must not have one name.
        self._last_name = max(self._last_name + 1, int(now * 1e9))
        return event_name(event, self._last_name)

    def _drop(self, why: str, event: Event, cause: str) -> None:
        self._on_drop(why)
        if why not in self._told:
            self._told.add(why)
            _log.warning(
                "events are dropped, see the metric events_dropped",
                extra={**_facts(event), "cause": cause},
            )


def _facts(event: Event) -> dict[str, str]:
    return {
        "pod": f"{event.namespace}/{event.pod}",
        "uid": event.uid,
        "reason": event.reason,
    }
