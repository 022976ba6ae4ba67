"""The store of a cluster: watched planes, NADs, namespaces and pods; status and events by the API.

Invariant: reads are references into what the watches told last and never ask the API server;
`is_synced` is true only after every watched kind was listed once. Where the API server is away,
what was last seen stays in force, and `heard_seconds` says how old that may be.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from planes.kube.api import KubeApi, Query
from planes.kube.event_writer import EventWriter
from planes.kube.follower import Follower
from planes.kube.ipblocks import STATIC
from planes.kube.known import Known
from planes.kube.live_catalog import LiveCatalog
from planes.kube.namespaces import read_namespace
from planes.kube.owners import LiveOwners
from planes.kube.pod_views import POD_FIELDS, ClaimingPods, ClaimSink, NodePods, PodView
from planes.kube.rereading import Rereading
from planes.kube.resources import IPBLOCKS, NADS, NAMESPACES, PLANES, PODS
from planes.kube.static_holders import StaticHolders
from planes.kube.status_writer import StatusWriter
from planes.kube.watch_metrics import WatchMetrics
from planes.kube.watching import Watching
from planes.model.errors import Internal, NotFound
from planes.model.events import Event
from planes.model.objects import CONFIG_MIRROR_ANNOTATION, NadRef, Namespace, Pod
from planes.model.spec.nad_policy import NadPolicy
from planes.model.state.catalog import Catalog
from planes.run.clock import Clock
from planes.run.metrics import Metrics
from planes.store.protocol import AddressBook, Problem

_log = logging.getLogger(__name__)


class KubeStore:
    """A `Store` over an API server. Make one with `for_node` or `for_admission`.

    Args:
        api: the API server.
        clock: paces watches, dates events.
        pods: makes the view of pods, given who is to be told of claims.
        pod_fields: which pods are watched, a field selector.
        at_least: of which moment lists may be, see `Query`.
        addresses: hands out plane addresses; None in a process that hands out none: of such it
            is watched who has which static address.
        node: named in events, "" for none.
        namespace_isolation: Multus' option: a NAD serves its own namespace only.
        global_namespaces: namespaces whose NADs serve everybody under isolation.
        nad_policy: what NADs of tenants may be.
    """

    checks_owners = True

    def __init__(
        self,
        api: KubeApi,
        *,
        clock: Clock,
        pods: Callable[[ClaimSink], PodView],
        pod_fields: str = POD_FIELDS,
        at_least: str = "",
        addresses: AddressBook | None = None,
        node: str = "",
        namespace_isolation: bool = False,
        global_namespaces: Iterable[str] = ("default",),
        nad_policy: NadPolicy | None = None,
    ) -> None:
        self._api = api
        self._addresses = addresses
        self._namespaces: Known[Namespace] = Known(read_namespace)
        self._live = LiveCatalog(
            namespace_of=self.namespace,
            namespace_isolation=namespace_isolation,
            global_namespaces=global_namespaces,
            nad_policy=nad_policy,
            on_objects=self._tell_problems,
        )
        self._pods = pods(self._live.claim)
        self._clock = clock
        self._pod_fields = pod_fields
        self._at_least = at_least
        self._watchings = self._watched(None)
        self._statuses = StatusWriter(api, self._pods)
        self.owner_doubt = LiveOwners(api, clock, lambda: self.catalog.planes).doubt
        self._events = EventWriter(api, clock=clock, host=node, on_drop=self._on_drop)
        self._count_drop: Callable[[str], None] = lambda _: None
        self._told: frozenset[Problem] = frozenset()
        self._is_synced = False

    @classmethod
    def for_node(
        cls,
        api: KubeApi,
        node: str,
        *,
        clock: Clock,
        addresses: AddressBook,
        namespace_isolation: bool = False,
        global_namespaces: Iterable[str] = ("default",),
        nad_policy: NadPolicy | None = None,
    ) -> KubeStore:
        """Make a node's store: it knows the node's own pods."""
        return cls(
            api,
            clock=clock,
            pods=lambda on_claims: NodePods(node, on_claims),
            pod_fields=f"spec.nodeName={node},{POD_FIELDS}",
            at_least="0",  # thousands of nodes may start at once, and a watch follows
            addresses=addresses,
            node=node,
            namespace_isolation=namespace_isolation,
            global_namespaces=global_namespaces,
            nad_policy=nad_policy,
        )

    @classmethod
    def for_admission(
        cls,
        api: KubeApi,
        *,
        clock: Clock,
        namespace_isolation: bool = False,
        global_namespaces: Iterable[str] = ("default",),
        nad_policy: NadPolicy | None = None,
    ) -> KubeStore:
        """Make the store that admission decides by: of all pods it knows what they claim."""
        return cls(
            api,
            clock=clock,
            pods=ClaimingPods,
            namespace_isolation=namespace_isolation,
            global_namespaces=global_namespaces,
            nad_policy=nad_policy,
        )

    @property
    def catalog(self) -> Catalog:
        """The current snapshot."""
        return self._live.catalog

    @property
    def addresses(self) -> AddressBook:
        """The plane addresses.

        Raises:
            Internal: this process hands out none.
        """
        if self._addresses is None:
            raise Internal("cannot hand out plane addresses: that is for the nodes to do")
        return self._addresses

    @property
    def is_synced(self) -> bool:
        """True once every watched kind was listed."""
        if not self._is_synced:
            is_listed = all(watching.is_synced for watching in self._needed())
            self._is_synced = is_listed and self._live.is_settled
        return self._is_synced

    def unread(self) -> tuple[str, ...]:
        """Name the kinds that have not been listed yet, each with what is in the way."""
        return tuple(
            f"{watching.name} ({watching.trouble})" if watching.trouble else watching.name
            for watching in self._needed()
            if not watching.is_synced
        )

    def heard_seconds(self) -> float:
        """How long ago the watch that is worst off last heard of the API server."""
        return max(watching.silent_seconds for watching in self._needed())

    def namespace(self, name: str) -> Namespace | None:
        """A namespace as last seen."""
        return self._namespaces.get("", name)

    def namespaces(self) -> Iterator[Namespace]:
        """All namespaces as last seen."""
        return self._namespaces.values()

    def pod(self, namespace: str, name: str) -> Pod | None:
        """A pod as last seen; None for admission, which keeps none."""
        seen = self._pods.seen(namespace, name)
        return None if seen is None else seen.pod

    def pods_naming(self, ref: NadRef) -> tuple[str, ...]:
        """Pods of a NAD's namespace that ask for it; known to admission alone."""
        return self._pods.naming(ref)

    async def fetch_pod(self, namespace: str, name: str) -> Pod | None:
        """A pod as it is now: one GET.

        Raises:
            PlanesError: the API server does not say.
        """
        try:
            return Pod.from_object(await self._api.get(PODS, name, namespace=namespace))
        except NotFound:
            return None

    async def put_status(self, pod: Pod, status: str) -> None:
        """Publish a pod's network-status: one PATCH; a pod that is gone is tolerated.

        Raises:
            PlanesError: it could not be written.
        """
        await self._statuses.put(pod, status)

    async def drop_status(self, namespace: str, name: str) -> None:
        """Withdraw the network-status of a pod that lives on; with a dying pod it goes by itself.

        Raises:
            PlanesError: it could not be written.
        """
        await self._statuses.withdraw(namespace, name)

    async def emit(self, *events: Event) -> None:
        """Publish events; what cannot be written is counted, and logged once."""
        await self._events.emit([self._as_described(event) for event in events])

    def problems(self) -> tuple[Problem, ...]:
        """What is doubtful or cannot be read, and why; of the latter the last good state holds."""
        namespaces = self._namespaces.faults().items()
        found = [Problem(f"Namespace/{name}", fault) for name, fault in namespaces]
        return (*found, *self._live.problems())

    def measure(self, metrics: Metrics) -> None:
        """Show on a process's metrics how fresh and how large this is; once, before `run`."""
        self._watchings = self._watched(WatchMetrics(metrics))
        dropped = metrics.counter("events_dropped", "Events not written, by reason", ("reason",))
        self._count_drop = lambda reason: dropped.labels(reason).inc()
        problems = metrics.gauge("problems", "Planes and NADs that are at fault or doubtful")
        problems.set_function(lambda: len(self._told))
        pods = metrics.gauge("kept_pods", "Pods of which something is kept in memory")
        pods.set_function(lambda: len(self._pods))

    async def run(self) -> None:
        """Watch until cancelled."""
        async with asyncio.TaskGroup() as group:
            for watching in self._watchings:
                group.create_task(watching.run(), name=f"watch {watching.name}")
            rereading = Rereading(self._api, self._live.nads, self._clock)
            group.create_task(rereading.run(), name="read NADs again")

    def _needed(self) -> Iterator[Watching]:
        """Give the watches without which nothing can be judged: blocks only tell it early."""
        return (each for each in self._watchings if each.name != IPBLOCKS.plural)

    def _watched(self, metrics: WatchMetrics | None) -> tuple[Watching, ...]:
        pods = Query(PODS, fields=self._pod_fields, is_metadata_only=True)
        followed: tuple[tuple[Query, Follower], ...] = (
            (Query(PLANES), self._live.planes),
            (Query(NADS), self._live.nads),
            (Query(NAMESPACES, is_metadata_only=True), self._namespaces),
            (pods, self._pods),
        )
        if self._addresses is None:
            blocks = Query(IPBLOCKS, fields=f"spec.use={STATIC}")
            followed = (*followed, (blocks, StaticHolders(self._live.hold)))
        return tuple(
            Watching(
                self._api,
                replace(query, at_least=self._at_least),
                follower,
                clock=self._clock,
                metrics=metrics,
            )
            for query, follower in followed
        )

    def _as_described(self, event: Event) -> Event:
        """Name a mirror pod by its kubelet's UID: that is where `kubectl describe` looks."""
        seen = self._pods.seen(event.namespace, event.pod)
        if seen is None or seen.pod.uid != event.uid:
            return event
        return replace(event, uid=seen.pod.annotations.get(CONFIG_MIRROR_ANNOTATION, event.uid))

    def _on_drop(self, reason: str) -> None:
        self._count_drop(reason)

    def _tell_problems(self) -> None:
        problems = self.problems()
        for problem in problems:
            if problem not in self._told:
                facts = {"where": problem.where, "reason": problem.reason}
                _log.warning("object at fault", extra=facts)
        for problem in self._told - frozenset(problems):
            _log.info("object mended", extra={"where": problem.where})
        self._told = frozenset(problems)
