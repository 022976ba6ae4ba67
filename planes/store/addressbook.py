"""The local address book: plane addresses of one machine, handed out once, in turn.

Several daemons (each standing for a node) may share its directory. Work on one plane is serial;
what happens on disk is `addressfiles`' matter.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar

from planes.model.addresses import AddressRange, IPAddress
from planes.model.errors import Conflict, Exhausted, Unavailable
from planes.model.spec.plane import Plane
from planes.model.wire.result import Address
from planes.run.clock import Clock
from planes.run.jobs import ended, start
from planes.run.locks import KeyedLocks
from planes.store.addressaudit import discard, held_but
from planes.store.addressfiles import AddressFiles, plane_directory
from planes.store.plane_addresses import check_inside, describe, is_useless, with_subnet
from planes.store.protocol import AddressOwner, Held
from planes.store.rotation import in_turn

T = TypeVar("T")

# Round-robin nearly always finds the next address free; only a full plane is worth listing.
_TRIES_BEFORE_LISTING: Final = 16
_RELEASES_PER_SWEEP: Final = 256


class NoneFree(Exhausted):
    """All that may be handed out in one family is taken.

    Args:
        version: the family, 4 or 6.
        capacity: how many addresses that are.
    """

    def __init__(self, message: str, remedy: str, version: int, capacity: int) -> None:
        super().__init__(message, remedy=remedy)
        self.version = version
        self.capacity = capacity


class LocalAddressBook:
    """An `AddressBook` over a directory with one subdirectory per plane.

    Args:
        root: the directory; made on first use.
        clock: tells when a released address has rested.
        executor: where the blocking work runs; None = the event loop's own threads.
    """

    def __init__(self, root: Path, clock: Clock, executor: Executor | None = None) -> None:
        self._root = root
        self._clock = clock
        self._executor = executor
        self._locks = KeyedLocks()
        self._releases = 0

    async def claim(
        self,
        plane: Plane,
        owner: AddressOwner,
        *,
        wanted: Sequence[IPAddress] = (),
        candidates: Sequence[IPAddress] = (),
        spans: Sequence[AddressRange] | None = None,
    ) -> tuple[Address, ...]:
        """Take addresses as `AddressBook.claim` says.

        With `spans` only addresses of them are handed out unasked, whatever else the plane has.

        Raises:
            Conflict: a wanted address is held by somebody else (names the holder).
            NoneFree: no address is free.
            BadInput: a wanted address is outside the plane.
            Unavailable: the directory cannot be used.
        """
        for address in (*wanted, *candidates):
            check_inside(plane, address)
        if spans is None:
            spans = [span for subnet in plane.subnets for span in subnet.dynamic]
        claim = _Claim(self._files(plane.name), plane, owner, self._clock.now(), spans)
        async with self._locks.hold(plane.name):
            addresses = await self._in_thread(
                lambda: claim.carry_out(tuple(wanted), tuple(candidates))
            )
        return tuple(with_subnet(plane, address) for address in addresses)

    async def release(self, plane: str, container_id: str, interface: str) -> None:
        """Give back what this attachment holds in the plane; nothing held is fine.

        Raises:
            Unavailable: the directory cannot be used.
        """
        files, now = self._files(plane), self._clock.now()
        self._releases += 1
        is_sweep_due = self._releases % _RELEASES_PER_SWEEP == 0

        def give_back() -> None:
            if not plane_directory(self._root, plane).is_dir():
                return
            with files.lock():
                files.release(container_id, interface, now)
                if is_sweep_due:
                    files.forget_cooled(now)

        async with self._locks.hold(plane):
            await self._in_thread(give_back)

    async def holders(self, plane: str) -> Mapping[IPAddress, AddressOwner]:
        """Who holds what in a plane.

        Raises:
            Unavailable: the directory cannot be read.
        """
        return await self._in_thread(self._files(plane).holders)

    async def held_by_others(self, known: Collection[tuple[str, str]]) -> tuple[Held, ...]:
        """Give what records hold for others than these attachments; see `AddressBook`.

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
        """Give back what a record holds, whatever it says; one that has gone is fine.

        Raises:
            Unavailable: the directory cannot be used.
        """
        files, now = self._files(held.plane), self._clock.now()

        def give_back() -> None:
            with files.lock():
                discard(plane_directory(self._root, held.plane), int(held.record), now)

        async with self._locks.hold(held.plane):
            await self._in_thread(give_back)

    def _files(self, plane: str) -> AddressFiles:
        return AddressFiles(plane_directory(self._root, plane))

    async def _in_thread(self, work: Callable[[], T]) -> T:
        # A cancelled caller must not leave the lock while its thread still writes.
        return await ended(start(work, self._executor))


