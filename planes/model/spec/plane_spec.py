"""The plane: who joins it, which network it is, which addresses it has, what it allows.

Values only, read by `plane.parse_plane` and proven by `plane_check`: a `Plane` makes sense.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from planes.model.addresses import AddressRange, IPAddress, IPNetwork, range_of, subtract
from planes.model.errors import JsonObject
from planes.model.names import NETPLANE_NAMESPACE, PLANE_LABEL_PREFIX
from planes.model.objects import NadRef, Namespace, Pod
from planes.model.spans import SpanSet
from planes.model.spec.reservations import Reservation
from planes.model.spec.selector import Requirement, Selector

JOINED = "enabled"
REQUIRED = "required"
EXEMPT_NAMESPACES = frozenset({"kube-system", "kube-public", "kube-node-lease", NETPLANE_NAMESPACE})
"""Join by their own label only, never by a selector: a plane must not stop what it needs itself."""


class Attach(StrEnum):
    """Whether joining is enough, or a pod has to ask."""

    ALWAYS = "Always"
    ON_REQUEST = "OnRequest"


class IpamMode(StrEnum):
    """Who hands out addresses: the plane, the NAD's own IPAM, or nobody."""

    PLANE = "Plane"
    NAD = "NAD"
    NONE = "None"


class Allow(StrEnum):
    """Which static addresses pods may ask for."""

    NEVER = "Never"
    RESERVED = "Reserved"
    ANY = "Any"


class Enforcement(StrEnum):
    """What happens to a pod that breaks the plane's rules."""

    DENY = "Deny"
    WARN = "Warn"
    AUDIT = "Audit"


class WorkloadEnforcement(StrEnum):
    """What happens to a workload whose pods would break the plane's rules."""

    WARN = "Warn"
    DENY = "Deny"
    OFF = "Off"


@dataclass(frozen=True, slots=True)
class PlaneRoute:
    """A route that the interface brings along; without `gateway` it is on-link."""

    destination: IPNetwork
    gateway: IPAddress | None = None

    def to_json(self) -> JsonObject:
        """Give it as CNI writes routes."""
        route = {"dst": str(self.destination)}
        return route if self.gateway is None else {**route, "gw": str(self.gateway)}


@dataclass(frozen=True)
class Subnet:
    """One CIDR of a plane, all of it without `ranges`; for `is_static_apart` see `askable`."""

    cidr: IPNetwork
    gateway: IPAddress | None = None
    ranges: tuple[AddressRange, ...] = ()
    exclude: tuple[AddressRange, ...] = ()
    static_ranges: tuple[AddressRange, ...] = ()
    routes: tuple[PlaneRoute, ...] = ()
    reserved: tuple[IPAddress, ...] = ()
    is_static_apart: bool = False

    @property
    def version(self) -> int:
        """4 or 6."""
        return self.cidr.version

    @cached_property
    def dynamic(self) -> tuple[AddressRange, ...]:
        """What may be handed out unasked: not static, reserved, excluded or unusable; in order."""
        return subtract(self.ranges or (range_of(self.cidr),), (*self._kept, *self.static_ranges))

    @cached_property
    def askable(self) -> tuple[AddressRange, ...]:
        """What may be asked for where `staticIPs.allow` is `Any`; static ranges only if apart."""
        others = () if self.is_static_apart else self.ranges or (range_of(self.cidr),)
        return subtract(self.static_ranges or others, self._kept)

    @cached_property
    def askable_set(self) -> SpanSet:
        """`askable`, to be asked about single addresses."""
        return SpanSet(self.askable)

    @cached_property
    def _kept(self) -> tuple[AddressRange, ...]:
        single = [*self.unusable, *self.reserved]
        return (*self.exclude, *(AddressRange(address, address) for address in single))

    @cached_property
    def unusable(self) -> tuple[IPAddress, ...]:
        """Addresses no pod can have: network, broadcast, gateway (RFC 3021 spares a /31)."""
        found: list[IPAddress] = [] if self.gateway is None else [self.gateway]
        if self.cidr.prefixlen < self.cidr.max_prefixlen - 1:
            found.append(self.cidr.network_address)
            if self.cidr.version == 4:
                found.append(self.cidr.broadcast_address)
        return tuple(found)


