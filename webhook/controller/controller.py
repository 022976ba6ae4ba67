"""The plane controller: watches, one queue, and a look at everything from time to time.

Made anew each time this replica comes to lead: nothing is carried over from an earlier reign.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from planes.kube.api import KubeApi, Query
from planes.kube.resources import IPBLOCKS, NADS, NAMESPACES, PLANES
from planes.kube.watching import Watching
from planes.model.names import NETPLANE_NAMESPACE
from planes.model.objects import Namespace
from planes.run.clock import Clock
from planes.run.metrics import Metrics
from planes.store.protocol import Store
from webhook.controller.blocks import Blocks
from webhook.controller.books import (
    Book,
    NadSeen,
    PlaneSeen,
    read_nad,
    read_namespace,
    read_plane,
)
from webhook.controller.events import PlaneEvents
from webhook.controller.holders import HolderKeeper
from webhook.controller.nads import NadKeeper
from webhook.controller.namespaces import MarkKeeper
from webhook.controller.queue import WorkQueue
from webhook.controller.standing_nads import StandingNads
from webhook.controller.statuses import COUNT_SECONDS, StatusKeeper

# Watches tell of every change; this catches what we did wrong, not what they missed.
_RESYNC_ROUNDS: Final = 24


class Concern(StrEnum):
    """What of an object is to be looked at."""

    NAD = "nad"
    STATUS = "status"
    MARK = "mark"


Key = tuple[Concern, str]


class ControllerMetrics:
    """What an operator watches of the controller."""

    def __init__(self, metrics: Metrics) -> None:
        self.failures = metrics.counter("controller_failures", "Looks that ended in an error")
        self.waiting = metrics.gauge("controller_queue", "Objects that wait to be looked at")


@dataclass(frozen=True, slots=True)
class Hands:
    """What the controller works with.

    Attributes:
        api: writes through it must fail when this replica does not lead.
        chance: gives a number from 0 to 1, for delays.
    """

    api: KubeApi
    store: Store
    clock: Clock
    metrics: ControllerMetrics
    chance: Callable[[], float]


class Controller:
    """Keeps NADs, statuses and marks right while it runs."""

    def __init__(self, hands: Hands) -> None:
        api, clock, metrics = hands.api, hands.clock, hands.metrics
        self._clock = clock
        self._metrics = metrics
        self._changed = asyncio.Event()
        self._queue: WorkQueue[Key] = WorkQueue(
            self._look, clock, chance=hands.chance, failed=metrics.failures.inc
        )
        self._planes = Book(read_plane, self._plane_changed, self._listed)
        self._nads = Book(read_nad, self._nad_changed, self._listed)
        self._namespaces = Book(read_namespace, self._namespace_changed, self._listed)
        self._holders = HolderKeeper(api, clock, chance=hands.chance, failed=metrics.failures.inc)
        held = Blocks(self._holders.wanted)
        self._blocks = Book(held.read, held.changed, self._listed)
        events = PlaneEvents(api, clock)
        self._marks = MarkKeeper(
            api,
            self._planes,
            self._namespaces,
            lambda name: self._queue.remind((Concern.MARK, name)),
        )
        self._statuses = StatusKeeper(
            api,
            hands.store,
            clock,
            planes=self._planes,
            nads=self._nads,
            blocks=held,
            events=events,
            is_seen=lambda: self._nads.is_synced and self._blocks.is_synced,
            joined=self._marks.joined,
        )
        self._standing_nads = StandingNads(api, hands.store, clock)
        keeper = NadKeeper(api, self._planes, self._nads, events)
        self._looks: Mapping[Concern, Callable[[str], Awaitable[bool]]] = {
            Concern.NAD: keeper.look,
            Concern.STATUS: self._statuses.look,
            Concern.MARK: self._marks.look,
        }
        self._watchings = [
            Watching(api, query, follower, clock=clock)
            for query, follower in (
                (Query(PLANES), self._planes),
                (Query(NADS, namespace=NETPLANE_NAMESPACE), self._nads),
                (Query(NAMESPACES, is_metadata_only=True), self._namespaces),
                (Query(IPBLOCKS), self._blocks),
            )
        ]

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            for watching in self._watchings:
                group.create_task(watching.run())
            group.create_task(self._queue.run())
            group.create_task(self._holders.run())
            group.create_task(self._tick())
            await self._survey()

    async def _survey(self) -> None:
        """Look at all there is, whenever something changed, and every few seconds at the counts."""
        rounds = 0
        while True:
            await self._changed.wait()
            self._changed.clear()
            self._metrics.waiting.set(len(self._queue))
            await self._marks.survey()
            await self._standing_nads.survey()
            for name in self._planes:
                self._queue.remind((Concern.STATUS, name))
            rounds = (rounds + 1) % _RESYNC_ROUNDS
            if not rounds:
                self._look_at_nads()

    async def _tick(self) -> None:
        while True:
            await self._clock.sleep(COUNT_SECONDS)
            self._changed.set()

    def _listed(self) -> None:
        self._look_at_nads()
        self._changed.set()

    def _look_at_nads(self) -> None:
        for name in {*self._planes, *self._nads}:
            self._queue.remind((Concern.NAD, name))

    async def _look(self, key: Key) -> bool:
        concern, name = key
        return await self._looks[concern](name)

    def _plane_changed(self, name: str, old: PlaneSeen | None, new: PlaneSeen | None) -> None:
        self._queue.add((Concern.STATUS, name))
        if old and new and (old.plane, old.faults) == (new.plane, new.faults):
            return  # its status, which we wrote ourselves
        self._queue.add((Concern.NAD, name))
        self._marks.forget_planes()
        self._statuses.forget_planes()
        self._changed.set()

    def _nad_changed(self, name: str, _old: NadSeen | None, _new: NadSeen | None) -> None:
        self._queue.add((Concern.NAD, name))
        self._queue.add((Concern.STATUS, name))

    def _namespace_changed(self, name: str, _old: Namespace | None, _new: Namespace | None) -> None:
        self._queue.add((Concern.MARK, name))
