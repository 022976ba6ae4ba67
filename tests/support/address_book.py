"""Plane addresses in memory, for tests that hand out addresses without files."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from planes.model.addresses import IPAddress
from planes.model.errors import BadInput, Conflict, Exhausted, PlanesError
from planes.model.spec.plane_spec import Plane
from planes.model.wire.result import Address
from planes.store.protocol import AddressOwner, ClaimReference, Held


class FakeAddressBook:
    """Addresses in memory, first free one first; implements `AddressBook`.

    Attributes:
        held: plane name to addresses to owners.
        resting: plane name to addresses in quarantine, with the MAC of who answered.
        refused: why addresses cannot be taken over.
        complete: planes of which what was in use before is held.
        references: those that were claimed with.
        error: raised by the next calls of `claim` while it is set.
    """

    def __init__(self) -> None:
        self.held: dict[str, dict[IPAddress, AddressOwner]] = {}
        self.references: list[ClaimReference] = []
        self.resting: dict[str, dict[IPAddress, str]] = {}
        self.complete: set[str] = set()
        self.refused: dict[IPAddress, str] = {}
        self.error: PlanesError | None = None

    async def claim(
        self,
        plane: Plane,
        owner: AddressOwner,
        *,
        wanted: Sequence[IPAddress] = (),
        candidates: Sequence[IPAddress] = (),
        reference: ClaimReference | None = None,
    ) -> tuple[Address, ...]:
        """Take addresses as the protocol says."""
        if reference is not None:
            self.references.append(reference)
        if self.error is not None:
            raise self.error
        held = self.held.setdefault(plane.name, {})
        resting = self.resting.setdefault(plane.name, {})
        mine = [ip for ip, who in held.items() if _identity(who) == _identity(owner)]
        for address in [ip for ip in mine if ip in resting]:
            mine.remove(address)
            del held[address]
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
            free = next((ip for ip in pool if ip not in held and ip not in resting), None)
            if free is None:
                raise Exhausted(f"cannot take an address in plane {plane.name}: all are taken")
            chosen.append(free)
        held.update(dict.fromkeys(chosen, owner))
        return tuple(_with_subnet(plane, address) for address in chosen)

    async def quarantine(
        self, plane: Plane, owner: AddressOwner, answered: Mapping[IPAddress, str]
    ) -> None:
        """Keep addresses from being handed out."""
        self.resting.setdefault(plane.name, {}).update(answered)

    async def release(self, plane: str, container_id: str, interface: str) -> None:
        """Release what an attachment holds."""
        held = self.held.get(plane, {})
        for address, owner in list(held.items()):
            if _identity(owner) == (container_id, interface):
                del held[address]

    async def holders(self, plane: str) -> Mapping[IPAddress, AddressOwner]:
        """Who holds what."""
        return dict(self.held.get(plane, {}))

    async def held_by_others(self, known: Collection[tuple[str, str]]) -> tuple[Held, ...]:
        """Return what others hold than these attachments."""
        found: dict[tuple[str, AddressOwner], list[IPAddress]] = {}
        for plane, held in self.held.items():
            for address, owner in held.items():
                if _identity(owner) not in known:
                    found.setdefault((plane, owner), []).append(address)
        return tuple(Held(p, who, tuple(ips), repr(who)) for (p, who), ips in found.items())

    async def give_back(self, held: Held) -> None:
        """Release what a record holds."""
        for address in held.addresses:
            self.held[held.plane].pop(address, None)

    def is_complete(self, plane: str) -> bool:
        """Report whether what was in use before is held."""
        return plane in self.complete

    async def hold(
        self,
        plane: str,
        used: Mapping[AddressOwner, Sequence[IPAddress]],
        *,
        cooldown_seconds: float,
    ) -> tuple[IPAddress, ...]:
        """Hold what is not held."""
        held = self.held.setdefault(plane, {})
        new = {ip: owner for owner, ips in used.items() for ip in ips if ip not in held}
        held.update(new)
        return tuple(new)

    async def adopt(
        self, plane: Plane, owner: AddressOwner, addresses: Sequence[IPAddress]
    ) -> Mapping[IPAddress, str]:
        """Hold what is not held; refuse what `refused` has."""
        held = self.held.setdefault(plane.name, {})
        held.update({ip: owner for ip in addresses if ip not in self.refused})
        return {ip: self.refused[ip] for ip in addresses if ip in self.refused}

    async def set_complete(self, plane: str) -> None:
        """Keep that it was said."""
        self.complete.add(plane)


def _identity(owner: AddressOwner) -> tuple[str, str]:
    return owner.container_id, owner.interface


def _with_subnet(plane: Plane, address: IPAddress) -> Address:
    subnet = plane.subnet_of(address)
    if subnet is None:
        raise BadInput(f"cannot take {address}: it is outside plane {plane.name}")
    gateway = "" if subnet.gateway is None else str(subnet.gateway)
    return Address(f"{address}/{subnet.cidr.prefixlen}", gateway)
