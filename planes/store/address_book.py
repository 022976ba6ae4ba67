"""The local address book: assigns the plane addresses of one machine, each once, round-robin.

Several daemons, each for a node of its own, may share its directory. Calls about one plane are
serial; the files are those of `planes.store.address_files`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Final, TypeVar

from planes.model.addresses import AddressRange, IPAddress
from planes.model.errors import Denied, Unavailable
from planes.model.spec.plane_spec import Plane
from planes.model.wire.result import Address
from planes.run.clock import Clock
from planes.store.address_audit import discard, held_but
from planes.store.address_claim import AddressClaim
from planes.store.address_files import plane_directory
from planes.store.address_records import AddressRecords
from planes.store.plane_addresses import check_inside, with_subnet
from planes.store.protocol import AddressOwner, ClaimReference, Held

T = TypeVar("T")

_RELEASES_PER_SWEEP: Final = 256


class LocalAddressBook(AddressRecords):
    """An `AddressBook` over a directory with one subdirectory per plane.

    Args:
        root: the directory; made on first use.
        clock: by which a released address cools down.
        executor: where the blocking work runs; None = the event loop's own threads.
    """

    def __init__(self, root: Path, clock: Clock, executor: Executor | None = None) -> None:
        super().__init__(root, executor)
        self._clock = clock
        self._releases = 0

    async def claim(
        self,
        plane: Plane,
        owner: AddressOwner,
        *,
        wanted: Sequence[IPAddress] = (),
        candidates: Sequence[IPAddress] = (),
        reference: ClaimReference | None = None,
        spans: Callable[[], Sequence[AddressRange]] | None = None,
        families: Collection[int] | None = None,
    ) -> tuple[Address, ...]:
        """Assign addresses, see `AddressBook.claim`.

        Where none is asked for, only addresses of `spans` are assigned, one of each of `families`
        (of all that the plane has unless given). `spans` is called once neither another claim nor
        `with_used` runs for the plane.

        Raises:
            Conflict: another attachment holds a wanted address; the text names it.
            NoneFree: no address is free.
            BadInput: a wanted address is outside the plane.
            Unavailable: the directory cannot be used.
            Denied: there are no IPAMClaims without a cluster.
        """
        if reference is not None:
            raise Denied(
                f"cannot use IPAMClaim {reference.name}: this machine has no API server",
                remedy="remove ipam-claim-reference",
            )
        for address in (*wanted, *candidates):
            check_inside(plane, address)
        files, versions = self._files(plane.name), frozenset(families or plane.families)
        async with self._locks.hold(plane.name):
            own = spans() if spans else _dynamic(plane)
            now = self._clock.now()
            claim = AddressClaim(files, plane, owner, now, spans=own, families=versions)
            addresses = await self._in_thread(
                lambda: claim.carry_out(tuple(wanted), tuple(candidates))
            )
        return tuple(with_subnet(plane, address) for address in addresses)

    async def release(self, plane: str, container_id: str, interface: str) -> None:
        """Release the addresses of an attachment in the plane; none held is fine.

        Raises:
            Unavailable: the directory cannot be used.
        """
        files, now = self._files(plane), self._clock.now()
        self._releases += 1
        is_sweep_due = self._releases % _RELEASES_PER_SWEEP == 0

        def release() -> None:
            if not plane_directory(self._root, plane).is_dir():
                return
            with files.lock():
                files.release(container_id, interface, now)
                if is_sweep_due:
                    files.forget_cooled(now)

        async with self._locks.hold(plane):
            await self._in_thread(release)

    async def quarantine(
        self,
        plane: Plane,
        owner: AddressOwner,
        answered: Mapping[IPAddress, str],
        *,
        spans: Sequence[AddressRange] | None = None,
    ) -> None:
        """Keep addresses of an owner from being handed out for a while; see `AddressBook`.

        Raises:
            Unavailable: the directory cannot be used.
        """
        files, now = self._files(plane.name), self._clock.now()
        capacity = sum(span.size for span in (_dynamic(plane) if spans is None else spans))

        def quarantine() -> None:
            with files.lock():
                held = files.held_by(owner.container_id, owner.interface)
                found = {a: mac for a, mac in answered.items() if a in held}
                files.quarantine.add(found, now, capacity)

        async with self._locks.hold(plane.name):
            await self._in_thread(quarantine)

    async def with_used(
        self,
        plane: str,
        act: Callable[[Collection[IPAddress]], T],
        *,
        counts_resting: bool = True,
        counts_quarantined: bool = True,
    ) -> T:
        """Call `act` with the addresses of a plane in use here.

        No address is assigned from before they are read until `act` has returned.

        Args:
            plane: its name.
            act: called with the addresses that are held, and with those of the next two kinds.
            counts_resting: whether addresses that cool down count.
            counts_quarantined: whether, besides these, those count that somebody on the wire has.

        Raises:
            Unavailable: the directory cannot be used.
        """
        files, now = self._files(plane), self._clock.now()

        def used() -> Collection[IPAddress]:
            if not plane_directory(self._root, plane).is_dir():
                return frozenset()
            with files.lock():
                if not counts_resting:
                    return files.listing().held
                return files.used(now, counts_quarantined=counts_quarantined)

        async with self._locks.hold(plane):
            return act(await self._in_thread(used))

    async def holders(self, plane: str) -> Mapping[IPAddress, AddressOwner]:
        """Return which attachment holds which address of a plane.

        Raises:
            Unavailable: the directory cannot be read.
        """
        return await self._in_thread(self._files(plane).holders)

    async def held_by_others(self, known: Collection[tuple[str, str]]) -> tuple[Held, ...]:
        """Return what records hold for other attachments than these; see `AddressBook`.

        Raises:
            Unavailable: a directory cannot be read.
        """
        try:
            return await self._in_thread(lambda: held_but(self._root, known))
        except OSError as error:
            raise Unavailable(
                f"cannot read the address directory {self._root}: {error.strerror}"
            ) from error

    async def give_back(self, held: Held) -> None:
        """Release what a record holds, whatever it contains; one that is gone is fine.

        Raises:
            Unavailable: the directory cannot be used.
        """
        files, now = self._files(held.plane), self._clock.now()

        def release() -> None:
            with files.lock():
                discard(plane_directory(self._root, held.plane), int(held.record), now)

        async with self._locks.hold(held.plane):
            await self._in_thread(release)


def _dynamic(plane: Plane) -> Sequence[AddressRange]:
    return [span for subnet in plane.subnets for span in subnet.dynamic]
