"""The nodes that a decision about addresses depends on, each looked at now and then.

Reading all Nodes and Leases of a large cluster costs more than all else that the leader does: 5,000
Leases change 500 times a second. So only nodes are looked at whose blocks or holders may have to be
released, two small requests each.

Invariant: a node is looked at once in `LOOK_SECONDS` at most, or when a look can show that it is
gone, and all nodes together `_PER_SECOND` times a second, whatever nodes ask for. What was seen is
forgotten when a node's object appears.
"""

from __future__ import annotations

from typing import Final

from planes.kube.addresses.node_look import look_at
from planes.kube.api import KubeApi
from planes.model.state.fencing import NodeSeen
from planes.run.clock import Clock
from planes.run.locks import KeyedLocks

LOOK_SECONDS: Final = 10.0
"""As often as a kubelet renews its Lease."""
_PER_SECOND: Final = 50.0
_MOST_NODES: Final = 16_384
"""More than a cluster has, some 6 MiB. Who was not looked at for longest is looked at anew: if a
cluster had more, and all of them vanished, none would be looked at twice."""


class NodeLooks:
    """What was seen of nodes in this term.

    Args:
        api: the API server; every read of it is live.
        clock: measures how long a node was as it is.
    """

    def __init__(self, api: KubeApi, clock: Clock) -> None:
        self._api = api
        self._clock = clock
        self._seen: dict[str, NodeSeen] = {}
        self._looking: set[str] = set()
        self._locks = KeyedLocks()
        self._next_at = 0.0

    def __len__(self) -> int:
        """Count the nodes that are remembered."""
        return len(self._seen)

    async def look(self, node: str, *, is_fresh: bool = False) -> NodeSeen:
        """Return what is known of a node, after a look where the last one is too old.

        Args:
            node: its name, which must be valid.
            is_fresh: look now, also if the last look was a moment ago.

        Raises:
            PlanesError: it could not be looked at.
        """
        async with self._locks.hold(node):
            before = self._seen.get(node)
            if before is not None and not is_fresh and not self._is_due(before):
                return before
            await self._pace()
            self._looking.add(node)
            try:
                found = await look_at(self._api, self._clock, node)
                was_forgotten = node not in self._looking
            finally:
                self._looking.discard(node)
            if was_forgotten:  # the node was added since: this look says nothing of it, either
                return NodeSeen.first(found)
            before = self._seen.pop(node, None)
            seen = NodeSeen.first(found) if before is None else before.after(found)
            self._seen[node] = seen  # the last in order
            if len(self._seen) > _MOST_NODES:
                del self._seen[next(iter(self._seen))]
            return seen

    def known(self, node: str) -> NodeSeen | None:
        """Return what is known of a node without a look; None where it was not looked at."""
        return self._seen.get(node)

    def forget(self, node: str) -> None:
        """Forget a node: it was added, so what was seen before says nothing of it.

        Nor does a look that goes on: it may have found that the node was not there yet.
        """
        self._seen.pop(node, None)
        self._looking.discard(node)

    def _is_due(self, seen: NodeSeen) -> bool:
        passed = self._clock.monotonic() - seen.last.ended
        can_show = not seen.last.is_there and seen.fence() is None and passed >= seen.wait()
        return can_show or passed >= LOOK_SECONDS

    async def _pace(self) -> None:
        """Wait so that no second has more looks than `_PER_SECOND`; as many may come at once."""
        now = self._clock.monotonic()
        self._next_at = max(self._next_at, now - 1) + 1 / _PER_SECOND
        if (delay := self._next_at - now) > 0:
            await self._clock.sleep(delay)
