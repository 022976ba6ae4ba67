"""The store of a cluster: watched planes, NADs, namespaces and pods; status and events written.

Invariant: reads are references into what was last seen and never ask the API server; `is_synced` is
true only after every watched kind was listed once. Where the API server is away, what was last seen
stays in force, and `heard_seconds` tells how old that may be.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from planes.kube.addresses.ipblocks import STATIC
from planes.kube.addresses.static_holders import StaticHolders
from planes.kube.api import KubeApi, Query
from planes.kube.informers.cache import ObjectCache
from planes.kube.informers.handler import EventHandler
from planes.kube.informers.informer import Informer, Informers
from planes.kube.informers.metrics import WatchMetrics
from planes.kube.informers.reflector import Reflector
from planes.kube.resources import IPBLOCKS, NADS, NAMESPACES, PLANES, PODS
from planes.kube.store.device_claims import DeviceClaims
from planes.kube.store.event_writer import EventWriter
from planes.kube.store.live_catalog import LiveCatalog
from planes.kube.store.missing_nads import MissingNads
from planes.kube.store.namespaces import read_namespace
from planes.kube.store.owners import LiveOwners
from planes.kube.store.pod_views import POD_FIELDS, ClaimingPods, ClaimSink, NodePods, PodView
from planes.kube.store.problems import Problems
from planes.kube.store.status_writer import StatusWriter
from planes.model.errors import Internal, NotFound
from planes.model.events import Event
from planes.model.objects import CONFIG_MIRROR_ANNOTATION, NadRef, Namespace, Pod
from planes.model.spec.nad_policy import NadPolicy
from planes.model.state.catalog import Catalog
from planes.run.clock import Clock
from planes.run.metrics import Metrics
from planes.store.protocol import AddressBook, Problem


class KubeStore:
    """A `Store` over an API server. Make one with `for_node` or `for_admission`.

    Attributes:
        informers: planes, NADs and namespaces, for handlers beside this store's own.

    Args:
        api: the API server.
        clock: paces watches, dates events.
        metrics: shows how fresh and how large this is.
        pods: makes the view of pods, given what is to be called with their claims.
        pod_fields: which pods are watched, a field selector.
        at_least: of which moment lists may be, see `Query`.
        addresses: hands out plane addresses; None in a process that hands out none: such a process
            watches which pod has which static address.
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
        metrics: Metrics | None = None,
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
        self._namespaces: ObjectCache[Namespace] = ObjectCache(read_namespace)
        self._live = LiveCatalog(
            namespace_of=self.namespace,
            namespace_isolation=namespace_isolation,
            global_namespaces=global_namespaces,
            nad_policy=nad_policy,
            on_objects=self._tell_problems,
        )
        self._pods = pods(self._live.claim)
        self._clock = clock
        self._at_least = at_least
        metrics = metrics or Metrics()
        self._watch_metrics = WatchMetrics(metrics)
        self.informers = Informers(
            planes=self._informer(Query(PLANES), self._live.planes),
            nads=self._informer(Query(NADS), self._live.nads),
            namespaces=self._informer(Query(NAMESPACES, is_metadata_only=True), self._namespaces),
        )
        self._reflectors = self._reflectors_with(pod_fields)
        self._statuses = StatusWriter(api, self._pods)
        self.owner_doubt = LiveOwners(api, clock, lambda: self.catalog.planes).doubt
        self.claimed_devices = DeviceClaims(api, node).devices
        dropped = metrics.counter("events_dropped", "Events not written, by reason", ("reason",))
        self._events = EventWriter(
            api, clock=clock, host=node, on_drop=lambda reason: dropped.labels(reason).inc()
        )
        self._problems = Problems(metrics)
        kept = metrics.gauge("kept_pods", "Pods of which something is kept in memory")
        kept.set_function(lambda: len(self._pods))
        self._is_synced = False

    @classmethod
    def for_node(
        cls,
        api: KubeApi,
        node: str,
        *,
        clock: Clock,
        metrics: Metrics | None = None,
        addresses: AddressBook,
        namespace_isolation: bool = False,
        global_namespaces: Iterable[str] = ("default",),
        nad_policy: NadPolicy | None = None,
    ) -> KubeStore:
        """Return a store for a node: it keeps the node's own pods."""
        return cls(
            api,
            clock=clock,
            metrics=metrics,
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
        metrics: Metrics | None = None,
        namespace_isolation: bool = False,
        global_namespaces: Iterable[str] = ("default",),
        nad_policy: NadPolicy | None = None,
    ) -> KubeStore:
        """Return a store for admission: it keeps the claims of all pods."""
        return cls(
            api,
            clock=clock,
            metrics=metrics,
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
            is_listed = all(reflector.is_synced for reflector in self._needed)
            self._is_synced = is_listed and self._live.is_settled
        return self._is_synced

    def unread(self) -> tuple[str, ...]:
        """Name the kinds that have not been listed yet, each with its last error."""
        return tuple(
            f"{reflector.name} ({reflector.trouble})" if reflector.trouble else reflector.name
            for reflector in self._needed
            if not reflector.is_synced
        )

    def heard_seconds(self) -> float:
        """Return for how long the most silent of the watches was sent nothing."""
        return max(reflector.silent_seconds for reflector in self._needed)

    def namespace(self, name: str) -> Namespace | None:
        """Return a namespace as last seen."""
        return self._namespaces.get("", name)

    def pod(self, namespace: str, name: str) -> Pod | None:
        """Return a pod as last seen; None for admission, which keeps none."""
        seen = self._pods.seen(namespace, name)
        return None if seen is None else seen.pod

    def pods(self) -> tuple[Pod, ...]:
        """Return the pods of this node as last seen; none for admission, which keeps none."""
        return self._pods.pods()

    def pods_naming(self, ref: NadRef) -> tuple[str, ...]:
        """Name pods of a NAD's namespace that ask for it; known to admission alone."""
        return self._pods.naming(ref)

    async def fetch_pod(self, namespace: str, name: str) -> Pod | None:
        """Read a pod as it is now: one GET.

        Raises:
            PlanesError: the API server cannot be read.
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
        """Remove the network-status of a pod, unless the pod is being deleted.

        Raises:
            PlanesError: it could not be written.
        """
        await self._statuses.withdraw(namespace, name)

    async def emit(self, *events: Event) -> None:
        """Publish events; what cannot be written is counted, and logged once."""
        await self._events.emit([self._as_described(event) for event in events])

    def problems(self) -> tuple[Problem, ...]:
        """Return what is doubtful or cannot be read; of the latter the last good state counts."""
        namespaces = self._namespaces.faults().items()
        found = [Problem(f"Namespace/{name}", fault) for name, fault in namespaces]
        return (*found, *self._live.problems())

    async def run(self) -> None:
        """Watch until cancelled."""
        async with asyncio.TaskGroup() as group:
            for reflector in self._reflectors:
                group.create_task(reflector.run(), name=f"watch {reflector.name}")
            missing = MissingNads(self._api, self._live.nads, self._clock)
            group.create_task(missing.run(), name="read NADs again")

    @property
    def _needed(self) -> Iterator[Reflector]:
        """The watches without which nothing can be judged: blocks only tell it early."""
        return (each for each in self._reflectors if each.name != IPBLOCKS.plural)

    def _informer(self, query: Query, handler: EventHandler) -> Informer:
        query = replace(query, at_least=self._at_least)
        return Informer(self._api, query, handler, clock=self._clock, metrics=self._watch_metrics)

    def _reflectors_with(self, pod_fields: str) -> tuple[Reflector, ...]:
        """Return what watches: the informers', of pods and, without addresses, of blocks."""
        pods = Query(PODS, fields=pod_fields, is_metadata_only=True)
        shared = self.informers
        informers = [
            shared.planes,
            shared.nads,
            shared.namespaces,
            self._informer(pods, self._pods),
        ]
        if self._addresses is None:
            blocks = Query(IPBLOCKS, fields=f"spec.use={STATIC}")
            informers.append(self._informer(blocks, StaticHolders(self._live.hold)))
        return tuple(informer.reflector for informer in informers)

    def _as_described(self, event: Event) -> Event:
        """Name a mirror pod by its kubelet's UID: that is where `kubectl describe` looks."""
        seen = self._pods.seen(event.namespace, event.pod)
        if seen is None or seen.pod.uid != event.uid:
            return event
        return replace(event, uid=seen.pod.annotations.get(CONFIG_MIRROR_ANNOTATION, event.uid))

    def _tell_problems(self) -> None:
        self._problems.update(self.problems())
