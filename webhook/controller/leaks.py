"""Find holders of static addresses that no pod claims any more, though nobody waits for them.

A pod that was deleted by force, on a node that lost its state, leaves a holder that no DEL removes.
All static blocks are read from the API server's cache now and then, and compared with what pods
claim. That costs no request for a pod, because admission watches pods anyway.

Invariant: a holder counts as valid until two scans in a row found no pod that claims its address.
Then it is only suspected: `webhook.controller.holders` reads its pod and looks at its node.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from planes.kube.addresses.holders import Holder, StaticBlock, read_static
from planes.kube.addresses.ipblocks import STATIC
from planes.kube.api import KubeApi, Query
from planes.kube.resources import IPBLOCKS
from planes.model.addresses import IPAddress
from planes.model.errors import Internal, PlanesError
from planes.model.state.catalog import Catalog
from planes.run.clock import Clock
from planes.store.protocol import Store
from webhook.controller.holder_turns import Held

_log = logging.getLogger(__name__)

SCAN_SECONDS: Final = 300.0
_MOST_BLOCKS: Final = 512
"""Blocks with suspects that are kept of one scan, and looked at before the next."""
_MOST_OF_NODE: Final = 16
"""And of these, blocks with holders of one node: a node can hold addresses for no pods, in any
number of blocks, as fast as they are released."""


class LeakScan:
    """Scans static blocks now and then; `run` must run.

    Args:
        suspect: called with a block's name and the holders in it that no pod claims.
    """

    def __init__(
        self, api: KubeApi, store: Store, clock: Clock, suspect: Callable[[str, Held], None]
    ) -> None:
        self._api = api
        self._store = store
        self._clock = clock
        self._suspect = suspect
        self._unclaimed: dict[str, Held] = {}
        self._begin = ""
        self._is_second = False

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await self._clock.sleep(SCAN_SECONDS)
            if self._store.is_synced:
                try:
                    await self._scan()
                except PlanesError as error:
                    _log.warning("static blocks not scanned", extra={"reason": str(error)})

    async def _scan(self) -> None:
        before, window = self._unclaimed, _Window(self._begin)
        catalog = self._store.catalog
        query = Query(IPBLOCKS, fields=f"spec.use={STATIC}", at_least="0")
        async for page in self._api.pages(query):
            for obj in page.items:
                try:
                    block = read_static(obj)
                except Internal:  # the plane's status tells of it
                    continue
                found = {a: holder for a, holder in block.holders.items() if _names_pod(holder)}
                window.offer(block.shape.name, _unclaimed(block, found, catalog))
        now, left_out = window.result()
        self._unclaimed = now
        for name, holders in now.items():
            known = before.get(name, {})
            if twice := {a: holder for a, holder in holders.items() if known.get(a) == holder}:
                self._suspect(name, twice)
        # Two scans look at the same blocks; then those that were left out come first.
        if self._is_second:
            self._begin = left_out
        self._is_second = not self._is_second


class _Window:
    """The blocks with suspects that one scan keeps, in a circle that begins at a name.

    A tenant can leave any number of such holders, and a node can write them. So the number of
    blocks is bounded, and that of one node; the circle begins elsewhere each time.

    Args:
        begin: the name of the first block.
    """

    def __init__(self, begin: str) -> None:
        self._begin = begin
        self._parts = (_Bounded(), _Bounded())

    def offer(self, name: str, holders: Held) -> None:
        """Take a block that comes after those that were offered, by name."""
        self._parts[name < self._begin].add(name, holders)

    def result(self) -> tuple[dict[str, Held], str]:
        """Return the blocks, and the first one that was left out; "" where none was."""
        first, second = self._parts
        both = _Bounded(first.blocks, first.shares)
        for name, holders in second.blocks.items():
            both.add(name, holders)
        left_out = first.left_out or min(filter(None, (both.left_out, second.left_out)), default="")
        return both.blocks, left_out


@dataclass(slots=True)
class _Bounded:
    """Blocks, each with its holders, within the bounds.

    Attributes:
        shares: how many of the blocks have holders of each node.
        left_out: the name of the first block of which any holder had no place.
    """

    blocks: dict[str, Held] = field(default_factory=dict)
    shares: Counter[str] = field(default_factory=Counter)
    left_out: str = ""

    def add(self, name: str, holders: Held) -> None:
        """Add a block, or those of its holders for which there is a place."""
        if not holders:
            return
        kept = {a: h for a, h in holders.items() if self.shares[h.owner.node] < _MOST_OF_NODE}
        if len(self.blocks) >= _MOST_BLOCKS:
            kept = {}
        if kept:
            self.blocks[name] = kept
            self.shares.update({holder.owner.node for holder in kept.values()})
        if len(kept) < len(holders):
            self.left_out = self.left_out or name


def _names_pod(holder: Holder) -> bool:
    owner = holder.owner
    return bool(owner.namespace and owner.pod and owner.uid)


def _unclaimed(block: StaticBlock, holders: Held, catalog: Catalog) -> dict[IPAddress, Holder]:
    """Return the holders whose pod, by name, neither asks for the address nor shows it."""
    plane = catalog.plane(block.shape.plane)
    found = {}
    for address, holder in holders.items():
        pod = f"{holder.owner.namespace}/{holder.owner.pod}"
        claims = () if plane is None else catalog.claims.holders(plane.ref, address)
        if all(claim.pod != pod for claim in claims):
            found[address] = holder
    return found
