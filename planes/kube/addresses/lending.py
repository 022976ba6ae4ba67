"""Answer nodes that ask for addresses of this node's blocks, and give up blocks that are lost.

A block that somebody deleted is taken again while pods have addresses of it.

A request in one block is answered for all blocks of its plane and family. Each block is read before
anything is decided, and answered once a second at most: whoever asks without end costs a bounded
number of writes.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from functools import partial
from typing import Final

from planes.kube.addresses.block_writes import BlockWrites, Lost
from planes.kube.addresses.ipblocks import NodeBlock
from planes.kube.addresses.node_blocks import NodeBlocks
from planes.kube.addresses.own_blocks import OwnBlock, OwnBlocks
from planes.model.addresses import IPAddress
from planes.model.events import Event, about_node
from planes.model.spec.lending import common, to_lend, unused
from planes.model.spec.plane_spec import Plane
from planes.store.address_book import LocalAddressBook

_log = logging.getLogger(__name__)

LOST_REASON: Final = "AddressBlockLost"
ANSWER_SECONDS: Final = 1.0
"""Between two answers of one block."""
_LONGEST_PAUSE: Final = 60.0
"""Between two attempts to take a deleted block again."""

Emit = Callable[[Event], Awaitable[None]]


class Lender:
    """Answers for the blocks of one node.

    Args:
        node: this node's name.
        own: its blocks in memory.
        blocks: finds those that were made in its name.
        writes: what it writes to them.
        local: which addresses are in use here.
        plane_of: returns a plane as it is now.
        emit: publishes an event.
    """

    def __init__(
        self,
        node: str,
        own: OwnBlocks,
        blocks: NodeBlocks,
        writes: BlockWrites,
        local: LocalAddressBook,
        *,
        plane_of: Callable[[str], Plane | None],
        emit: Emit,
    ) -> None:
        self._node = node
        self._own = own
        self._blocks = blocks
        self._writes = writes
        self._local = local
        self._plane_of = plane_of
        self._emit = emit
        self._deleted: dict[str, NodeBlock] = {}
        self._tries: Counter[str] = Counter()

    async def tend(self, name: str) -> bool:
        """Look at one block; return False where it is in use by another daemon.

        Raises:
            PlanesError: the API server or the state directory cannot be used; try again.
        """
        own = self._own.named(name)
        if own is None:
            await self._blocks.find(name)
            own = self._own.named(name)
            if own is None:
                await self._take_again(name)
                return True
        if self._deleted.pop(name, None) is not None:
            del self._tries[name]
        found = await self._writes.look(own)
        if isinstance(found, Lost):
            await self._report(own, found)
            if found is Lost.GONE and not own.is_leaving:
                self._deleted[name] = own.block
                await self._take_again(name)
            return found is not Lost.TAKEN
        if found.asked and not own.is_leaving:
            await self._answer(own, found)
        return True

    def pause(self, name: str) -> float:
        """Return the seconds until a block is looked at again that could not be looked at.

        A deleted block is looked for ever more rarely: the API server may refuse it to all nodes.
        """
        return min(ANSWER_SECONDS * 2.0 ** min(self._tries[name], 9), _LONGEST_PAUSE)

    async def _take_again(self, name: str) -> None:
        """Take a deleted block again if pods have addresses of it, before another node does."""
        block = self._deleted.get(name)
        if block is None:
            return
        self._tries[name] += 1
        plane = self._plane_of(block.plane)
        is_used = await self._local.with_used(
            block.plane,
            lambda used: any(address in block.network for address in used),
            counts_resting=False,
        )
        if is_used and plane is not None:
            if await self._blocks.take_again(plane, block.network):
                _log.warning("took a deleted address block again", extra={"block": name})
            else:
                _log.error("another node may have taken a deleted block", extra={"block": name})
        del self._deleted[name], self._tries[name]

    async def _answer(self, asked: OwnBlock, block: NodeBlock) -> None:
        """Lend something of this node's blocks, or return one; then remove the requests."""
        plane, version = self._plane_of(block.plane), block.network.version
        if plane is not None and plane.borrow:
            for own in self._family(plane.name, version):
                await self._writes.refresh_kept(own)  # else it waits for a claim on this node
            ours = [own.block for own in self._family(plane.name, version)]
            held = await self._writes.holders(*ours)
            choose = partial(self._set_apart, plane, version, held)
            chosen = await self._local.with_used(plane.name, choose)
            if chosen is not None and chosen.is_leaving:
                await self._writes.delete(chosen)
                _log.info("returned an address block that a node asked for", extra=_facts(chosen))
            elif chosen is not None:
                # Whoever sees its request removed finds what was lent.
                await self._writes.lend(chosen)
            if chosen is asked:
                return
        await self._writes.lend(asked)

    def _set_apart(
        self,
        plane: Plane,
        version: int,
        held: Collection[IPAddress],
        used: Collection[IPAddress],
    ) -> OwnBlock | None:
        """Withhold all of an empty block, or about half of what is free in another.

        No address of the plane is assigned meanwhile. What somebody claims already though it is not
        lent is not lent to him. Return the block; None where none has room, or enough is lent.
        """
        ours = self._family(plane.name, version)
        dynamic = [span for subnet in plane.subnets for span in subnet.dynamic]
        if any(unused(common(own.block.lent, dynamic), held) for own in ours):
            return None
        for own in ours if len(ours) > 1 else ():
            if not any(address in own.block.network for address in used):
                self._own.withhold(own, is_leaving=True)
                return own
        taken = {*used, *held}
        free = {own.name: unused(own.gives(plane), taken) for own in ours}
        chosen = max(ours, key=lambda own: len(free[own.name]), default=None)
        if chosen is None or not free[chosen.name]:
            return None
        self._own.withhold(chosen, to_lend(free[chosen.name]))
        return chosen

    def _family(self, plane: str, version: int) -> list[OwnBlock]:
        """Return the blocks of a plane and family that are not being returned."""
        return [
            own
            for own in self._own.of(plane).values()
            if own.block.network.version == version and not own.is_leaving
        ]

    async def _report(self, own: OwnBlock, lost: Lost) -> None:
        if lost is Lost.GONE and own.is_leaving:
            return
        _log.error(
            "an address block is not this node's any more",
            extra={**_facts(own), "cause": lost.value},
        )
        text = (
            f"IPBlock {own.name} is not used any more: {lost.value}. Pods that have addresses of "
            "it keep them, and it is taken again for them if it was deleted and no other node was "
            "faster. No two machines may share a node name, and no block in use may be deleted"
        )
        await self._emit(about_node(self._node, LOST_REASON, text, warns=True))


def _facts(own: OwnBlock) -> dict[str, str]:
    return {"plane": own.block.plane, "block": str(own.block.network)}
