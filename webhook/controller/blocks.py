"""The IPBlocks of each plane and of each node: how many there are, and which are ignored.

A block that Netplane would not make is ignored by every reader. The plane's status names it,
because somebody with a node's credentials may have made it. Such a node can make valid blocks
without end, too: of each node a bounded number is counted.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from planes.kube.addresses.holders import nodes_of_holders
from planes.kube.addresses.ipblocks import GRID, NODE, STATIC, Shape, read_shape
from planes.kube.addresses.node_release import written_by_owner
from planes.kube.informers.cache import ObjectKey
from planes.model.addresses import IPNetwork
from planes.model.bounds import MAX_BLOCKS_OF_NODE
from planes.model.errors import BadInput, JsonObject
from planes.model.names import is_dns_subdomain
from planes.model.spec.block_sizes import region_of
from webhook.controller.block_addresses import BlockAddresses, read_addresses

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BlockSeen:
    """An IPBlock, as far as the controller needs it.

    Attributes:
        plane: the plane it names.
        shape: its network and use; None where Netplane makes no such block, and `fault` says why.
        wanted: addresses in it that nodes wait for, whose pods are gone.
        maker: the node that made it; "" where none did, or an older version did, which names the
            node in the node's own blocks alone.
        nodes: the node that hands it out, or those that hold static addresses in it.
        uid: of a node's block.
        version: the resourceVersion of a node's block.
        written: what its node has written into it, see `written_by_owner`.
        addresses: what is held of it.
    """

    plane: str
    shape: Shape | None
    fault: str = ""
    wanted: frozenset[str] = frozenset()
    maker: str = ""
    nodes: frozenset[str] = frozenset()
    uid: str = ""
    version: str = ""
    written: str = ""
    addresses: BlockAddresses = field(default_factory=BlockAddresses)


def read_block(obj: JsonObject) -> BlockSeen | None:
    """Read an IPBlock; None for a static one in which no node has or waits for an address."""
    try:
        shape = read_shape(obj)
    except BadInput as error:
        spec = obj.get("spec")
        plane = spec.get("plane") if isinstance(spec, dict) else ""
        if not isinstance(plane, str) or not plane:
            plane = str(obj["metadata"]["name"]).partition(".")[0]
        return BlockSeen(plane[:253], None, error.message)
    maker = shape.node or _maker(obj)
    if shape.use == NODE:
        uid, version = (str(obj["metadata"].get(key, "")) for key in ("uid", "resourceVersion"))
        nodes = frozenset({shape.node} if is_dns_subdomain(shape.node) else ())
        return BlockSeen(
            shape.plane,
            shape,
            maker=maker,
            nodes=nodes,
            uid=uid,
            version=version,
            written=written_by_owner(obj),
            addresses=read_addresses(obj, shape),
        )
    if shape.use != STATIC:
        return BlockSeen(shape.plane, shape, maker=maker)
    nodes, wanted = nodes_of_holders(obj), frozenset(obj.get("wanted") or ())
    addresses = read_addresses(obj, shape)
    if not (nodes or wanted or addresses.keeps):
        return None
    return BlockSeen(
        shape.plane, shape, maker=maker, nodes=nodes, wanted=wanted, addresses=addresses
    )


def _maker(obj: JsonObject) -> str:
    maker = obj["spec"].get("madeBy")
    return maker if isinstance(maker, str) else ""


class Blocks:
    """Blocks by plane.

    Args:
        wanted: called with each static block in which a node waits for an address.

    Attributes:
        counts: how many blocks nodes hold of each plane.
        of_nodes: the blocks that a node hands out or holds addresses in, by node and name.
    """

    def __init__(self, wanted: Callable[[str], None]) -> None:
        self._wanted = wanted
        self._of_planes: dict[str, dict[str, BlockSeen]] = {}
        self._grids: dict[tuple[str, IPNetwork], int] = {}
        self._ignored: dict[str, Mapping[str, str]] = {}
        self._made: dict[str, set[str]] = {}
        self.counts: Counter[str] = Counter()
        self.of_nodes: dict[str, dict[str, BlockSeen]] = {}

    def read(self, obj: JsonObject) -> BlockSeen | None:
        """Read an IPBlock; None for one that is not counted.

        A static block in which other nodes hold addresses is, whoever made it first: there are no
        more of these than others use, and what these hold must be found when they are gone.
        """
        seen = read_block(obj)
        if seen is None or not seen.maker or seen.nodes - {seen.maker}:
            return seen
        made = self._made.get(seen.maker, ())
        if len(made) < MAX_BLOCKS_OF_NODE or str(obj["metadata"]["name"]) in made:
            return seen
        return None

    def changed(self, key: ObjectKey, old: BlockSeen | None, new: BlockSeen | None) -> None:
        """A block was added, changed or deleted."""
        if old is not None:
            self._drop(key.name, old)
        if new is not None:
            self._put(key.name, new)

    def ignored(self, plane: str) -> Mapping[str, str]:
        """Return the names of a plane's blocks that are ignored, each with the reason."""
        found = self._ignored.get(plane)
        if found is None:
            of_plane = self._of_planes.get(plane, {})
            faults = {name: self._fault(seen) for name, seen in sorted(of_plane.items())}
            found = {name: fault for name, fault in faults.items() if fault}
            self._ignored[plane] = found
        return found

    def _fault(self, seen: BlockSeen) -> str:
        shape = seen.shape
        if shape is None or shape.use != NODE:
            return seen.fault
        region = region_of(shape.network.network_address)
        length = self._grids.get((shape.plane, region), shape.network.prefixlen)
        if length == shape.network.prefixlen:
            return ""
        return f"cannot use {shape.network}: blocks of {region} are /{length} each"

    def _put(self, name: str, seen: BlockSeen) -> None:
        self._ignored.pop(seen.plane, None)
        for node in seen.nodes:
            self.of_nodes.setdefault(node, {})[name] = seen
        if seen.maker:
            made = self._made.setdefault(seen.maker, set())
            made.add(name)
            if len(made) == MAX_BLOCKS_OF_NODE:
                _log.warning("a node has more IPBlocks than it needs", extra={"node": seen.maker})
        shape = seen.shape
        if shape is None or shape.use == NODE:
            self._of_planes.setdefault(seen.plane, {})[name] = seen
            self.counts[seen.plane] += shape is not None
        elif shape.use == GRID:
            self._grids[shape.plane, shape.network] = shape.block_size
        if seen.wanted:
            self._wanted(name)

    def _drop(self, name: str, seen: BlockSeen) -> None:
        self._ignored.pop(seen.plane, None)
        for node in seen.nodes:
            del self.of_nodes[node][name]
            if not self.of_nodes[node]:
                del self.of_nodes[node]
        if made := self._made.get(seen.maker):
            made.discard(name)
            if not made:
                del self._made[seen.maker]
        shape = seen.shape
        if shape is None or shape.use == NODE:
            of_plane = self._of_planes[seen.plane]
            del of_plane[name]
            self.counts[seen.plane] -= shape is not None
            if not of_plane:
                del self._of_planes[seen.plane]
                del self.counts[seen.plane]
        elif shape.use == GRID:
            self._grids.pop((shape.plane, shape.network), None)
