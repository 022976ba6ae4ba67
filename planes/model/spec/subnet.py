"""Subnets of a plane: their addresses, what may be handed out of them, and their routes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from planes.model.addresses import AddressRange, IPAddress, IPNetwork, range_of
from planes.model.errors import JsonObject
from planes.model.spans import SpanSet, subtract


@dataclass(frozen=True, slots=True)
class PlaneRoute:
    """A route that the interface brings along; without `gateway` it is on-link."""

    destination: IPNetwork
    gateway: IPAddress | None = None

    def to_json(self) -> JsonObject:
        """Return it as CNI writes routes."""
        route = {"dst": str(self.destination)}
        return route if self.gateway is None else {**route, "gw": str(self.gateway)}


@dataclass(frozen=True)
class Subnet:
    """One CIDR of a plane, all of it where there are no `ranges`.

    Attributes:
        is_static_apart: only static ranges and reservations can be asked for.
    """

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
        """The addresses handed out unasked: not static, reserved, excluded, unusable; in order."""
        return subtract(self.ranges or (range_of(self.cidr),), (*self._kept, *self.static_ranges))

    @cached_property
    def askable(self) -> tuple[AddressRange, ...]:
        """The addresses that may be asked for where `staticIPs.allow` is `Any`."""
        others = () if self.is_static_apart else self.ranges or (range_of(self.cidr),)
        return subtract(self.static_ranges or others, self._kept)

    @cached_property
    def askable_set(self) -> SpanSet:
        """`askable`, for looking up single addresses."""
        return SpanSet(self.askable)

    @cached_property
    def excluded(self) -> SpanSet:
        """`exclude`, for looking up single addresses."""
        return SpanSet(self.exclude)

    @cached_property
    def _kept(self) -> tuple[AddressRange, ...]:
        single = [*self.unusable, *self.reserved]
        return (*self.exclude, *(AddressRange(address, address) for address in single))

    @cached_property
    def unusable(self) -> tuple[IPAddress, ...]:
        """Addresses that no pod can have: network, broadcast, gateway (RFC 3021: not in a /31)."""
        found: list[IPAddress] = [] if self.gateway is None else [self.gateway]
        if self.cidr.prefixlen < self.cidr.max_prefixlen - 1:
            found.append(self.cidr.network_address)
            if self.cidr.version == 4:
                found.append(self.cidr.broadcast_address)
        return tuple(found)
