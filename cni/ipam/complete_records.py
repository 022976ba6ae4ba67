"""An address book whose planes hand out addresses only once their records are complete.

Invariant: before the first claim in a plane of whose records nothing is known, the addresses in use
on this node are recorded; see `cni.reconcile.lost_records`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

from planes.model.addresses import IPAddress
from planes.model.spec.plane_spec import Plane
from planes.model.wire.result import Address
from planes.store.protocol import AddressBook, AddressOwner, ClaimReference, Held


class CompleteRecords:
    """An `AddressBook` over another one.

    Args:
        addresses: the other one.
        complete: makes the records of a plane complete.
    """

    def __init__(
        self, addresses: AddressBook, complete: Callable[[Plane], Awaitable[None]]
    ) -> None:
        self._addresses = addresses
        self._complete = complete

    async def claim(
        self,
        plane: Plane,
        owner: AddressOwner,
        *,
        wanted: Sequence[IPAddress] = (),
        candidates: Sequence[IPAddress] = (),
        reference: ClaimReference | None = None,
    ) -> tuple[Address, ...]:
        """Assign addresses; see `AddressBook.claim`.

        Raises:
            PlanesError: as `AddressBook.claim`; or what is in use cannot be found out now.
        """
        if not self._addresses.is_complete(plane.name):
            await self._complete(plane)
        return await self._addresses.claim(
            plane, owner, wanted=wanted, candidates=candidates, reference=reference
        )

    async def quarantine(
        self, plane: Plane, owner: AddressOwner, answered: Mapping[IPAddress, str]
    ) -> None:
        """Keep addresses from being handed out; see `AddressBook.quarantine`."""
        await self._addresses.quarantine(plane, owner, answered)

    async def release(self, plane: str, container_id: str, interface: str) -> None:
        """Release the addresses of an attachment; see `AddressBook.release`."""
        await self._addresses.release(plane, container_id, interface)

    async def holders(self, plane: str) -> Mapping[IPAddress, AddressOwner]:
        """Return which attachment holds which address; see `AddressBook.holders`."""
        return await self._addresses.holders(plane)

    async def held_by_others(self, known: Collection[tuple[str, str]]) -> tuple[Held, ...]:
        """Return what records hold for others; see `AddressBook.held_by_others`."""
        return await self._addresses.held_by_others(known)

    async def give_back(self, held: Held) -> None:
        """Release what a record holds; see `AddressBook.give_back`."""
        await self._addresses.give_back(held)

    def is_complete(self, plane: str) -> bool:
        """Report whether the records of a plane are complete."""
        return self._addresses.is_complete(plane)

    async def hold(
        self,
        plane: str,
        used: Mapping[AddressOwner, Sequence[IPAddress]],
        *,
        cooldown_seconds: float,
    ) -> tuple[IPAddress, ...]:
        """Record addresses in use; see `AddressBook.hold`."""
        return await self._addresses.hold(plane, used, cooldown_seconds=cooldown_seconds)

    async def adopt(
        self, plane: Plane, owner: AddressOwner, addresses: Sequence[IPAddress]
    ) -> Mapping[IPAddress, str]:
        """Take over addresses in use; see `AddressBook.adopt`."""
        return await self._addresses.adopt(plane, owner, addresses)

    async def set_complete(self, plane: str) -> None:
        """Mark the records of a plane; see `AddressBook.set_complete`."""
        await self._addresses.set_complete(plane)
