"""A store in memory: what a test puts in is what the code under test sees.

Implements `planes.store.protocol.Store`. Writes are kept for the test to look at; setting
`status_error` makes the next writes of a status fail.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from planes.model.addresses import IPAddress
from planes.model.errors import BadInput, Conflict, Exhausted, PlanesError
from planes.model.events import Event
from planes.model.names import STATUS_ANNOTATION
from planes.model.objects import Nad, NadRef, Namespace, Pod
from planes.model.spec.nad_policy import NadPolicy
from planes.model.spec.plane_spec import Plane
from planes.model.state.catalog import Catalog
from planes.model.state.claim_index import ClaimIndex
from planes.model.state.claims import claims_of
from planes.model.wire.result import Address
from planes.store.protocol import AddressOwner, Held, Problem


class FakeAddressBook:
    """Addresses in memory, first free one first; implements `AddressBook`.

    Attributes:
        held: plane name to addresses to owners.
        error: raised by the next calls of `claim` while it is set.
    """

    def __init__(self) -> None:
        self.held: dict[str, dict[IPAddress, AddressOwner]] = {}
        self.error: PlanesError | None = None

    async def claim(
        self,
        plane: Plane,
        owner: AddressOwner,
        *,
        wanted: Sequence[IPAddress] = (),
        candidates: Sequence[IPAddress] = (),
    ) -> tuple[Address, ...]:
        """Take addresses as the protocol says."""
        if self.error is not None:
            raise self.error
        held = self.held.setdefault(plane.name, {})
        mine = [ip for ip, who in held.items() if _identity(who) == _identity(owner)]
        chosen = list(wanted) or mine
        for address in wanted:
            holder = held.get(address)
            if holder is not None and _identity(holder) != _identity(owner):
                raise Conflict(f"cannot take {address}: held by {holder.namespace}/{holder.pod}")
        for version in sorted(plane.families) if not chosen else ():
            pool = [ip for ip in candidates if ip.version == version] or (
                ip
                for subnet in plane.subnets
                if subnet.version == version
                for span in subnet.dynamic
                for ip in span
            )
            free = next((ip for ip in pool if ip not in held), None)
            if free is None:
                raise Exhausted(f"cannot take an address in plane {plane.name}: all are taken")
            chosen.append(free)
        held.update(dict.fromkeys(chosen, owner))
        return tuple(_with_subnet(plane, address) for address in chosen)

    async def release(self, plane: str, container_id: str, interface: str) -> None:
        """Give back what an attachment holds."""
        held = self.held.get(plane, {})
        for address, owner in list(held.items()):
            if _identity(owner) == (container_id, interface):
                del held[address]

    async def holders(self, plane: str) -> Mapping[IPAddress, AddressOwner]:
        """Who holds what."""
        return dict(self.held.get(plane, {}))

    async def held_by_others(self, known: Collection[tuple[str, str]]) -> tuple[Held, ...]:
        """Give what others hold than these attachments."""
        found: dict[tuple[str, AddressOwner], list[IPAddress]] = {}
        for plane, held in self.held.items():
            for address, owner in held.items():
                if _identity(owner) not in known:
                    found.setdefault((plane, owner), []).append(address)
        return tuple(Held(p, who, tuple(ips), repr(who)) for (p, who), ips in found.items())

    async def give_back(self, held: Held) -> None:
        """Give back what a record holds."""
        for address in held.addresses:
            self.held[held.plane].pop(address, None)


def _identity(owner: AddressOwner) -> tuple[str, str]:
    return owner.container_id, owner.interface


def _with_subnet(plane: Plane, address: IPAddress) -> Address:
    subnet = plane.subnet_of(address)
    if subnet is None:
        raise BadInput(f"cannot take {address}: it is outside plane {plane.name}")
    gateway = "" if subnet.gateway is None else str(subnet.gateway)
    return Address(f"{address}/{subnet.cidr.prefixlen}", gateway)


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
        """A namespace as put in."""
        return self._namespaces.get(name)

    def pod(self, namespace: str, name: str) -> Pod | None:
        """A pod as put in."""
        return self._pods.get((namespace, name))

    def pods_naming(self, ref: NadRef) -> tuple[str, ...]:
        """Pods of the NAD's namespace that ask for it."""
        return tuple(
            name
            for (namespace, name), pod in self._pods.items()
            if namespace == ref.namespace and ref in claims_of(pod).networks
        )

    async def fetch_pod(self, namespace: str, name: str) -> Pod | None:
        """A pod as put in, those in `late_pods` too."""
        self.fetched.append((namespace, name))
        key = (namespace, name)
        return self.late_pods.get(key) or self._pods.get(key)

    async def owner_doubt(self, pod: Pod) -> str:
        """Say of a pod's owner what the test says."""
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
        """What the test put into `faults`."""
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
        claims = self._catalog.claims.without_pod(f"{namespace}/{name}")
        self._catalog = self._catalog.with_claims(claims)

    def _build(self) -> Catalog:
        claims = ClaimIndex.of(self._pods.values(), is_believed=True)
        return Catalog.build(
            self._planes.values(),
            self._nads.values(),
            claims,
            namespace_of=self._namespaces.get,
            nad_policy=self._nad_policy,
        )
