"""The plane controller: its caches, one work queue, and a resync every few seconds.

Made anew for each term in which this replica leads: nothing is carried over from an earlier one.
Planes, NADs and namespaces come from the informers that the store has anyway. Blocks, Nodes and the
daemons' pods are watched here: admission needs the static blocks alone, and no annotation of pods.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from planes.kube.api import KubeApi, Query
from planes.kube.informers.cache import ObjectCache, ObjectKey
from planes.kube.informers.informer import Informers
from planes.kube.informers.reflector import Reflector
from planes.kube.resources import PODS
from planes.kube.store.namespaces import read_namespace
from planes.model.errors import JsonObject
from planes.model.names import NETPLANE_NAMESPACE
from planes.model.objects import Namespace
from planes.run.backoff import Randomness
from planes.run.clock import Clock
from planes.run.metrics import Metrics
from planes.store.protocol import Store
from webhook.controller.address_counts import AddressGauges, CountingAddresses
from webhook.controller.address_keepers import AddressKeepers
from webhook.controller.cluster_nets import ClusterReader
from webhook.controller.deletions import DeletionKeeper
from webhook.controller.events import PlaneEvents
from webhook.controller.holders import WaitSink
from webhook.controller.labels import LabelFaults
from webhook.controller.nads import NadKeeper
from webhook.controller.namespaces import JoinedLabelKeeper
from webhook.controller.objects import NadSeen, PlaneSeen, read_nad, read_plane
from webhook.controller.plane_health import DAEMON_PODS, NodeReports, read_health
from webhook.controller.queue import WorkQueue
from webhook.controller.standing_nads import StandingNads
from webhook.controller.statuses import COUNT_SECONDS, StatusKeeper

# Watches miss no change; a resync of NADs repairs what this program did wrong.
_RESYNC_ROUNDS: Final = 24


class Part(StrEnum):
    """What is reconciled of a plane or namespace."""

    NAD = "nad"
    STATUS = "status"
    JOINED_LABEL = "mark"
    DELETION = "deletion"


class Key(NamedTuple):
    """A key of the work queue, logged as `nad/business`."""

    part: Part
    name: str

    def __str__(self) -> str:
        return f"{self.part}/{self.name}"


class ControllerMetrics:
    """What an operator watches of the controller."""

    def __init__(self, metrics: Metrics) -> None:
        self.failures = metrics.counter("controller_failures", "Looks that ended in an error")
        self.waiting = metrics.gauge("controller_queue", "Objects that wait to be looked at")
        self.leaked = metrics.gauge(
            "addresses_leaked", "Static addresses whose pod is gone, but may still run on its node"
        )
        self.addresses = AddressGauges(metrics)
        released = metrics.counter("addresses_released", "What the leader released", ["what"])
        self._released = {
            what: released.labels(what) for what in ("block", "node-holder", "holder", "claim")
        }

    def released(self, what: str, count: int) -> None:
        """Count blocks and holders of nodes that left, and holders of pods that are gone."""
        self._released[what].inc(count)


@dataclass(frozen=True, slots=True)
class ControllerContext:
    """What the controller works with.

    Attributes:
        api: writes through it must fail while this replica does not lead.
        informers: of planes, NADs and namespaces; the store runs them.
        randomness: for delays.
    """

    api: KubeApi
    store: Store
    informers: Informers
    clock: Clock
    metrics: ControllerMetrics
    randomness: Randomness


class Controller:
    """Reconciles NADs, statuses and finalizers of planes, and labels of namespaces."""

    def __init__(self, context: ControllerContext) -> None:
        api, store, clock = context.api, context.store, context.clock
        randomness, failed = context.randomness, context.metrics.failures.inc
        self._context = context
        self._resync_due = asyncio.Event()
        self._queue: WorkQueue[Key] = WorkQueue(
            self._reconcile, clock, randomness=randomness, failed=failed
        )
        self._planes = ObjectCache(
            read_plane, on_object=self._plane_changed, on_listed=self._listed
        )
        self._nads = ObjectCache(read_nad, on_object=self._nad_changed, on_listed=self._listed)
        self._namespaces = ObjectCache(
            read_namespace, on_object=self._namespace_changed, on_listed=self._listed
        )
        self._events = events = PlaneEvents(api, clock)
        self._addresses = _address_keepers(context, self._listed, self._waits)
        reports = NodeReports(lambda plane: self._queue.add(Key(Part.STATUS, plane)))
        self._reports = ObjectCache(read_health, on_object=reports.changed, on_listed=self._listed)
        self._joined_labels = JoinedLabelKeeper(
            api,
            self._planes,
            self._namespaces,
            lambda name: self._queue.remind(Key(Part.JOINED_LABEL, name)),
        )
        self._cluster = ClusterReader(api, clock)
        self._statuses = StatusKeeper(
            api,
            store,
            clock,
            planes=self._planes,
            nads=self._nads,
            blocks=self._addresses.blocks,
            events=events,
            health=reports.of,
            is_seen=self._is_seen,
            joined=self._joined_labels.joined,
            counts=CountingAddresses(store, self._addresses.held.of, reports.use_of).of,
            show=self._show,
            cluster=lambda: self._cluster.nets,
        )
        self._label_faults = LabelFaults(api, clock)
        self._standing_nads = StandingNads(api, store, clock)
        self._reconcilers: Mapping[Part, Callable[[str], Awaitable[bool]]] = {
            Part.NAD: NadKeeper(api, self._planes, self._nads, events).reconcile,
            Part.STATUS: self._statuses.reconcile,
            Part.JOINED_LABEL: self._joined_labels.reconcile,
            Part.DELETION: DeletionKeeper(api, store, self._planes).reconcile,
        }

    async def run(self) -> None:
        """Work until cancelled."""
        informers, api, clock = self._context.informers, self._context.api, self._context.clock
        daemons = Query(PODS, NETPLANE_NAMESPACE, labels=DAEMON_PODS, is_metadata_only=True)
        async with self._context.metrics.addresses.of_a_term(), asyncio.TaskGroup() as group:
            for work in (
                informers.planes.follow(self._planes),
                informers.nads.follow(self._nads, NETPLANE_NAMESPACE),
                informers.namespaces.follow(self._namespaces),
                Reflector(api, daemons, self._reports, clock=clock).run(),
                self._queue.run(),
                self._tick(),
                self._cluster.run(),
                *self._addresses.works(),
            ):
                group.create_task(work)
            await self._resync()

    def _show(self, plane: str, status: JsonObject | None) -> None:
        self._context.metrics.addresses.show(plane, status)
        if status is None:
            self._addresses.held.forget(plane)

    def _is_seen(self) -> bool:
        return self._nads.is_synced and self._addresses.is_synced and self._reports.is_synced

    async def _resync(self) -> None:
        """Look at everything whenever planes have changed, and every few seconds for the counts."""
        rounds = 0
        while True:
            await self._resync_due.wait()
            self._resync_due.clear()
            self._context.metrics.waiting.set(len(self._queue))
            self._context.metrics.leaked.set(self._addresses.leaked)
            await self._joined_labels.resync()
            await self._label_faults.tell(self._joined_labels.faults.items())
            await self._standing_nads.resync()
            for key in self._planes:
                self._queue.remind(Key(Part.STATUS, key.name))
                self._queue.remind(Key(Part.DELETION, key.name))
            rounds = (rounds + 1) % _RESYNC_ROUNDS
            if not rounds:
                self._resync_nads()

    async def _tick(self) -> None:
        while True:
            await self._context.clock.sleep(COUNT_SECONDS)
            self._resync_due.set()

    def _listed(self) -> None:
        self._resync_nads()
        self._resync_due.set()

    def _resync_nads(self) -> None:
        for name in {key.name for key in (*self._planes, *self._nads)}:
            self._queue.remind(Key(Part.NAD, name))

    async def _waits(self, plane: str, text: str) -> None:
        if (seen := self._planes.get("", plane)) is not None:
            await self._events.tell(seen, "Warning", "AddressWaits", text)

    async def _reconcile(self, key: Key) -> bool:
        return await self._reconcilers[key.part](key.name)

    def _plane_changed(self, key: ObjectKey, old: PlaneSeen | None, new: PlaneSeen | None) -> None:
        self._queue.add(Key(Part.STATUS, key.name))
        self._queue.add(Key(Part.DELETION, key.name))
        if (
            old
            and new
            and (old.plane, old.faults, old.without_effect)
            == (new.plane, new.faults, new.without_effect)
        ):
            return  # its status, which we wrote ourselves
        self._queue.add(Key(Part.NAD, key.name))
        self._joined_labels.forget_planes()
        self._statuses.forget_planes()
        self._resync_due.set()

    def _nad_changed(self, key: ObjectKey, _old: NadSeen | None, _new: NadSeen | None) -> None:
        self._queue.add(Key(Part.NAD, key.name))
        self._queue.add(Key(Part.STATUS, key.name))

    def _namespace_changed(
        self, key: ObjectKey, _old: Namespace | None, _new: Namespace | None
    ) -> None:
        self._queue.add(Key(Part.JOINED_LABEL, key.name))


def _address_keepers(
    context: ControllerContext, listed: Callable[[], None], waits: WaitSink
) -> AddressKeepers:
    return AddressKeepers(
        context.api,
        context.store,
        context.clock,
        randomness=context.randomness,
        failed=context.metrics.failures.inc,
        released=context.metrics.released,
        listed=listed,
        waits=waits,
    )


def _spec_of(seen: PlaneSeen) -> tuple[object, ...]:
    return seen.plane, seen.faults, seen.without_effect
