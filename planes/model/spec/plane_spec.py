"""The plane: which namespaces and pods join it, its network, its addresses and its rules.

Values only, read by `plane.parse_plane`. Invariant: a plane in force passed `plane_check`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from planes.model.addresses import IPAddress
from planes.model.errors import JsonObject
from planes.model.names import NETPLANE_NAMESPACE, PLANE_LABEL_PREFIX
from planes.model.objects import NadRef, Namespace, Pod
from planes.model.spans import SpanSet
from planes.model.spec.conflict_probe import ConflictProbe
from planes.model.spec.plane_macs import PlaneMacs
from planes.model.spec.reservations import Reservation
from planes.model.spec.selector import Requirement, Selector
from planes.model.spec.subnet import PlaneRoute, Subnet

JOINED = "enabled"
REQUIRED = "required"
EXEMPT_NAMESPACES = frozenset({"kube-system", "kube-public", "kube-node-lease", NETPLANE_NAMESPACE})
"""Join by the plane's label alone, never by a selector: a plane must not block its own webhook."""


class Attach(StrEnum):
    """Whether every pod of a joined namespace is attached, or only pods that ask."""

    ALWAYS = "Always"
    ON_REQUEST = "OnRequest"


class IpamMode(StrEnum):
    """What hands out addresses: the plane, the NAD's own IPAM, or nothing."""

    PLANE = "Plane"
    NAD = "NAD"
    NONE = "None"


class Allow(StrEnum):
    """Which static addresses pods may ask for."""

    NEVER = "Never"
    RESERVED = "Reserved"
    ANY = "Any"


class Deletion(StrEnum):
    """Whether the deletion of a plane waits until no pod has it."""

    BLOCK = "Block"
    ORPHAN = "Orphan"


class Enforcement(StrEnum):
    """Whether a pod that breaks the plane's rules is refused, warned about or only audited."""

    DENY = "Deny"
    WARN = "Warn"
    AUDIT = "Audit"


class Lifecycle(StrEnum):
    """Whether addresses end with their pod, or an IPAMClaim may keep them."""

    EPHEMERAL = "Ephemeral"
    PERSISTENT = "Persistent"


@dataclass(frozen=True, slots=True)
class TypedNetwork:
    """A network described in the plane, from which its NAD is rendered."""

    type: str
    master: str = ""
    mode: str = ""
    vlan: int | None = None
    mtu: int = 0
    resource_name: str = ""
    plugins: tuple[JsonObject, ...] = ()


@dataclass(frozen=True, slots=True)
class Quota:
    """The most a namespace may hold in a plane; None is no limit."""

    addresses: int | None = None
    attachments: int | None = None
    static: int | None = None


