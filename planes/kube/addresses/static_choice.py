"""Which static address an attachment takes: one that is free, else one whose holder has gone.

A holder of this node is taken over at once. One of another node is removed by the webhook's leader,
for which an ADD waits a few seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from planes.kube.addresses.static_attempt import Attempt
from planes.kube.addresses.static_ledger import StaticLedger
from planes.kube.addresses.static_records import StaticRecords
from planes.kube.addresses.static_releases import StaticReleases
from planes.model.addresses import IPAddress
from planes.model.errors import Unavailable
from planes.model.spec.block_sizes import static_network_of
from planes.model.spec.plane_spec import Plane
from planes.run.clock import Clock
from planes.store.protocol import AddressOwner

_MOST_DEAD: Final = 16
_FEW_BLOCKS: Final = 8
"""Static blocks that are read one by one for one list of addresses."""
LEADER_SECONDS: Final = 4.0
"""How long an ADD waits for the leader: where it knows the node to be off, it needs two or three
seconds, and the kubelet's next attempt comes 10 to 15 seconds later."""
_LOOK_SECONDS: Final = 1.0


class StaticChoice:
    """Claims addresses for attachments of one node; their records are the caller's part.

    Args:
        ledger: the holders of all static addresses in the cluster.
        records: what this node's attachments may hold.
        releases: which of them were released.
        clock: tells the time.
    """

    def __init__(
        self,
        ledger: StaticLedger,
        records: StaticRecords,
        releases: StaticReleases,
        clock: Clock,
    ) -> None:
        self._ledger = ledger
        self._records = records
        self._releases = releases
        self._clock = clock

    async def choose(
        self,
        plane: Plane,
        owner: AddressOwner,
        wanted: Sequence[IPAddress],
        candidates: Sequence[IPAddress],
        held: Sequence[IPAddress],
        *,
        claim: str,
    ) -> tuple[IPAddress, ...]:
        """Claim all wanted addresses, or else one candidate of each family.

        Args:
            plane: their plane.
            owner: the attachment.
            wanted: to take all of them.
            candidates: where none are wanted.
            held: what the attachment has already.
            claim: the IPAMClaim for which some may be kept.

        Raises:
            PlanesError: as `StaticAddresses.claim`; an address that was claimed before stays so.
        """
        if wanted:
            groups: list[Sequence[IPAddress]] = [(address,) for address in dict.fromkeys(wanted)]
        else:
            first = [address for address in held if address in candidates]
            offered = await self._likely(plane, tuple(dict.fromkeys((*first, *candidates))), first)
            groups = [[a for a in offered if a.version == version] for version in (4, 6)]
        chosen = []
        for addresses in groups:
            if addresses:
                count = sum(a.version == addresses[0].version for a in candidates)
                attempt = self.attempt(plane, owner, addresses, held, claim=claim, count=count)
                chosen.append(await self._take(attempt))
        return tuple(chosen)

    async def _likely(
        self, plane: Plane, offered: Sequence[IPAddress], own: Sequence[IPAddress]
    ) -> Sequence[IPAddress]:
        """Put those first that nobody seems to hold, where they are in many blocks.

        All blocks are listed once, from the API server's cache. Of those that are held some are
        tried: their pods may be gone.
        """
        if len(set(map(static_network_of, offered))) <= _FEW_BLOCKS:
            return offered
        held = (await self._ledger.holders(plane.name)).keys() - set(own)
        free = [address for address in offered if address not in held]
        return (*free, *[address for address in offered if address in held][:_MOST_DEAD])

    def attempt(
        self,
        plane: Plane,
        owner: AddressOwner,
        addresses: Sequence[IPAddress],
        settled: Sequence[IPAddress],
        **more: Any,
    ) -> Attempt:
        """Return an attempt that begins now."""
        now = int(self._clock.now())
        return Attempt(self._ledger, plane, owner, addresses, now=now, settled=settled, **more)

    async def _take(self, attempt: Attempt) -> IPAddress:
        records = await self._records.load()
        found = await attempt.first_free(await self._releases.leaving(attempt.plane.name))
        if found is not None:
            return found
        dead = []
        for address, holder in tuple(attempt.held.items())[:_MOST_DEAD]:
            owner = holder.owner
            key = (attempt.plane.name, owner.container_id, owner.interface)
            is_ours = attempt.is_of_this_node(owner)
            if is_ours and key in records:  # its DEL has not come yet
                continue
            if not (attempt.is_former_sandbox(owner) or await self._ledger.is_gone(owner)):
                continue
            if not is_ours:
                dead.append(address)
            elif await attempt.take_over(address, holder):
                return address
        if dead:
            return await self._once_released(attempt, await attempt.wait_for(dead[0]))
        raise attempt.failure()

    async def _once_released(self, attempt: Attempt, waits: Unavailable) -> IPAddress:
        """Take an address as soon as the leader has removed its holder.

        Raises:
            Unavailable: it has not, in the time that an ADD can wait.
        """
        end = self._clock.monotonic() + LEADER_SECONDS
        while self._clock.monotonic() < end:
            await self._clock.sleep(_LOOK_SECONDS)
            is_leaving = await self._releases.leaving(attempt.plane.name)
            if (found := await attempt.first_free(is_leaving)) is not None:
                return found
        raise waits
