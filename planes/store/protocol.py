"""The interface of the store: cluster state in, network-status, events and addresses out.

Reads return references into watched state: they never block and never raise. Writes are awaited.
`DirStore` (standalone) and the Kubernetes store implement it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from planes.model.addresses import IPAddress
from planes.model.events import Event
from planes.model.objects import NadRef, Namespace, Pod
from planes.model.spec.plane_spec import Plane
from planes.model.state.catalog import Catalog
from planes.model.state.claimed_devices import ClaimedDevice
from planes.model.wire.result import Address


@dataclass(frozen=True, slots=True)
class AddressOwner:
    """The holder of an address: one interface of one sandbox, and its pod.

    `(container_id, interface)` identifies it (CNI spec: an attachment); the rest is for messages.
    """

    container_id: str
    interface: str
    namespace: str = ""
    pod: str = ""
    uid: str = ""
    node: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """An object of the store that is ignored until it is corrected: `file:line`, and why."""

    where: str
    reason: str


@dataclass(frozen=True, slots=True)
class Held:
    """Addresses that one record of this machine holds for an attachment.

    Attributes:
        plane: of the addresses.
        owner: without names where the record cannot be read.
        addresses: held ones; none where they were still being chosen.
        record: identifies the record among those of the plane.
    """

    plane: str
    owner: AddressOwner
    addresses: tuple[IPAddress, ...]
    record: str


@dataclass(frozen=True, slots=True)
class ClaimReference:
    """The IPAMClaim, of the owner's namespace, whose addresses an attachment is to have.

    Attributes:
        name: of the claim.
        networks: the names of the attachment's network: the claim is for one of them.
        most: how many addresses the plane keeps for claims of the namespace.
    """

    name: str
    networks: tuple[str, ...]
    most: int


class AddressBook(Protocol):
    """Assigns the addresses of planes, none of them twice."""

    async def claim(
        self,
        plane: Plane,
        owner: AddressOwner,
        *,
        wanted: Sequence[IPAddress] = (),
        candidates: Sequence[IPAddress] = (),
        reference: ClaimReference | None = None,
    ) -> tuple[Address, ...]:
        """Assign one address per family of the plane; with `wanted` exactly those.

        With `candidates` the first free one of each family is assigned, with `reference` those
        that an IPAMClaim keeps. An owner that holds some
        already gets the same. They are returned with prefix length and gateway of their subnet, and
        are durable by then.

        Raises:
            Conflict: another attachment holds a wanted address; the text names it.
            Exhausted: no address is free.
            BadInput: a wanted address is outside the plane.
        """
        ...

    async def release(self, plane: str, container_id: str, interface: str) -> None:
        """Release the addresses of an attachment in the plane; none held is fine."""
        ...

    async def quarantine(
        self, plane: Plane, owner: AddressOwner, answered: Mapping[IPAddress, str]
    ) -> None:
        """Keep addresses that an owner holds from being handed out, as they are in use on the wire.

        The next `claim` of the owner gets others. How many of a plane rest at once is bounded, and
        so is the time; then they may be handed out again. Static ones of a cluster do not rest: who
        asks for one gets it as soon as it is silent.

        Args:
            plane: of the addresses.
            owner: holds them.
            answered: the addresses, each with the MAC of who has it.

        Raises:
            Unavailable: it cannot be recorded.
        """
        ...

    async def holders(self, plane: str) -> Mapping[IPAddress, AddressOwner]:
        """Return which attachment holds which address of a plane."""
        ...

    async def held_by_others(self, known: Collection[tuple[str, str]]) -> tuple[Held, ...]:
        """Return what records of this machine hold for other attachments than these.

        Args:
            known: container ID and interface of each known attachment.

        Raises:
            Unavailable: the records cannot be read.
        """
        ...

    async def give_back(self, held: Held) -> None:
        """Release what a record holds, whatever it contains; one that is gone is fine.

        Raises:
            Unavailable: the record cannot be removed.
        """
        ...

    def is_complete(self, plane: str) -> bool:
        """Report whether `set_complete` was called for the plane's records as they are."""
        ...

    async def hold(
        self,
        plane: str,
        used: Mapping[AddressOwner, Sequence[IPAddress]],
        *,
        cooldown_seconds: float,
    ) -> tuple[IPAddress, ...]:
        """Keep this machine from assigning addresses that are in use; return those not held yet.

        Raises:
            Unavailable: the records cannot be written.
        """
        ...

    async def adopt(
        self, plane: Plane, owner: AddressOwner, addresses: Sequence[IPAddress]
    ) -> Mapping[IPAddress, str]:
        """Keep everybody from assigning addresses in use; return why not of those refused.

        Raises:
            PlanesError: records cannot be written.
        """
        ...

    async def set_complete(self, plane: str) -> None:
        """Record that what was in use before is held.

        Raises:
            Unavailable: it cannot be written.
        """
        ...


class Store(Protocol):
    """Planes, NADs, namespaces and pods as last seen; writes status, events and addresses."""

    @property
    def catalog(self) -> Catalog:
        """Return the current snapshot."""
        ...

    @property
    def addresses(self) -> AddressBook:
        """Return the address book."""
        ...

    @property
    def is_synced(self) -> bool:
        """Report whether the whole state was read once."""
        ...

    def namespace(self, name: str) -> Namespace | None:
        """Return a namespace as last seen."""
        ...

    def pod(self, namespace: str, name: str) -> Pod | None:
        """Return a pod as last seen."""
        ...

    def pods(self) -> tuple[Pod, ...]:
        """Return the pods of this node as last seen, with their network-status."""
        ...

    def pods_naming(self, ref: NadRef) -> tuple[str, ...]:
        """Return the pods of a NAD's namespace that name it, but those that are being deleted."""
        ...

    async def fetch_pod(self, namespace: str, name: str) -> Pod | None:
        """Return a pod as it is now, by a live read, where the watch may lag.

        Raises:
            Unavailable: it cannot be read now.
        """
        ...

    @property
    def checks_owners(self) -> bool:
        """Report whether owners are checked: not where an administrator writes each pod himself."""
        ...

    async def owner_doubt(self, pod: Pod) -> str:
        """Return why a pod is not owned by the workload it names; "" where it is.

        Also "" where no plane reserves addresses for workloads of the pod's namespace.

        Raises:
            PlanesError: it cannot be found out now.
        """
        ...

    async def claimed_devices(
        self, namespace: str, name: str, uid: str
    ) -> tuple[ClaimedDevice, ...]:
        """Return the devices that resource claims (DRA) give a pod; () for a pod without claims.

        Raises:
            PlanesError: they cannot be read now, or a claim is not reserved for the pod.
        """
        ...

    async def put_status(self, pod: Pod, status: str) -> None:
        """Write a pod's network-status; a pod that is gone is fine.

        Raises:
            Unavailable: it could not be written.
        """
        ...

    async def drop_status(self, namespace: str, name: str) -> None:
        """Remove a pod's network-status after DEL; nothing to do where it goes with the pod.

        Raises:
            Unavailable: it could not be removed.
        """
        ...

    async def emit(self, *events: Event) -> None:
        """Write events in order; never raises, since an event must not fail an ADD."""
        ...

    def problems(self) -> tuple[Problem, ...]:
        """Return what is ignored now, and why."""
        ...

    async def run(self) -> None:
        """Watch until cancelled; `is_synced` becomes true meanwhile."""
        ...
