"""The grid of a region: it fixes the size of all blocks of a plane there, and is written once."""

from __future__ import annotations

from planes.kube.addresses.block_listing import BlockListing
from planes.kube.addresses.ipblocks import grid_object, read_grid
from planes.kube.api import KubeApi
from planes.kube.errors import AlreadyExists
from planes.kube.resources import IPBLOCKS
from planes.model.addresses import IPNetwork
from planes.model.errors import NotFound
from planes.model.spec.block_sizes import grid_length
from planes.model.spec.blocks import block_name
from planes.model.spec.plane_spec import Plane


class Grids:
    """Reads grids, and writes those that are missing.

    Args:
        api: the API server.
        node: this node's name.
        listing: finds the blocks that there are.
    """

    def __init__(self, api: KubeApi, node: str, listing: BlockListing) -> None:
        self._api = api
        self._node = node
        self._listing = listing

    async def size(self, plane: Plane, region: IPNetwork) -> int:
        """Return the prefix length of blocks in a region; write the grid where there is none.

        Raises:
            PlanesError: it cannot be read or written.
        """
        name = block_name(plane.name, region, "grid")
        try:
            return read_grid(await self._api.get(IPBLOCKS, name), region)
        except NotFound:
            in_use = await self._listing.size_in_use(plane.name, region)
        try:
            length = in_use or grid_length(plane, region)
            grid = grid_object(plane.name, region, length, self._node)
            obj = await self._api.create(IPBLOCKS, grid)
        except AlreadyExists:
            obj = await self._api.get(IPBLOCKS, name)
        return read_grid(obj, region)
