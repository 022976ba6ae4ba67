"""What the leader does for addresses: the parts, and the watches of blocks and nodes they share."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from planes.kube.api import KubeApi, Query
from planes.kube.informers.cache import ObjectCache, ObjectKey
from planes.kube.informers.reflector import Reflector
from planes.kube.resources import IPBLOCKS, NODES
from planes.run.backoff import Randomness
from planes.run.clock import Clock
from planes.store.protocol import Store
from webhook.controller.blocks import Blocks, BlockSeen
from webhook.controller.departed import DepartedNodes
from webhook.controller.held_by_nodes import HeldByNodes
from webhook.controller.holders import HolderKeeper, WaitSink
from webhook.controller.kept_for_claims import KeptForClaims
from webhook.controller.leaks import LeakScan
from webhook.controller.node_looks import NodeLooks


class AddressKeepers:
    """Releases addresses of pods that are gone and of nodes that left; `works` must run.

    Args:
        api: writes through it must fail while this replica does not lead.
        store: knows what pods claim.
        clock: measures how long nodes were as they are.
        randomness: for delays.
        failed: called for each attempt that failed.
        released: called with what was released, and how many.
        listed: called at the end of each listing of blocks.
        waits: called once for each address that is waited for in vain.

    Attributes:
        blocks: the IPBlocks of each plane and node.
        held: the addresses that nodes have by them.
    """

    def __init__(
        self,
        api: KubeApi,
        store: Store,
        clock: Clock,
        *,
        randomness: Randomness,
        failed: Callable[[], None],
        released: Callable[[str, int], None],
        listed: Callable[[], None],
        waits: WaitSink | None = None,
    ) -> None:
        self._api = api
        self._clock = clock
        self._randomness = randomness
        looks = NodeLooks(api, clock)
        self._holders = HolderKeeper(
            api,
            clock,
            randomness=randomness,
            failed=failed,
            looks=looks,
            removed=lambda count: released("holder", count),
            waits=waits,
        )
        self._leaks = LeakScan(api, store, clock, self._holders.suspect)
        self._claims = KeptForClaims(
            api, clock, lambda count: released("claim", count), lambda: bool(self._keeping)
        )
        self._keeping: set[str] = set()
        self.blocks = Blocks(self._holders.add)
        self.held = HeldByNodes(self.blocks.ignored)
        self._cache = ObjectCache(self.blocks.read, on_object=self._changed, on_listed=listed)
        self._departed = DepartedNodes(
            api,
            clock,
            looks,
            self.blocks.of_nodes,
            is_seen=lambda: self.is_synced,
            released=released,
        )

    def _changed(self, key: ObjectKey, old: BlockSeen | None, new: BlockSeen | None) -> None:
        self.blocks.changed(key, old, new)
        self.held.changed(key.name, old, new)
        if new is not None and new.addresses.keeps:
            self._keeping.add(key.name)
        else:
            self._keeping.discard(key.name)

    @property
    def is_synced(self) -> bool:
        """Whether all blocks were listed."""
        return self._cache.is_synced

    @property
    def leaked(self) -> int:
        """How many holders have no pod any more, and are not yet known to have stopped."""
        return self._holders.waiting

    def works(self) -> Iterator[Coroutine[Any, Any, None]]:
        """Yield all that has to run until cancelled."""
        nodes = Query(NODES, is_metadata_only=True)
        for query, handler in ((Query(IPBLOCKS), self._cache), (nodes, self._departed.nodes)):
            yield Reflector(
                self._api, query, handler, clock=self._clock, randomness=self._randomness
            ).run()
        yield self._holders.run()
        yield self._departed.run()
        yield self._leaks.run()
        yield self._claims.run()