class _Claim:
    """One call of `claim`, under the plane's lock."""

    def __init__(
        self,
        files: AddressFiles,
        plane: Plane,
        owner: AddressOwner,
        now: float,
        spans: Sequence[AddressRange],
    ) -> None:
        self._files = files
        self._plane = plane
        self._owner = owner
        self._now = now
        self._spans = spans

    def carry_out(
        self, wanted: tuple[IPAddress, ...], candidates: tuple[IPAddress, ...]
    ) -> tuple[IPAddress, ...]:
        """Choose and take addresses, or keep those the owner has already."""
        owner = self._owner
        with self._files.lock():
            held = self._files.held_by(owner.container_id, owner.interface)
            if held and self._fits(held, wanted, candidates):
                return held
            if wanted:
                chosen = self._exactly(tuple(dict.fromkeys(wanted)), held)
            elif candidates:
                chosen = self._first_free_of(candidates, held)
            else:
                chosen = self._next_free()
            # Also where nothing is held: the record of an attempt that died half-way goes.
            self._files.release(owner.container_id, owner.interface, self._now)
            if chosen:
                self._files.take(owner, chosen, self._plane.cooldown_seconds)
            if not wanted and not candidates:
                for address in chosen:
                    self._files.set_last(address)
            return chosen

    def _fits(
        self,
        held: tuple[IPAddress, ...],
        wanted: tuple[IPAddress, ...],
        candidates: tuple[IPAddress, ...],
    ) -> bool:
        if wanted:
            return set(held) == set(wanted)
        if any(is_useless(self._plane, address) for address in held):
            return False  # the plane was changed since
        families = {address.version for address in candidates} or self._plane.families
        return {address.version for address in held} == families and (
            not candidates or set(held) <= set(candidates)
        )

    def _exactly(
        self, wanted: tuple[IPAddress, ...], held: tuple[IPAddress, ...]
    ) -> tuple[IPAddress, ...]:
        for address in wanted:
            holder = None if address in held else self._files.owner_of(address)
            if holder is not None:
                raise Conflict(
                    f"cannot take {address} in plane {self._plane.name}: "
                    f"it is held by {describe(holder)}",
                    remedy="ask for another address or delete its holder first",
                )
        return wanted

    def _first_free_of(
        self, candidates: tuple[IPAddress, ...], held: tuple[IPAddress, ...]
    ) -> tuple[IPAddress, ...]:
        chosen: dict[int, IPAddress] = {}
        for address in candidates:
            if address.version not in chosen and (
                address in held or not self._files.is_held(address)
            ):
                chosen[address.version] = address
        for version in {address.version for address in candidates} - set(chosen):
            asked = [address for address in candidates if address.version == version]
            holder = self._files.owner_of(asked[0]) or AddressOwner("", "")
            raise Exhausted(
                f"cannot take an address in plane {self._plane.name}: all {len(asked)} "
                f"IPv{version} addresses the pod may have are held, {asked[0]} by "
                f"{describe(holder)}",
                remedy="list more addresses or run fewer replicas",
            )
        return tuple(chosen.values())

    def _next_free(self) -> tuple[IPAddress, ...]:
        chosen = []
        for version in sorted(self._plane.families):
            spans = [span for span in self._spans if span.version == version]
            turn = in_turn(spans, self._files.last(version))
            address = self._first_resting(turn)
            if address is None:
                raise self._exhausted(version)
            chosen.append(address)
        return tuple(chosen)

    def _first_resting(self, turn: Iterator[IPAddress]) -> IPAddress | None:
        for address in islice(turn, _TRIES_BEFORE_LISTING):
            if not self._files.is_held(address) and not self._cooling(address):
                return address
        listing = self._files.listing()
        for address in turn:
            if address not in listing.held and not (
                address in listing.cooling and self._cooling(address)
            ):
                return address
        return None

    def _cooling(self, address: IPAddress) -> float:
        cooldown = self._plane.cooldown_seconds
        return self._files.cooling_seconds(address, self._now, cooldown) if cooldown else 0.0

    def _exhausted(self, version: int) -> NoneFree:
        listing = self._files.listing()
        spans = [span for span in self._spans if span.version == version]
        capacity = sum(span.size for span in spans)
        rests = [
            rest
            for address in listing.cooling - listing.held
            if any(address in span for span in spans) and (rest := self._cooling(address))
        ]
        text = f"cannot take an IPv{version} address in plane {self._plane.name}: "
        if not capacity:
            return NoneFree(
                f"{text}it has none to hand out by itself",
                "ask for a static address, or give the plane's subnets ranges",
                version,
                capacity,
            )
        cooling = f", {len(rests)} of them cooling down" if rests else ""
        soon = f"wait {min(rests):.0f} s, " if rests else ""
        return NoneFree(
            f"{text}all {capacity} are taken{cooling}",
            f"{soon}delete pods of the plane or widen its ranges",
            version,
            capacity,
        )
