"""Blocks of nodes as the API server lists them: read one by one, few of each kept.

Whoever has taken a node can make blocks without end. What is of no use to the one who asks is
forgotten at once, and what is none of ours is told of in a bounded number of log lines.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from typing import Final

from planes.kube.api import KubeApi, Query
from planes.kube.ipblocks import NODE, NodeBlock, Shape, read_node_block, read_shape
from planes.kube.resources import IPBLOCKS
from planes.model.addresses import IPNetwork
from planes.model.errors import BadInput, Exhausted, JsonObject, NotFound
from planes.model.spec.plane import Plane
from planes.store.addressbook import NoneFree

_log = logging.getLogger(__name__)

_NAMED: Final = 3
_MOST_IGNORED: Final = 256
"""Of so many objects a log line is written."""


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
            PlanesError: the API server cannot tell.
        """
        query = Query(IPBLOCKS, fields=f"spec.node={node}", at_least="0")
        seen = [self.read(obj) async for page in self._api.pages(query) for obj in page.items]
        return [block for block in seen if block is not None]

    async def of_plane(self, plane: str) -> AsyncIterator[tuple[str, Shape | None, JsonObject]]:
        """Yield a plane's blocks of nodes: the name, what it is about if it is ours, the object.

        Raises:
            PlanesError: the API server cannot tell.
        """
        query = Query(IPBLOCKS, fields=f"spec.plane={plane},spec.use={NODE}")
        async for page in self._api.pages(query):
            for obj in page.items:
                name = str(obj["metadata"]["name"])
                try:
                    shape = read_shape(obj)
                except BadInput as error:
                    self.ignore(name, error.message)
                    shape = None
                yield name, shape, obj

    async def size_in_use(self, plane: str, region: IPNetwork) -> int:
        """Give the size of the blocks that are there without a grid (deleted by hand), else 0."""
        size = 0
        async for _name, shape, _obj in self.of_plane(plane):
            if shape is not None and shape.network.version == region.version:
                size = max(size, shape.network.prefixlen * shape.network.overlaps(region))
        return size

    async def named(self, name: str) -> NodeBlock | None:
        """Read one block, live; None where there is none that is ours."""
        try:
            return self.read(await self._api.get(IPBLOCKS, name))
        except NotFound:
            return None

    def read(self, obj: JsonObject) -> NodeBlock | None:
        """Read a node's block, None for what is none."""
        try:
            return read_node_block(obj)
        except BadInput as error:
            self.ignore(str(obj["metadata"]["name"]), error.message)
            return None

    def ignore(self, name: str, cause: str) -> None:
        """Tell, once, that a block is not gone by."""
        if name not in self._ignored and len(self._ignored) < _MOST_IGNORED:
            self._ignored.add(name)
            _log.error("ignoring an IPBlock", extra={"block": name, "error": cause})


def exhausted(
    plane: Plane,
    full: NoneFree,
    node: str,
    blocks: Iterable[Shape],
    static: Counter[str] | None = None,
) -> Exhausted:
    """Say whose the blocks of a plane are, of which none is left.

    Args:
        plane: the plane.
        full: what this node has of it.
        node: this node.
        blocks: all that were taken.
        static: how many addresses of the others nodes hold as static ones, where that counts.
    """
    counts = Counter(block.node for block in blocks if block.network.version == full.version)
    own = counts.pop(node, 0)
    held = f"; static addresses among them are held by {_few(static)}" if static else ""
    return Exhausted(
        f"cannot take an IPv{full.version} address in plane {plane.name}: node {node} has {own} of "
        f"its blocks with {full.capacity} addresses, all taken, and the others belong to "
        f"{_few(counts)}{held}",
        remedy="run the pod on a node with room, delete pods of the plane on this one, or give "
        "the plane wider ranges or another subnet",
    )


def _few(counts: Counter[str]) -> str:
    named = ", ".join(f"{name} ({count})" for name, count in counts.most_common(_NAMED))
    more = f" and {len(counts) - _NAMED} more nodes" if len(counts) > _NAMED else ""
    return f"{named or 'nobody'}{more}"
