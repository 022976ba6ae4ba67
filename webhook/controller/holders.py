"""Take the holders of static addresses out whose pods are gone, where a node waits for that.

A node may write only its own entries (see manifests/base/policies/nodes.yaml), so the address of a
pod whose node died passes on here. The word of the node that asks counts for nothing: the pod is
read, live, and twice.

Invariant: an entry is taken out only when two looks, a tick apart, found no pod with its UID on its
node, and only over exactly the version of the block that was looked at.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from itertools import islice, zip_longest
from typing import Final

from planes.kube.api import KubeApi
from planes.kube.holders import Holder, StaticBlock, read_static, rewritten
from planes.kube.resources import IPBLOCKS
from planes.kube.static_ledger import is_gone
from planes.model.addresses import IPAddress
from planes.model.errors import Internal, NotFound
from planes.run.clock import Clock
from webhook.controller.queue import WorkQueue

_log = logging.getLogger(__name__)

TICK_SECONDS: Final = 1.0
_AT_ONCE: Final = 8
"""Pods that are read at one look at a block: the next look goes on."""
_LOOKS_EACH: Final = 4
"""Ticks for which one node's wishes go first, where many nodes have some."""


class HolderKeeper:
    """Looks at blocks in which a node has found a holder dead; `run` must run.

    Args:
        chance: gives a number from 0 to 1, for delays.
        failed: told of each look that failed.
    """

    def __init__(
        self,
        api: KubeApi,
        clock: Clock,
        *,
        chance: Callable[[], float],
        failed: Callable[[], None],
    ) -> None:
        self._api = api
        self._clock = clock
        # A queue of its own: whoever makes many wishes delays those of others, nothing else.
        self._queue: WorkQueue[str] = WorkQueue(self.look, clock, chance=chance, failed=failed)
        self._pending: set[str] = set()
        self._seen_gone: dict[str, Mapping[IPAddress, Holder]] = {}

    def wanted(self, name: str) -> None:
        """Have a block looked at, within a tick: however often it is written, once a tick."""
        self._pending.add(name)

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._queue.run(workers=2))
            group.create_task(self._tick())

    async def _tick(self) -> None:
        while True:
            await self._clock.sleep(TICK_SECONDS)
            pending, self._pending = self._pending, set()
            for name in pending:
                self._queue.remind(name)

    async def look(self, name: str) -> bool:
        """Look at the holders that somebody waits for; always False: a wish may be repeated.

        Raises:
            PlanesError: pods cannot be read, or the block could not be written.
        """
        before = self._seen_gone.pop(name, {})
        try:
            obj = await self._api.get(IPBLOCKS, name)
            block = read_static(obj)
        except (NotFound, Internal):  # no static block (any more): told of by the plane's status
            return False
        # The same ones twice in a row: that makes two looks at each.
        asked = _asked(block, int(self._clock.monotonic() / (_LOOKS_EACH * TICK_SECONDS)))
        gone = {
            address: holder
            for address, holder in asked.items()
            if await is_gone(self._api, holder.owner)
        }
        dead = {
            address: holder for address, holder in gone.items() if before.get(address) == holder
        }
        settled = {str(address) for address in asked if address in dead or address not in gone}
        held = set(map(str, block.holders)) - settled
        wanted = {text: node for text, node in block.wanted.items() if text in held}
        if wanted:
            self._seen_gone[name] = {a: holder for a, holder in gone.items() if a not in dead}
            self._pending.add(name)
        if wanted != block.wanted:
            holders = {a: holder for a, holder in block.holders.items() if a not in dead}
            await self._api.replace(IPBLOCKS, rewritten(obj, block, holders, wanted))
            _tell(block, dead)
        return False


def _asked(block: StaticBlock, turn: int) -> Mapping[IPAddress, Holder]:
    """Give some of the addresses that are waited for, with who holds them.

    Nodes take turns, whoever has how many wishes: a node can make as many as the block has holders,
    and make them anew as soon as they are taken back.
    """
    by_node: dict[str, list[tuple[IPAddress, Holder]]] = {}
    for address, holder in block.holders.items():
        node = block.wanted.get(str(address))
        if node is not None:
            by_node.setdefault(str(node), []).append((address, holder))
    order = sorted(by_node)
    start = turn % len(order) if order else 0
    rounds = zip_longest(*(by_node[node] for node in (*order[start:], *order[:start])))
    return dict(islice((one for each in rounds for one in each if one is not None), _AT_ONCE))


def _tell(block: StaticBlock, dead: Mapping[IPAddress, Holder]) -> None:
    for address, holder in dead.items():
        _log.warning(
            "freed a static address: the pod that held it no longer exists",
            extra={
                "plane": block.shape.plane,
                "address": str(address),
                "pod": f"{holder.owner.namespace}/{holder.owner.pod}",
                "uid": holder.owner.uid,
                "node": holder.owner.node,
            },
        )
