"""Which addresses of a plane's coming blocks are held as static ones, before a block is taken.

A block whose addresses are all held gives its node nothing and everybody else one block less. A
node that has taken one looks first; what it then sees need not be exact, for each block is read
again once it is taken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from planes.kube.api import KubeApi, Query
from planes.kube.holders import read_static
from planes.kube.ipblocks import STATIC
from planes.kube.resources import IPBLOCKS
from planes.model.addresses import AddressRange, IPAddress, IPNetwork, subtract
from planes.model.errors import Internal
from planes.model.spec.blocks import inside, static_networks, static_spans
from planes.model.spec.plane import Plane

_MOST_BLOCKS: Final = 4096
"""Static blocks that are remembered: a quarter of a million addresses, for a moment."""


class HeldElsewhere:
    """Static holders where a plane hands out addresses by itself.

    Attributes:
        nodes: how many of these addresses each node holds.
    """

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._dynamic = [span for subnet in plane.subnets for span in subnet.dynamic]
        self._held: dict[IPNetwork, tuple[IPAddress, ...]] = {}
        self.nodes: Counter[str] = Counter()

    @classmethod
    async def read(cls, api: KubeApi, plane: Plane) -> HeldElsewhere:
        """List them.

        Raises:
            PlanesError: the API server cannot tell.
        """
        found = cls(plane)
        query = Query(IPBLOCKS, fields=f"spec.plane={plane.name},spec.use={STATIC}", at_least="0")
        async for page in api.pages(query):
            for obj in page.items:
                found._add(obj)
        return found

    def leaves(self, network: IPNetwork) -> bool:
        """Report whether a block would have an address to hand out."""
        spans: Iterable[AddressRange] = inside(self._dynamic, network)
        spans = subtract(spans, static_spans(self._plane, network))
        for part in static_networks(network):
            holes = [AddressRange(a, a) for a in self._held.get(part, ()) if a in network]
            spans = subtract(spans, holes)
        return bool(spans)

    def _add(self, obj: dict[str, object]) -> None:
        if len(self._held) >= _MOST_BLOCKS:
            return
        try:
            block = read_static(obj)
        except Internal:  # what cannot be read is told of when it is asked for
            return
        if block.holders and inside(self._dynamic, block.shape.network):
            self._held[block.shape.network] = tuple(block.holders)
            self.nodes.update(holder.owner.node for holder in block.holders.values())
