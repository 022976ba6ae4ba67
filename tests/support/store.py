"""A store in memory: what a test puts in is what the code under test sees.

Implements `planes.store.protocol.Store`. Writes are kept for the test to look at; setting
`status_error` makes the next writes of a status fail.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace

from planes.model.errors import PlanesError
from planes.model.events import Event
from planes.model.names import STATUS_ANNOTATION
from planes.model.objects import Nad, NadRef, Namespace, Pod
from planes.model.spec.nad_policy import NadPolicy
from planes.model.spec.plane_spec import Plane
from planes.model.state.catalog import Catalog
from planes.model.state.claimed_devices import ClaimedDevice
from planes.model.state.claims import claims_of
from planes.store.protocol import Problem
from tests.support.address_book import FakeAddressBook
from tests.support.model import claim_index


class FakeStore:
    """Planes, NADs, namespaces and pods in memory; implements `Store`.

    Attributes:
        statuses: (namespace, pod) to the network-status text put last.
        dropped: (namespace, pod) of every `drop_status`, in order.
        events: every event, in order.
        fetched: (namespace, pod) of every live read, in order.
        late_pods: seen by `fetch_pod` alone, as when the watch lags.
        status_error: raised by `put_status` and `drop_status` while it is set.
        checks_owners: whether tenants write pods, as on a cluster.
        doubts: what `owner_doubt` says of a pod, by `namespace/name`; an error is raised.
        claimed: (namespace, pod) to the devices of its resource claims.
        claims_read: (namespace, pod, UID) of every `claimed_devices`, in order.
    """

    def __init__(
        self,
        *,
        planes: Iterable[Plane] = (),
        nads: Iterable[Nad] = (),
        namespaces: Iterable[Namespace] = (),
        pods: Iterable[Pod] = (),
        is_synced: bool = True,
        nad_policy: NadPolicy | None = None,
    ) -> None:
        self._planes = {plane.name: plane for plane in planes}
        self._nads = {nad.ref: nad for nad in nads}
        self._namespaces = {namespace.name: namespace for namespace in namespaces}
        self._pods = {(pod.namespace, pod.name): pod for pod in pods}
        self._is_synced = is_synced
        self._nad_policy = nad_policy
        self._addresses = FakeAddressBook()
        self.statuses: dict[tuple[str, str], str] = {}
        self.dropped: list[tuple[str, str]] = []
        self.events: list[Event] = []
        self.fetched: list[tuple[str, str]] = []
        self.late_pods: dict[tuple[str, str], Pod] = {}
        self.status_error: PlanesError | None = None
        self.faults: tuple[Problem, ...] = ()
        self.checks_owners = False
        self.doubts: dict[str, str | PlanesError] = {}
        self.claimed: dict[tuple[str, str], tuple[ClaimedDevice, ...]] = {}
        self.claims_read: list[tuple[str, str, str]] = []
        self._catalog = self._build()

    def guard_nads(self, policy: NadPolicy) -> None:
        """Start anew with another policy for NADs of tenants."""
        self._nad_policy = policy
        self._catalog = self._build()

    @property
    def catalog(self) -> Catalog:
        """The current snapshot."""
        return self._catalog

    @property
    def addresses(self) -> FakeAddressBook:
        """The plane addresses."""
        return self._addresses

    @property
    def is_synced(self) -> bool:
        """As the test says."""
        return self._is_synced

    @is_synced.setter
    def is_synced(self, value: bool) -> None:
        self._is_synced = value

    def namespace(self, name: str) -> Namespace | None:
        """Return a namespace as put in."""
        return self._namespaces.get(name)

    def pod(self, namespace: str, name: str) -> Pod | None:
        """Return a pod as put in."""
        return self._pods.get((namespace, name))

    def pods(self) -> tuple[Pod, ...]:
        """Return all pods as put in."""
        return tuple(self._pods.values())

    def pods_naming(self, ref: NadRef) -> tuple[str, ...]:
        """Pods of the NAD's namespace that ask for it."""
        return tuple(
            name
            for (namespace, name), pod in self._pods.items()
            if namespace == ref.namespace and ref in claims_of(pod).networks
        )

    async def fetch_pod(self, namespace: str, name: str) -> Pod | None:
        """Return a pod as put in, those in `late_pods` too."""
        self.fetched.append((namespace, name))
        key = (namespace, name)
        return self.late_pods.get(key) or self._pods.get(key)

    async def claimed_devices(
        self, namespace: str, name: str, uid: str
    ) -> tuple[ClaimedDevice, ...]:
        """Return what the test set for the pod, and keep that it was asked."""
        self.claims_read.append((namespace, name, uid))
        return self.claimed.get((namespace, name), ())

    async def owner_doubt(self, pod: Pod) -> str:
        """Return what the test says of a pod's owner."""
        doubt = self.doubts.get(pod.key, "")
        if isinstance(doubt, PlanesError):
            raise doubt
        return doubt

    async def put_status(self, pod: Pod, status: str) -> None:
        """Keep a network-status, and show it on the pod."""
        if self.status_error is not None:
            raise self.status_error
        key = (pod.namespace, pod.name)
        self.statuses[key] = status
        if key in self._pods:
            known = self._pods[key]
            annotations = {**known.annotations, STATUS_ANNOTATION: status}
            self.put_pod(replace(known, annotations=annotations))

    async def drop_status(self, namespace: str, name: str) -> None:
        """Forget a network-status."""
        if self.status_error is not None:
            raise self.status_error
        self.dropped.append((namespace, name))
        self.statuses.pop((namespace, name), None)

    async def emit(self, *events: Event) -> None:
        """Keep events."""
        self.events += events

    def problems(self) -> tuple[Problem, ...]:
        """Return what the test put into `faults`."""
        return self.faults

    async def run(self) -> None:
        """Do nothing until cancelled."""
        await asyncio.Event().wait()

    def put_plane(self, plane: Plane) -> None:
        """Add a plane or put another in its place."""
        self._planes[plane.name] = plane
        self._catalog = self._build()

    def put_nad(self, nad: Nad) -> None:
        """Add a NAD or put another in its place."""
        self._nads[nad.ref] = nad
        self._catalog = self._build()

    def remove_nad(self, nad: Nad) -> None:
        """Remove a NAD."""
        self._nads.pop(nad.ref, None)
        self._catalog = self._build()

    def put_namespace(self, namespace: Namespace) -> None:
        """Add a namespace or put another in its place."""
        self._namespaces[namespace.name] = namespace

    def put_pod(self, pod: Pod) -> None:
        """Add a pod or put another in its place."""
        self._pods[pod.namespace, pod.name] = pod
        self._catalog = self._catalog.with_claims(
            self._catalog.claims.with_pod(pod, is_believed=True)
        )

    def remove_pod(self, namespace: str, name: str) -> None:
        """Remove a pod."""
        self._pods.pop((namespace, name), None)
        claims = self._catalog.claims.changed({f"{namespace}/{name}": None})
        self._catalog = self._catalog.with_claims(claims)

    def _build(self) -> Catalog:
        claims = claim_index(self._pods.values(), is_believed=True)
        return Catalog.build(
            self._planes.values(),
            self._nads.values(),
            claims,
            namespace_of=self._namespaces.get,
            nad_policy=self._nad_policy,
        )