@dataclass(frozen=True)
class Plane:
    """A named class of traffic with its own secondary network.

    Attributes:
        created: when the object was created, as RFC 3339 in UTC; "" where that is not known.
        nad_ref: a NAD that an administrator wrote, None where `network` is typed.
        shared: True where NADs of others may be on the plane's wire.
        require_carrier: True where pods are refused while the master is down or without carrier.
        namespace_selector: None means the plane's own label, `enabled` or `required`.
        overrides: quotas for namespaces by selector; the first match counts.
        is_persistent: IPAMClaims may keep its addresses.
        probe: how its addresses are probed before use; None where they are not.
        macs: makes MACs from addresses; None leaves them to the node's kernel.
        bandwidth: the CNI bandwidth object, rates and bursts in bits.
    """

    name: str
    generation: int = 0
    created: str = ""
    purpose: str = ""
    namespace_selector: Selector | None = None
    all_namespaces: bool = False
    pod_selector: Selector = field(default_factory=Selector)
    attachment: Attach = Attach.ALWAYS
    interface: str = ""
    order: int = 0
    network: TypedNetwork | None = None
    nad_ref: NadRef | None = None
    shared: bool = False
    require_carrier: bool = True
    subnets: tuple[Subnet, ...] = ()
    ipam_mode: IpamMode = IpamMode.PLANE
    block_size: Mapping[int, int] = field(default_factory=dict)
    cooldown_seconds: int = 0
    probe: ConflictProbe | None = None
    borrow: bool = True
    is_persistent: bool = False
    allow: Allow = Allow.RESERVED
    per_ordinal: bool = True
    reservations: tuple[Reservation, ...] = ()
    allow_mac: bool = True
    macs: PlaneMacs | None = None
    default_route: bool = False
    routes: tuple[PlaneRoute, ...] = ()
    mtu: int = 0
    bandwidth: JsonObject | None = None
    sysctls: Mapping[str, str] = field(default_factory=dict)
    quota: Quota = field(default_factory=Quota)
    overrides: tuple[tuple[Selector, Quota], ...] = ()
    enforcement: Enforcement = Enforcement.DENY
    deletion: Deletion = Deletion.BLOCK

    @cached_property
    def label(self) -> str:
        """The namespace label that joins it."""
        return PLANE_LABEL_PREFIX + self.name

    @cached_property
    def ref(self) -> NadRef:
        """The NAD that backs it, written or rendered."""
        return self.nad_ref or NadRef(NETPLANE_NAMESPACE, self.name)

    @cached_property
    def families(self) -> frozenset[int]:
        """The IP versions of its subnets: 4, 6, both or (no addresses) none."""
        return frozenset(subnet.version for subnet in self.subnets)

    @cached_property
    def askable_set(self) -> SpanSet:
        """The addresses that may be asked for in any subnet where `staticIPs.allow` is `Any`."""
        return SpanSet(span for subnet in self.subnets for span in subnet.askable)

    @cached_property
    def gateways(self) -> tuple[IPAddress, ...]:
        """The first gateway of each family."""
        found: dict[int, IPAddress] = {}
        for subnet in self.subnets:
            if subnet.gateway is not None:
                found.setdefault(subnet.version, subnet.gateway)
        return tuple(found[version] for version in sorted(found))

    @cached_property
    def selector(self) -> Selector:
        """The namespace selector in force, also where it is the default one."""
        if self.namespace_selector is not None:
            return self.namespace_selector
        return Selector((Requirement(self.label, "In", (JOINED, REQUIRED)),))

    @property
    def is_strict(self) -> bool:
        """Whether a pod that breaks the rules is refused."""
        return self.enforcement is Enforcement.DENY

    def subnet_of(self, address: IPAddress) -> Subnet | None:
        """Return the subnet of an address, None where there is none."""
        for subnet in self.subnets:
            if address.version == subnet.version and address in subnet.cidr:
                return subnet
        return None

    def joined_by(self, namespace: Namespace) -> bool:
        """Report whether a namespace joins, by selector or label."""
        if namespace.name in EXEMPT_NAMESPACES:
            return namespace.labels.get(self.label) in {JOINED, REQUIRED}
        return self.all_namespaces or self.selector.matches(namespace.labels)

    def is_required_by(self, namespace: Namespace) -> bool:
        """Report whether a namespace requires it: no pod starts without it then."""
        return namespace.labels.get(self.label) == REQUIRED

    def matches(self, namespace: Namespace, pod: Pod) -> bool:
        """Report whether a pod belongs to the plane."""
        return self.joined_by(namespace) and self.pod_selector.matches(pod.labels)

    @cached_property
    def has_quota(self) -> bool:
        """Whether it limits any namespace."""
        return bool(self.overrides) or self.quota != Quota()

    def quota_for(self, namespace: Namespace) -> Quota:
        """Return the limits of a namespace."""
        for selector, quota in self.overrides:
            if selector.matches(namespace.labels):
                return quota
        return self.quota

    def reservation_of(self, address: IPAddress) -> Reservation | None:
        """Return the reservation of an address."""
        return self._reservation_by_address.get(address)

    @cached_property
    def _reservation_by_address(self) -> Mapping[IPAddress, Reservation]:
        return {reservation.address: reservation for reservation in self.reservations}

    @cached_property
    def owner_namespaces(self) -> frozenset[str]:
        """Namespaces with reservations by owner."""
        return frozenset(one.namespace for one in self.reservations if one.is_by_owner)

    def reserved_for(self, pod: Pod) -> Iterator[Reservation]:
        """Yield the reservations a pod may have, in the order they are listed."""
        return (reservation for reservation in self.reservations if reservation.is_for(pod))
