"""Search an address where this node's blocks have none: take a block, else borrow an address.

A kubelet tries a pod that got no address again and again, all of its pods at the same time, and a
search reads all blocks of the plane. So one of these pods searches, and the others get its answer.

Invariant: an answer counts for a moment, while the plane and the node's blocks are as they were.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from planes.kube.addresses.block_listing import AllTaken
from planes.kube.addresses.borrowing import Borrowing
from planes.kube.addresses.node_blocks import NodeBlocks
from planes.kube.addresses.own_blocks import Holding, OwnBlocks
from planes.model.addresses import IPAddress
from planes.model.errors import Exhausted, Unavailable
from planes.model.spec.plane_spec import Plane
from planes.run.clock import Clock
from planes.run.locks import KeyedLocks
from planes.store.address_claim import NoneFree
from planes.store.protocol import AddressOwner

AGAIN_SECONDS: Final = 2.0
"""Between two searches of a node in a plane and family that is full."""


@dataclass(frozen=True, slots=True)
class _InVain:
    """A search that found nothing.

    Attributes:
        generation: of the node's blocks after it, see `OwnBlocks.generation`.
        at: when it ended (seconds, monotonic).
        error: why there is no address.
    """

    plane: Plane
    generation: int
    at: float
    error: Exhausted


class Search:
    """Searches for one node.

    Args:
        own: its blocks in memory.
        blocks: takes more of them.
        borrowing: takes addresses of others.
        clock: measures how old an answer is.
    """

    def __init__(
        self, own: OwnBlocks, blocks: NodeBlocks, borrowing: Borrowing, clock: Clock
    ) -> None:
        self._own = own
        self._blocks = blocks
        self._borrowing = borrowing
        self._clock = clock
        self._locks = KeyedLocks()
        self._in_vain: dict[tuple[str, int], _InVain] = {}

    async def search(
        self,
        plane: Plane,
        owner: AddressOwner,
        holding: Holding,
        full: NoneFree,
        kept: tuple[IPAddress, ...],
    ) -> IPAddress | None:
        """Borrow an address; None where the blocks have more to hand out than before.

        Args:
            plane: the plane.
            owner: the attachment.
            holding: what the blocks had to hand out.
            full: all of that is taken.
            kept: what the attachment has borrowed already.

        Raises:
            Exhausted: there is none, by this search or by one a moment ago.
            PlanesError: the API server or this node's disk cannot be used.
        """
        key = plane.name, full.version
        async with self._locks.hold(key):
            self._check(plane, full.version)
            try:
                await self._grow(plane, holding, full)
            except AllTaken as taken:
                try:
                    return await self._borrowing.borrow(plane, owner, taken, kept)
                except Exhausted as error:
                    generation = self._own.generation(plane.name)
                    now = self._clock.monotonic()
                    self._in_vain[key] = _InVain(plane, generation, now, error)
                    raise
        return None

    def _check(self, plane: Plane, version: int) -> None:
        """Raise the error of the last search where that still counts."""
        last = self._in_vain.pop((plane.name, version), None)
        if last is None or last.plane != plane:
            return
        is_same = last.generation == self._own.generation(plane.name)
        if is_same and self._clock.monotonic() - last.at < AGAIN_SECONDS:
            self._in_vain[plane.name, version] = last
            raise Exhausted(last.error.message, remedy=last.error.remedy)

    async def _grow(self, plane: Plane, holding: Holding, full: NoneFree) -> None:
        try:
            await self._blocks.grow(plane, holding, full)
        except Unavailable as error:
            raise Unavailable(
                f"cannot take an IPv{full.version} address in plane {plane.name}: this node needs "
                f"a new block of it, but {error.message}",
                remedy=error.remedy or "it is tried again; look at the API server",
            ) from error
