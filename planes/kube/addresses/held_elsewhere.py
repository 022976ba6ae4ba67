"""Which addresses of a plane are held as static ones, read before a block is taken.

A block whose addresses are all held is of no use to its node and lost to all others. A node that
has taken such a block reads this before the next. It need not be exact: each block is read again
after it was taken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from planes.kube.addresses.holders import held_in
from planes.kube.addresses.ipblocks import STATIC, read_shape
from planes.kube.api import KubeApi, Query
from planes.kube.resources import IPBLOCKS
from planes.model.addresses import AddressRange, IPAddress, IPNetwork
from planes.model.errors import BadInput
from planes.model.spans import subtract
from planes.model.spec.block_sizes import static_network_of
from planes.model.spec.blocks import inside, static_networks, static_spans
from planes.model.spec.plane_spec import Plane

_MOST_BLOCKS: Final = 4096
"""Static blocks that are remembered: a quarter of a million addresses, for a moment."""


class HeldElsewhere:
    """Static holders of addresses in a plane's dynamic ranges.

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
            PlanesError: the API server cannot be read.
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

    def is_held(self, address: IPAddress) -> bool:
        """Report whether somebody holds an address."""
        return address in self._held.get(static_network_of(address), ())

    def _add(self, obj: dict[str, object]) -> None:
        if len(self._held) >= _MOST_BLOCKS:
            return
        try:
            shape = read_shape(obj)
        except BadInput:  # reported by the call that needs this block
            return
        if shape.use != STATIC or not inside(self._dynamic, shape.network):
            return
        if held := held_in(obj, shape.network):
            self._held[shape.network] = tuple(held)
            self.nodes.update(filter(None, held.values()))
