"""What the controller has seen of IPBlocks: how many nodes hold, and which nobody goes by.

A block that is none of ours is ignored by every reader; people are told, because somebody with a
node's credentials may have made it. Such a node can make blocks without end, each as it should be:
of one node's a bounded number is kept account of.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from planes.kube.ipblocks import GRID, NODE, STATIC, Shape, read_shape
from planes.model.addresses import IPNetwork
from planes.model.bounds import MAX_BLOCKS_OF_NODE
from planes.model.errors import BadInput, JsonObject
from planes.model.spec.block_sizes import region_of

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BlockSeen:
    """An IPBlock, as far as the controller is concerned.

    Attributes:
        plane: the plane it says to be of.
        shape: what it is about; None where that is nothing we make, and `fault` says why.
        is_wanted: a node has found a holder in it dead.
        maker: the node that made it; "" where none did, or an older version, which says so of
            its own blocks alone.
    """

    plane: str
    shape: Shape | None
    fault: str = ""
    is_wanted: bool = False
    maker: str = ""


def read_block(obj: JsonObject) -> BlockSeen | None:
    """Read an IPBlock; None for a static one in which nobody waits for anything."""
    try:
        shape = read_shape(obj)
    except BadInput as error:
        spec = obj.get("spec")
        plane = spec.get("plane") if isinstance(spec, dict) else ""
        if not isinstance(plane, str) or not plane:
            plane = str(obj["metadata"]["name"]).partition(".")[0]
        return BlockSeen(plane[:253], None, error.message)
    maker = shape.node or _maker(obj)
    if shape.use != STATIC:
        return BlockSeen(shape.plane, shape, maker=maker)
    return BlockSeen(shape.plane, shape, is_wanted=True, maker=maker) if obj.get("wanted") else None


def _maker(obj: JsonObject) -> str:
    maker = obj["spec"].get("madeBy")
    return maker if isinstance(maker, str) else ""


class Blocks:
    """Blocks by plane.

    Args:
        wanted: told of each static block in which a holder was found dead.

    Attributes:
        counts: how many blocks nodes hold of each plane.
    """

    def __init__(self, wanted: Callable[[str], None]) -> None:
        self._wanted = wanted
        self._of_planes: dict[str, dict[str, BlockSeen]] = {}
        self._grids: dict[tuple[str, IPNetwork], int] = {}
        self._ignored: dict[str, Mapping[str, str]] = {}
        self._made: dict[str, set[str]] = {}
        self.counts: Counter[str] = Counter()

    def read(self, obj: JsonObject) -> BlockSeen | None:
        """Read an IPBlock; None for what is not kept account of."""
        seen = read_block(obj)
        if seen is None or not seen.maker:
            return seen
        made = self._made.get(seen.maker, ())
        if len(made) < MAX_BLOCKS_OF_NODE or str(obj["metadata"]["name"]) in made:
            return seen
        return None

    def changed(self, name: str, old: BlockSeen | None, new: BlockSeen | None) -> None:
        """A block has come, changed or gone."""
        if old is not None:
            self._drop(name, old)
        if new is not None:
            self._put(name, new)

    def ignored(self, plane: str) -> Mapping[str, str]:
        """Give the names of a plane's blocks that no node goes by, with what is wrong with each."""
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
        if seen.is_wanted:
            self._wanted(name)

    def _drop(self, name: str, seen: BlockSeen) -> None:
        self._ignored.pop(seen.plane, None)
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
