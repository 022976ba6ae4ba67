"""List blocks of nodes from the API server, one by one; callers keep few of them.

A compromised node can make blocks without end. A block that is of no use to the caller is dropped
at once, and invalid blocks cause a bounded number of log lines.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Final

from planes.kube.addresses.held_elsewhere import HeldElsewhere
from planes.kube.addresses.ipblocks import NODE, NodeBlock, read_node_block
from planes.kube.api import KubeApi, Query
from planes.kube.resources import IPBLOCKS
from planes.model.addresses import IPNetwork
from planes.model.errors import BadInput, Exhausted, JsonObject, NotFound
from planes.model.spec.plane_spec import Plane
from planes.store.address_claim import NoneFree

_log = logging.getLogger(__name__)

_NAMED: Final = 3
_MOST_IGNORED: Final = 256
"""Names of ignored blocks that are remembered, so that each is logged once."""


class BlockListing:
    """Reads blocks of nodes.

    Args:
        api: the API server.
    """

    def __init__(self, api: KubeApi) -> None:
        self._api = api
        self._ignored: set[str] = set()

    async def of_node(self, node: str) -> list[NodeBlock]:
        """List a node's blocks; the list may be an old one.

        Raises:
            PlanesError: the API server cannot be read.
        """
        query = Query(IPBLOCKS, fields=f"spec.node={node}", at_least="0")
        seen = [self.read(obj) async for page in self._api.pages(query) for obj in page.items]
        return [block for block in seen if block is not None]

    async def of_plane(
        self, plane: str, at_least: str = ""
    ) -> AsyncIterator[tuple[str, NodeBlock | None]]:
        """Yield a plane's blocks of nodes by name, None for an invalid one.

        Args:
            plane: its name.
            at_least: the version since which the list may be of any moment; "" for the newest.

        Raises:
            PlanesError: the API server cannot be read.
        """
        fields = f"spec.plane={plane},spec.use={NODE}"
        query = Query(IPBLOCKS, fields=fields, at_least=at_least)
        async for page in self._api.pages(query):
            for obj in page.items:
                yield str(obj["metadata"]["name"]), self.read(obj)

    async def size_in_use(self, plane: str, region: IPNetwork) -> int:
        """Return the prefix length of blocks whose grid was deleted by hand, 0 without blocks."""
        size = 0
        async for _name, block in self.of_plane(plane):
            if block is not None and block.network.version == region.version:
                size = max(size, block.network.prefixlen * block.network.overlaps(region))
        return size

    async def named(self, name: str) -> NodeBlock | None:
        """Read one block from the API server; None where there is no valid one."""
        try:
            return self.read(await self._api.get(IPBLOCKS, name))
        except NotFound:
            return None

    async def is_takable(self, name: str, node: str) -> bool:
        """Report whether a block is nobody's, or a node's own already."""
        try:
            block = self.read(await self._api.get(IPBLOCKS, name))
        except NotFound:
            return True
        return block is not None and block.node == node

    def read(self, obj: JsonObject) -> NodeBlock | None:
        """Read a node's block, None for any other object."""
        try:
            return read_node_block(obj)
        except BadInput as error:
            self.ignore(str(obj["metadata"]["name"]), error.message)
            return None

    def ignore(self, name: str, cause: str) -> None:
        """Log, once for each block, that it is ignored."""
        if name not in self._ignored and len(self._ignored) < _MOST_IGNORED:
            self._ignored.add(name)
            _log.error("ignoring an IPBlock", extra={"block": name, "error": cause})


class AllTaken(Exhausted):
    """All blocks of a plane were taken.

    Args:
        full: what this node has of it.
        blocks: all of them.
    """

    def __init__(self, full: NoneFree, blocks: Sequence[NodeBlock]) -> None:
        super().__init__(full.message, remedy=full.remedy)
        self.full = full
        self.blocks = blocks


def exhausted(
    plane: Plane, node: str, taken: AllTaken, elsewhere: HeldElsewhere, asked: str
) -> Exhausted:
    """Return the error that no address of a plane can be had; it says who has them.

    Args:
        plane: the plane.
        node: this node.
        taken: all blocks, and what this node has of them.
        elsewhere: holders of static and borrowed addresses in them.
        asked: what became of asking other nodes; "" where none was asked.
    """
    full = taken.full
    counts = Counter(block.node for block in taken.blocks if block.network.version == full.version)
    own = counts.pop(node, 0)
    spans = [span for s in plane.subnets if s.version == full.version for span in s.dynamic]
    held = ""
    if elsewhere.nodes:
        held = f"; static and borrowed addresses among them are held by {_few(elsewhere.nodes)}"
    return Exhausted(
        f"cannot take an IPv{full.version} address in plane {plane.name}: of "
        f"{sum(span.size for span in spans)} addresses "
        f"node {node} has {own} of its blocks with {full.capacity} addresses, all taken, and the "
        f"others belong to {_few(counts)}{held}{'; ' if asked else ''}{asked}",
        remedy="run the pod on a node with room, delete pods of the plane, or give the plane wider "
        "ranges or another subnet",
    )


def _few(counts: Counter[str]) -> str:
    named = ", ".join(f"{name} ({count})" for name, count in counts.most_common(_NAMED))
    more = f" and {len(counts) - _NAMED} more nodes" if len(counts) > _NAMED else ""
    return f"{named or 'nobody'}{more}"
