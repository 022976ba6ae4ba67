"""One claim of addresses in a plane's directory: which are chosen, and why none can be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

from planes.model.addresses import AddressRange, IPAddress
from planes.model.errors import Exhausted
from planes.model.spec.plane_spec import Plane
from planes.store.address_files import AddressFiles
from planes.store.plane_addresses import all_taken, is_useless, taken
from planes.store.protocol import AddressOwner
from planes.store.rotation import in_turn

# Round-robin nearly always finds the next address free; only a full plane is worth listing.
_TRIES_BEFORE_LISTING: Final = 16


class NoneFree(Exhausted):
    """All addresses of one family that may be assigned are taken.

    Args:
        version: the family, 4 or 6.
        capacity: how many there are.
    """

    def __init__(self, message: str, remedy: str, version: int, capacity: int) -> None:
        super().__init__(message, remedy=remedy)
        self.version = version
        self.capacity = capacity


class AddressClaim:
    """One call of `LocalAddressBook.claim`.

    Args:
        files: of the plane.
        plane: the plane.
        owner: the attachment.
        now: seconds since the epoch.
        spans: where an address is chosen from if none is asked for.
        families: IP versions of which an address is chosen then.
    """

    def __init__(
        self,
        files: AddressFiles,
        plane: Plane,
        owner: AddressOwner,
        now: float,
        *,
        spans: Sequence[AddressRange],
        families: frozenset[int],
    ) -> None:
        self._files = files
        self._plane = plane
        self._owner = owner
        self._now = now
        self._spans = spans
        self._families = families
        self._quarantined: Mapping[IPAddress, float] = {}

    def carry_out(
        self, wanted: tuple[IPAddress, ...], candidates: tuple[IPAddress, ...]
    ) -> tuple[IPAddress, ...]:
        """Choose and take addresses, or keep those the owner has already; holds the lock.

        Raises:
            Conflict: another attachment holds a wanted address; the text names it.
            NoneFree: no address is free.
            Unavailable: the directory cannot be used.
        """
        owner = self._owner
        with self._files.lock():
            if self._plane.probe is not None:
                self._quarantined = self._files.quarantine.resting(self._now)
            held = self._files.held_by(owner.container_id, owner.interface)
            if held and self._fits(held, wanted, candidates):
                return held
            if wanted:
                chosen = self._exactly(tuple(dict.fromkeys(wanted)), held)
            elif candidates:
                chosen = self._first_free_of(candidates, held)
            else:
                chosen = self._next_free()
            # Also where nothing is held: an attempt that was killed half-way may have left a
            # record.
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
        if any(is_useless(self._plane, a) or a in self._quarantined for a in held):
            return False  # the plane was changed since, or somebody answered for it
        families = {address.version for address in candidates} or self._families
        return {address.version for address in held} == families and (
            not candidates or set(held) <= set(candidates)
        )

    def _exactly(
        self, wanted: tuple[IPAddress, ...], held: tuple[IPAddress, ...]
    ) -> tuple[IPAddress, ...]:
        for address in wanted:
            holder = None if address in held else self._files.owner_of(address)
            if holder is not None:
                raise taken(address, self._plane, holder, self._owner)
        return wanted

    def _first_free_of(
        self, candidates: tuple[IPAddress, ...], held: tuple[IPAddress, ...]
    ) -> tuple[IPAddress, ...]:
        chosen: dict[int, IPAddress] = {}
        for address in candidates:
            is_free = address in held or not self._files.is_held(address)
            if is_free and address.version not in chosen and address not in self._quarantined:
                chosen[address.version] = address
        for version in {address.version for address in candidates} - set(chosen):
            asked = [address for address in candidates if address.version == version]
            holder = self._files.owner_of(asked[0]) or AddressOwner("", "")
            raise all_taken(asked, self._plane, holder)
        return tuple(chosen.values())

    def _next_free(self) -> tuple[IPAddress, ...]:
        chosen = []
        for version in sorted(self._families):
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
            if address not in listing.held and not self._cooling(address):
                return address
        return None

    def _cooling(self, address: IPAddress) -> float:
        cooldown, rest = self._plane.cooldown_seconds, self._quarantined.get(address, 0.0)
        cooling = self._files.cooling_seconds(address, self._now, cooldown) if cooldown else 0.0
        return max(cooling, rest)

    def _exhausted(self, version: int) -> NoneFree:
        listing = self._files.listing()
        spans = [span for span in self._spans if span.version == version]
        capacity = sum(span.size for span in spans)
        quarantined = [a for a in self._quarantined if any(a in span for span in spans)]
        rests = [
            rest
            for address in listing.cooling - listing.held - self._quarantined.keys()
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
        if quarantined:
            cooling += f", {len(quarantined)} in use by somebody on the wire, who answered for them"
        soon = f"wait {min(rests):.0f} s, " if rests else ""
        return NoneFree(
            f"{text}all {capacity} are taken{cooling}",
            f"{soon}delete pods of the plane or widen its ranges",
            version,
            capacity,
        )
