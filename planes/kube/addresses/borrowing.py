"""Take single addresses of blocks that lend them, where this node finds no block any more.

A borrowed address is claimed like a static one: as a holder in the ledger, over the version that
was read; then its block is read, which must not hand it out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from planes.kube.addresses.asking import Asker
from planes.kube.addresses.block_listing import AllTaken, BlockListing, exhausted
from planes.kube.addresses.held_elsewhere import HeldElsewhere
from planes.kube.addresses.ipblocks import NodeBlock
from planes.kube.addresses.static_addresses import StaticAddresses
from planes.kube.api import KubeApi
from planes.model.addresses import IPAddress
from planes.model.errors import Unavailable
from planes.model.spec.conflict_probe import FIRST_REST_SECONDS
from planes.model.spec.lending import common, without
from planes.model.spec.plane_spec import Plane
from planes.run.clock import Clock
from planes.run.locks import KeyedLocks
from planes.store.protocol import AddressOwner

_MOST_TRIED: Final = 16
_MOST_AVOIDED: Final = 64
"""Addresses that answered to probes and are remembered; of more the oldest one is tried again."""


class Borrowing:
    """Addresses of other nodes' blocks for pods of this node, and lent ones of its own.

    Args:
        api: the API server.
        node: this node's name.
        static: claims and releases them.
        asker: asks nodes to lend some.
        clock: says how long an address that somebody on the wire has is left alone.
    """

    def __init__(
        self, api: KubeApi, node: str, static: StaticAddresses, asker: Asker, clock: Clock
    ) -> None:
        self._api = api
        self._node = node
        self._static = static
        self._asker = asker
        self._clock = clock
        self._avoided: dict[tuple[str, IPAddress], float] = {}
        self._locks = KeyedLocks()
        self._listing = BlockListing(api)
        self._seen: dict[tuple[str, int], list[NodeBlock]] = {}

    async def borrow(
        self, plane: Plane, owner: AddressOwner, taken: AllTaken, kept: Sequence[IPAddress]
    ) -> IPAddress | None:
        """Take an address; None where a block was returned, which can be taken now.

        Args:
            plane: the plane.
            owner: the attachment.
            taken: its blocks: there is none left.
            kept: what the attachment has borrowed already.

        Raises:
            Exhausted: no node lends one.
            Unavailable: a node that was asked has not answered yet.
            PlanesError: the API server or this node's disk cannot be used.
        """
        version = taken.full.version
        # One after the other: the first asks, and the answer serves those that wait.
        async with self._locks.hold((plane.name, version)):
            blocks = self._newest(taken.blocks, version)
            elsewhere = await HeldElsewhere.read(self._api, plane)
            found = await self._claim(plane, owner, kept, blocks, elsewhere)
            if found is not None:
                return found
            text, silent = "nodes do not borrow in this plane (ipam.borrow is false)", False
            if plane.borrow:
                answers = await self._asker.ask(plane.name, version, blocks)
                while await self._asker.wait(answers):
                    if answers.has_returned:
                        return None
                    now = await self._listed(plane.name, version, answers.at_least)
                    if {b.name for b in blocks} > {b.name for b in now}:
                        return None
                    if found := await self._claim(plane, owner, kept, now, elsewhere):
                        return found
                text, silent = answers.text, bool(answers.silent)
            # Else the pod would be told that all are taken, and not who has the one that is left.
            if found := await self._claim(plane, owner, kept, blocks, elsewhere, avoids=False):
                return found
        error = exhausted(plane, self._node, taken, elsewhere, text)
        raise Unavailable(error.message, remedy=error.remedy) if silent else error

    async def held(self, plane: Plane, owner: AddressOwner) -> tuple[IPAddress, ...]:
        """Return the addresses that an attachment has borrowed already and may keep.

        Raises:
            Unavailable: the records cannot be read.
        """
        found = await self._static.borrowed(plane, owner)
        return tuple(address for address in found if not self._is_avoided(plane, address))

    async def avoid(
        self, plane: Plane, owner: AddressOwner, answered: Collection[IPAddress]
    ) -> None:
        """Borrow addresses that an attachment has borrowed no more for a while: somebody has them.

        Raises:
            Unavailable: the records cannot be read.
        """
        for address in await self._static.borrowed(plane, owner):
            if address in answered:
                self._avoided.pop((plane.name, address), None)
                until = self._clock.monotonic() + FIRST_REST_SECONDS
                self._avoided[plane.name, address] = until
        for oldest in list(self._avoided)[:-_MOST_AVOIDED]:
            del self._avoided[oldest]

    def _is_avoided(self, plane: Plane, address: IPAddress) -> bool:
        return self._avoided.get((plane.name, address), 0.0) > self._clock.monotonic()

    async def _claim(
        self,
        plane: Plane,
        owner: AddressOwner,
        kept: Sequence[IPAddress],
        blocks: Iterable[NodeBlock],
        elsewhere: HeldElsewhere,
        *,
        avoids: bool = True,
    ) -> IPAddress | None:
        ours = [block for block in blocks if plane.borrow or block.node == self._node]
        ours.sort(key=lambda block: block.node != self._node)
        lent = _lent(plane, ours, elsewhere)
        of_use = (a for a in lent if not (avoids and self._is_avoided(plane, a)))
        candidates = tuple(islice(of_use, _MOST_TRIED))
        if not candidates:
            return None
        return await self._static.borrow(plane, owner, kept, candidates)

    async def _listed(self, plane: str, version: int, at_least: str) -> list[NodeBlock]:
        """List the blocks of a plane and family after an answer; those that wait use it, too."""
        found = [
            block
            async for _, block in self._listing.of_plane(plane, at_least)
            if block is not None and block.network.version == version
        ]
        self._seen[plane, version] = found
        return found

    def _newest(self, blocks: Iterable[NodeBlock], version: int) -> list[NodeBlock]:
        """Return the blocks of a family, each as it was read last."""
        found = [block for block in blocks if block.network.version == version]
        plane = found[0].plane if found else ""
        seen = {block.name: block for block in self._seen.pop((plane, version), ())}
        newest = [max(block, seen.get(block.name, block), key=_age) for block in found]
        if seen:
            self._seen[plane, version] = newest
        return newest


def _age(block: NodeBlock) -> int:
    return int(block.version) if block.version.isascii() and block.version.isdigit() else 0


def _lent(
    plane: Plane, blocks: Iterable[NodeBlock], elsewhere: HeldElsewhere
) -> Iterator[IPAddress]:
    dynamic = [span for subnet in plane.subnets for span in subnet.dynamic]
    for block in blocks:
        for span in without(common(block.lent, dynamic), block.static):
            for address in span:
                if address in block.network and not elsewhere.is_held(address):
                    yield address
