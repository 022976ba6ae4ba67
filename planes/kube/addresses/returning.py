"""Return blocks that are not needed, and take back lent addresses that nobody uses.

Invariant: a block is deleted only while nothing of it is held or cools down here, which is seen
twice and a grace apart, or at once where the node is drained. Whoever creates it anew leaves out
what others still hold of it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from functools import partial
from typing import Final

from planes.kube.addresses.block_writes import BlockWrites
from planes.kube.addresses.own_blocks import OwnBlock, OwnBlocks
from planes.model.addresses import AddressRange, IPAddress
from planes.model.errors import PlanesError
from planes.model.spec.lending import OwnedBlock, common, singles, to_return, unused
from planes.run.clock import Clock
from planes.store.address_book import LocalAddressBook

_log = logging.getLogger(__name__)

GRACE_SECONDS: Final = 60.0
LOOK_SECONDS: Final = 30.0
"""Between two looks."""
DRAINING_SECONDS: Final = 5.0
"""Between two looks while the node is drained."""


class Returning:
    """Looks at the blocks of one node now and then.

    Args:
        own: its blocks in memory.
        writes: what it writes to them.
        local: which addresses are in use here.
        clock: measures the grace.
        is_drained: reports whether no new pod comes to this node.
    """

    def __init__(
        self,
        own: OwnBlocks,
        writes: BlockWrites,
        local: LocalAddressBook,
        clock: Clock,
        is_drained: Callable[[], bool],
    ) -> None:
        self._own = own
        self._writes = writes
        self._local = local
        self._clock = clock
        self._is_drained = is_drained
        self._empty: dict[str, float] = {}
        self._idle: dict[str, tuple[float, tuple[AddressRange, ...]]] = {}

    @property
    def pause(self) -> float:
        """Seconds until the next look."""
        return DRAINING_SECONDS if self._is_drained() else LOOK_SECONDS

    async def look(self, *, is_leaving: bool = False) -> None:
        """Look at all blocks once; what fails is logged and tried again the next time.

        Args:
            is_leaving: the daemon is removed from the node: all that nobody holds is returned, also
                what cools down.
        """
        for plane in self._own.planes:
            try:
                choose = partial(self._choose, plane, is_leaving)
                # An address that answers on the wire keeps no block: the next node probes it, too.
                chosen = await self._local.with_used(
                    plane, choose, counts_resting=not is_leaving, counts_quarantined=False
                )
                for own in chosen:
                    if await self._writes.delete(own):
                        facts = {"plane": plane, "block": str(own.block.network)}
                        _log.info("returned an address block", extra=facts)
                for own in tuple(self._own.of(plane).values()):
                    await self._take_back(own)
            except PlanesError as error:
                facts = {"plane": plane, "error": str(error)}
                _log.warning("cannot return address blocks yet", extra=facts)
        names = {own.name for own in self._own}
        self._empty = {name: at for name, at in self._empty.items() if name in names}
        self._idle = {name: seen for name, seen in self._idle.items() if name in names}

    def _choose(self, plane: str, is_leaving: bool, used: Collection[IPAddress]) -> list[OwnBlock]:
        """Withhold and return the blocks to delete; no address is assigned meanwhile."""
        now = self._clock.monotonic()
        is_last = is_leaving or (self._is_drained() and not used)
        seen = []
        for own in self._own.of(plane).values():
            network = own.block.network
            if any(address in network for address in used):
                self._empty.pop(own.name, None)
                seen.append(OwnedBlock(own.name, network.version, None))
            elif not own.is_leaving:
                since = self._empty.setdefault(own.name, now)
                seen.append(OwnedBlock(own.name, network.version, since))
        grace = 0.0 if is_last else GRACE_SECONDS
        names = to_return(seen, now, grace, keeps_spare=not is_last)
        for name in names:
            self._own.withhold(self._own.of(plane)[name], is_leaving=True)
        return [own for own in self._own.of(plane).values() if own.is_leaving]

    async def _take_back(self, own: OwnBlock) -> None:
        """Take back what has been lent and held by nobody since the grace began."""
        lent = own.block.lent
        if not lent or own.is_leaving:
            self._idle.pop(own.name, None)
            return
        idle = singles(unused(lent, await self._writes.holders(own.block)))
        since, before = self._idle.get(own.name, (self._clock.monotonic(), idle))
        idle = common(idle, before)
        if not idle:
            self._idle.pop(own.name, None)
            return
        self._idle[own.name] = (since, idle)
        if self._clock.monotonic() - since >= GRACE_SECONDS:
            del self._idle[own.name]
            await self._writes.take_back(own, idle)
