"""The seam between what we do and where cluster state lives.

Reads are references into watched state: they never block and never raise. Writes are awaited.
`DirStore` (standalone) and the Kubernetes store implement it; nothing above knows which runs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Protocol

from planes.model.events import Event
from planes.model.objects import NadRef, Namespace, Pod
from planes.model.spec.plane import Plane
from planes.model.state.catalog import Catalog
from planes.model.wire.result import Address

IPAddress = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class AddressOwner:
    """Who holds an address: one interface of one sandbox, and the pod it belongs to.

    `(container_id, interface)` is the identity (CNI spec: an attachment); the rest tells people.
    """

    container_id: str
    interface: str
    namespace: str = ""
    pod: str = ""
    uid: str = ""
    node: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in the store that is ignored until it is mended: `file:line`, and why."""

    where: str
    reason: str


@dataclass(frozen=True, slots=True)
class Held:
    """Addresses that one record of this machine holds for an attachment.

    Attributes:
        plane: whose they are.
        owner: without names where the record cannot be read.
        addresses: what is held; empty where that was being decided.
        record: tells this record from all others of the plane.
    """

    plane: str
    owner: AddressOwner
    addresses: tuple[IPAddress, ...]
    record: str


class AddressBook(Protocol):
    """Plane addresses: the one authority that hands them out, never twice."""

    async def claim(
        self,
        plane: Plane,
        owner: AddressOwner,
        *,
        wanted: Sequence[IPAddress] = (),
        candidates: Sequence[IPAddress] = (),
    ) -> tuple[Address, ...]:
        """Take one address per family of the plane; with `wanted` exactly those.

        With `candidates` the first free one of each family is taken. What the owner already
        holds is given again. The answer has prefix length and gateway of the subnet, durable
        before it is returned.

        Raises:
            Conflict: a wanted address is held by somebody else (names the holder).
            Exhausted: no address is free.
            BadInput: a wanted address is outside the plane.
        """
        ...

    async def release(self, plane: str, container_id: str, interface: str) -> None:
        """Give back what this attachment holds in the plane; nothing held is fine."""
        ...

    async def holders(self, plane: str) -> Mapping[IPAddress, AddressOwner]:
        """Who holds what in a plane."""
        ...

    async def held_by_others(self, known: Collection[tuple[str, str]]) -> tuple[Held, ...]:
        """Give what records of this machine hold for others than these attachments.

        Args:
            known: container ID and interface of each attachment that is accounted for.

        Raises:
            Unavailable: the records cannot be read.
        """
        ...

    async def give_back(self, held: Held) -> None:
        """Give back what a record holds, whatever it says; one that has gone is fine.

        Raises:
            Unavailable: the record cannot be removed.
        """
        ...


class Store(Protocol):
    """Planes, NADs, namespaces and pods as last seen; status, events and addresses out."""

    @property
    def catalog(self) -> Catalog:
        """The current snapshot; a reference read."""
        ...

    @property
    def addresses(self) -> AddressBook:
        """The plane addresses."""
        ...

    @property
    def is_synced(self) -> bool:
        """True once the first full state was read."""
        ...

    def namespace(self, name: str) -> Namespace | None:
        """A namespace as last seen."""
        ...

    def pod(self, namespace: str, name: str) -> Pod | None:
        """A pod as last seen."""
        ...

    def pods_naming(self, ref: NadRef) -> tuple[str, ...]:
        """Name the pods of a NAD's own namespace that ask for it; those on their way out do not."""
        ...

    async def fetch_pod(self, namespace: str, name: str) -> Pod | None:
        """A pod as it is now: one live read, for when the watch may lag.

        Raises:
            Unavailable: it cannot be told now.
        """
        ...

    @property
    def checks_owners(self) -> bool:
        """False where an administrator writes each pod, with whatever owner it names."""
        ...

    async def owner_doubt(self, pod: Pod) -> str:
        """Say why a pod is not of the workload it names, "" where it is, or where that is all one.

        It matters where a plane reserves addresses for workloads of the pod's namespace.

        Raises:
            PlanesError: it cannot be told now.
        """
        ...

    async def put_status(self, pod: Pod, status: str) -> None:
        """Publish a pod's network-status; a pod that is gone is tolerated.

        Raises:
            Unavailable: it could not be written.
        """
        ...

    async def drop_status(self, namespace: str, name: str) -> None:
        """Forget a pod's network-status after DEL; nothing to do where it goes with the pod.

        Raises:
            Unavailable: it could not be removed.
        """
        ...

    async def emit(self, *events: Event) -> None:
        """Publish events in order; never raises, an event must not fail an ADD."""
        ...

    def problems(self) -> tuple[Problem, ...]:
        """What is ignored now, and why."""
        ...

    async def run(self) -> None:
        """Watch until cancelled; `is_synced` turns true on the way."""
        ...
