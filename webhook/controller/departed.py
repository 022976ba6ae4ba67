"""Release the blocks and static addresses of nodes that left the cluster.

Which nodes there are comes from a watch of metadata: a Node object of a large cluster changes every
few minutes, its Lease, which is not watched, every ten seconds. A node that has addresses and no
Node object is looked at live, and again 40 seconds later (see `planes.model.state.fencing`).

Invariant: nothing is released before both looks found no Node object, its Lease was gone or not
renewed, no pod that had started there and not ended, and the watch showed no node of that name
meanwhile. What is released was read before the last look, and is removed only as the node had
written it then: a daemon that comes back under the name writes to its blocks before it uses them,
and so keeps them.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from typing import Final

from planes.kube.addresses.ipblocks import NODE
from planes.kube.addresses.node_release import (
    StaticAsRead,
    delete_block,
    read_static_block,
    remove_holders,
)
from planes.kube.api import KubeApi, Query
from planes.kube.informers.cache import ObjectCache, ObjectKey
from planes.kube.resources import PODS
from planes.model.errors import Conflict, JsonObject, PlanesError
from planes.model.state.fencing import GONE_SECONDS, Fence, NodeSeen
from planes.run.clock import Clock
from webhook.controller.blocks import BlockSeen
from webhook.controller.node_looks import LOOK_SECONDS, NodeLooks

_log = logging.getLogger(__name__)

STEP_SECONDS: Final = 5.0
"""One node is released in a step: time to stop it where many Node objects vanish by mistake."""
_RUNNING: Final = "status.phase!=Succeeded,status.phase!=Failed,status.podIP!="
"""Selects pods that have not ended and have a sandbox. Only a kubelet says so (`pods/status`)."""
_AT_ONCE: Final = 64
"""Nodes that are looked at in one step."""


def read_node(obj: JsonObject) -> str:
    """Return the UID of a Node, all that is kept of it."""
    return str(obj["metadata"].get("uid", ""))


class DepartedNodes:
    """Releases what nodes without a Node object have; `run` must run.

    Args:
        api: writes through it must fail while this replica does not lead.
        clock: paces looks and releases.
        looks: what is known of nodes.
        of_nodes: the blocks of each node, by node and name, as last seen.
        is_seen: reports whether all blocks were listed.
        released: called with what was released, `block` or `node-holder`, and how many.

    Attributes:
        nodes: handles the watch of Nodes.
    """

    def __init__(
        self,
        api: KubeApi,
        clock: Clock,
        looks: NodeLooks,
        of_nodes: Mapping[str, Mapping[str, BlockSeen]],
        *,
        is_seen: Callable[[], bool],
        released: Callable[[str, int], None],
    ) -> None:
        self._api = api
        self._clock = clock
        self._looks = looks
        self._of_nodes = of_nodes
        self._is_seen = is_seen
        self._released = released
        self._due: dict[str, float] = {}
        self.nodes = ObjectCache(read_node, on_object=self._changed)

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await self._clock.sleep(STEP_SECONDS)
            if self.nodes.is_synced and self._is_seen():
                await self._step()

    def _changed(self, key: ObjectKey, _old: str | None, new: str | None) -> None:
        if new is not None:
            self._looks.forget(key.name)

    async def _step(self) -> None:
        """Look at nodes that are missing and due; release what one of them has."""
        missing = [node for node in self._of_nodes if self._is_missing(node)]
        self._due = {node: self._due.get(node, 0.0) for node in missing}
        now = self._clock.monotonic()
        due = sorted(
            (node for node in missing if self._due[node] <= now), key=self._due.__getitem__
        )
        for node in due[:_AT_ONCE]:
            try:
                if await self._visit(node):
                    return
            except PlanesError as error:
                self._due[node] = self._clock.monotonic() + GONE_SECONDS
                facts = {"node": node, "reason": str(error)}
                _log.warning("addresses of a node that left not released yet", extra=facts)
                return  # the API server may be away: each look would wait for its deadline

    def _is_missing(self, node: str) -> bool:
        return self.nodes.get("", node) is None

    async def _visit(self, node: str) -> bool:
        """Look at a node, and release what it has if it is gone; report whether it did."""
        known = self._looks.known(node)
        # What is released is read before the last look, and removed as it was read.
        blocks = dict(self._of_nodes.get(node, {}))
        is_second = known is not None and not known.last.is_there
        static = await self._static_of(blocks) if is_second else ()
        seen = await self._looks.look(node, is_fresh=True)
        is_gone = seen.fence() is Fence.GONE and is_second
        self._due[node] = self._clock.monotonic() + (GONE_SECONDS if is_gone else seen.wait())
        if not is_gone:
            return False
        if (pod := await self._pod_of(node)) is not None:
            facts = {"node": node, "pod": str(pod)}
            _log.info("a node is gone, but a pod is not known to have ended there", extra=facts)
            self._due[node] = self._clock.monotonic() + _again(seen)
            return False
        await self._release(node, blocks, static)
        return True

    async def _static_of(self, blocks: Mapping[str, BlockSeen]) -> Sequence[StaticAsRead]:
        names = [name for name, seen in blocks.items() if not _is_nodes(seen)]
        found = [await read_static_block(self._api, name) for name in names]
        return [each for each in found if each is not None]

    async def _release(
        self, node: str, blocks: Mapping[str, BlockSeen], static: Sequence[StaticAsRead]
    ) -> None:
        released: Counter[str] = Counter()
        try:
            for name, seen in blocks.items():
                if _is_nodes(seen) and self._is_missing(node):
                    with suppress(Conflict):  # it was written since: judged anew, with the node
                        await delete_block(self._api, name, seen.uid, seen.version, seen.written)
                        released["block"] += 1
            for each in static:
                if self._is_missing(node):
                    with suppress(Conflict):
                        held = await remove_holders(self._api, each, node)
                        released["node-holder"] += len(held)
        finally:
            for what, count in released.items():
                self._released(what, count)
            facts = {"node": node, **released}
            _log.warning("released addresses of a node that left the cluster", extra=facts)

    async def _pod_of(self, node: str) -> ObjectKey | None:
        """Return a pod that a node has started and that has not ended, None where there is none.

        Authors of pods may write any `spec.nodeName`, and a Deployment makes such a pod anew as
        often as Kubernetes' garbage collector deletes it. So one without a sandbox does not count.
        That collector has a pod end before it deletes it. So a finalizer, which its author may set,
        keeps the pod and not the node's addresses.
        """
        fields = f"spec.nodeName={node},{_RUNNING}"
        query = Query(PODS, fields=fields, is_metadata_only=True)
        async with aclosing(self._api.pages(query)) as pages:
            async for page in pages:
                for obj in page.items:
                    meta = obj["metadata"]
                    return ObjectKey(str(meta.get("namespace", "")), str(meta["name"]))
        return None


def _again(seen: NodeSeen) -> float:
    """Return the seconds until it is seen whether a node that is gone still has pods: ever more.

    Kubernetes deletes the pods of a deleted Node 40 to 60 seconds after it.
    """
    since = seen.last.ended if seen.gone_since is None else seen.gone_since
    return max(LOOK_SECONDS, (seen.last.ended - since) / 4)


def _is_nodes(seen: BlockSeen) -> bool:
    """Report whether a block is one that a node hands out."""
    return seen.shape is not None and seen.shape.use == NODE