@dataclass(frozen=True, slots=True)
class TypedNetwork:
    """The network as the plane describes it: the NAD is rendered from this."""

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
        nad_ref: the NAD an administrator wrote, None where `network` is typed.
        shared: True where NADs of others may stand on the plane's wire.
        namespace_selector: None means the plane's own label, `enabled` or `required`.
        overrides: quotas for the namespaces a selector picks; the first match counts.
        bandwidth: the CNI bandwidth object, rates and bursts in bits.
    """

    name: str
    generation: int = 0
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
    subnets: tuple[Subnet, ...] = ()
    ipam_mode: IpamMode = IpamMode.PLANE
    block_size: Mapping[int, int] = field(default_factory=dict)
    borrow: bool = True
    cooldown_seconds: int = 0
    allow: Allow = Allow.RESERVED
    per_ordinal: bool = True
    reservations: tuple[Reservation, ...] = ()
    allow_mac: bool = True
    default_route: bool = False
    routes: tuple[PlaneRoute, ...] = ()
    mtu: int = 0
    bandwidth: JsonObject | None = None
    sysctls: Mapping[str, str] = field(default_factory=dict)
    quota: Quota = field(default_factory=Quota)
    overrides: tuple[tuple[Selector, Quota], ...] = ()
    enforcement: Enforcement = Enforcement.DENY
    workload_enforcement: WorkloadEnforcement = WorkloadEnforcement.WARN

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
        """What may be asked for in any of its subnets where `staticIPs.allow` is `Any`."""
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
        """The namespace selector in force, the default one spelled out."""
        if self.namespace_selector is not None:
            return self.namespace_selector
        return Selector((Requirement(self.label, "In", (JOINED, REQUIRED)),))

    @property
    def is_strict(self) -> bool:
        """True where a pod that breaks the rules is refused."""
        return self.enforcement is Enforcement.DENY

    def subnet_of(self, address: IPAddress) -> Subnet | None:
        """Give the subnet an address lies in."""
        for subnet in self.subnets:
            if address.version == subnet.version and address in subnet.cidr:
                return subnet
        return None

    def joined_by(self, namespace: Namespace) -> bool:
        """Tell whether a namespace joins, by selector or label (no pod looked at)."""
        if namespace.name in EXEMPT_NAMESPACES:
            return namespace.labels.get(self.label) in {JOINED, REQUIRED}
        return self.all_namespaces or self.selector.matches(namespace.labels)

    def is_required_by(self, namespace: Namespace) -> bool:
        """Tell whether pods of a namespace must not start without it."""
        return namespace.labels.get(self.label) == REQUIRED

    def matches(self, namespace: Namespace, pod: Pod) -> bool:
        """Tell whether a pod belongs to the plane."""
        return self.joined_by(namespace) and self.pod_selector.matches(pod.labels)

    @cached_property
    def has_quota(self) -> bool:
        """True where it limits any namespace."""
        return bool(self.overrides) or self.quota != Quota()

    def quota_for(self, namespace: Namespace) -> Quota:
        """Give the limits of a namespace."""
        for selector, quota in self.overrides:
            if selector.matches(namespace.labels):
                return quota
        return self.quota

    def reservation_of(self, address: IPAddress) -> Reservation | None:
        """Give the reservation of an address."""
        return self._reservation_by_address.get(address)

    @cached_property
    def _reservation_by_address(self) -> Mapping[IPAddress, Reservation]:
        return {reservation.address: reservation for reservation in self.reservations}

    @cached_property
    def owner_namespaces(self) -> frozenset[str]:
        """Namespaces for whose workloads it keeps addresses."""
        return frozenset(one.namespace for one in self.reservations if one.is_by_owner)

    def reserved_for(self, pod: Pod) -> Iterator[Reservation]:
        """Yield the reservations a pod may have, in the order they are listed."""
        return (reservation for reservation in self.reservations if reservation.is_for(pod))
