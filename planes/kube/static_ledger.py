"""Who holds which static address, in the API server: read, compare, swap.

Invariant: a holder is written only over the version that was read, so of two who want the same
address one is told of the other. Then it is looked whether a node's block hands the address out:
block and holder are both written before either looks, so never do both believe they have it.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from planes.kube.api import KubeApi, Query
from planes.kube.errors import AlreadyExists
from planes.kube.holders import (
    Holders,
    StaticBlock,
    read_static,
    rewritten,
    static_object,
)
from planes.kube.ipblocks import STATIC, NodeBlock, read_grid, read_node_block
from planes.kube.resources import IPBLOCKS, PODS
from planes.model.addresses import IPAddress, IPNetwork
from planes.model.errors import BadInput, Conflict, Internal, JsonObject, NotFound, Unavailable
from planes.model.objects import CONFIG_MIRROR_ANNOTATION
from planes.model.spec.block_sizes import network_around, region_of
from planes.model.spec.blocks import block_name
from planes.run.clock import Clock
from planes.run.locks import KeyedLocks
from planes.store.protocol import AddressOwner

_log = logging.getLogger(__name__)

T = TypeVar("T")

_TRIES: Final = 40
_FIRST_PAUSE: Final = 0.002
_LONGEST_PAUSE: Final = 0.25


class StaticLedger:
    """The static blocks of all planes.

    Args:
        api: the API server.
        node: this node's name: no entry of another one is ever changed.
        clock: paces attempts after a conflict.
        rng: spreads them.
    """

    def __init__(self, api: KubeApi, node: str, clock: Clock, rng: random.Random) -> None:
        self._api = api
        self._node = node
        self._clock = clock
        self._rng = rng
        self._locks = KeyedLocks()

    async def change(self, plane: str, network: IPNetwork, edit: Callable[[Holders], T]) -> T:
        """Edit who holds what in one block, which is made where it is missing.

        `edit` changes what it is given, and is called again whenever somebody else was faster.

        Raises:
            Internal: the block is none that we make.
            Unavailable: too many write at once, or the API server is away.
        """

        def change(holders: Holders, _wanted: dict[str, str]) -> T:
            return edit(holders)

        return await self._change(plane, network, change)

    async def want(self, plane: str, network: IPNetwork, address: IPAddress) -> None:
        """Tell the leader that the holder of an address is dead and this node waits for it.

        Raises:
            PlanesError: as `change` does.
        """

        def change(holders: Holders, wanted: dict[str, str]) -> None:
            holder = holders.get(address)
            if holder is not None and holder.owner.node != self._node:  # else it is free already
                wanted.setdefault(str(address), self._node)

        await self._change(plane, network, change)

    async def _change(
        self, plane: str, network: IPNetwork, edit: Callable[[Holders, dict[str, str]], T]
    ) -> T:
        name = block_name(plane, network, "static")
        async with self._locks.hold(name):
            for attempt in range(_TRIES):
                found = await self._read(name)
                block = None if found is None else found[1]
                holders = {} if block is None else dict(block.holders)
                wanted = {} if block is None else dict(block.wanted)
                outcome = edit(holders, wanted)
                is_same = block is None or (holders, wanted) == (block.holders, block.wanted)
                if is_same and (block is not None or not holders):
                    return outcome
                if await self._swap(plane, network, found, holders, wanted):
                    return outcome
                pause = min(_FIRST_PAUSE * 2**attempt, _LONGEST_PAUSE)
                await self._clock.sleep(pause * self._rng.uniform(0.5, 1.5))
        raise Unavailable(
            f"cannot write who holds static addresses of {network} in plane {plane}: others were "
            f"faster {_TRIES} times",
            remedy="it is tried again",
        )

    async def block_giving(self, plane: str, address: IPAddress) -> NodeBlock | None:
        """Give the node's block that hands an address out, None where there is none."""
        region = region_of(address)
        try:
            grid = await self._api.get(IPBLOCKS, block_name(plane, region, "grid"))
            network = network_around(address, read_grid(grid, region))
            block = read_node_block(await self._api.get(IPBLOCKS, block_name(plane, network)))
        except (NotFound, BadInput):  # one that is none of ours, every node ignores
            return None
        return block if block is not None and block.gives(address) else None

    async def holders(self, plane: str) -> Holders:
        """Give who holds the static addresses of a plane, as the server lately knew it."""
        query = Query(IPBLOCKS, fields=f"spec.plane={plane},spec.use={STATIC}", at_least="0")
        found: Holders = {}
        async for page in self._api.pages(query):
            for obj in page.items:
                try:
                    found.update(read_static(obj).holders)
                except Internal as error:
                    _log.warning("ignoring an IPBlock", extra={"error": str(error)})
        return found

    async def is_gone(self, owner: AddressOwner) -> bool:
        """Tell by a live read whether a holder's pod is no more; False where nobody can know."""
        return await is_gone(self._api, owner)

    async def _read(self, name: str) -> tuple[JsonObject, StaticBlock] | None:
        try:
            obj = await self._api.get(IPBLOCKS, name)
        except NotFound:
            return None
        return obj, read_static(obj)

    async def _swap(
        self,
        plane: str,
        network: IPNetwork,
        found: tuple[JsonObject, StaticBlock] | None,
        holders: Holders,
        wanted: Mapping[str, str],
    ) -> bool:
        try:
            if found is None:
                block = static_object(plane, network, holders, self._node)
                await self._api.create(IPBLOCKS, block)
            else:
                kept = self._still_wanted(holders, wanted)
                await self._api.replace(IPBLOCKS, rewritten(*found, holders, kept))
        except (AlreadyExists, Conflict, NotFound):
            return False
        return True

    def _still_wanted(self, holders: Holders, wanted: Mapping[str, str]) -> Mapping[str, str]:
        """Leave out what this node waited for and nobody of another node holds any more."""
        theirs = {str(a) for a, holder in holders.items() if holder.owner.node != self._node}
        return {a: node for a, node in wanted.items() if node != self._node or a in theirs}


async def is_gone(api: KubeApi, owner: AddressOwner) -> bool:
    """Report by a live read whether a holder's pod is no more; False where nobody can know.

    A pod of that name with another UID is another pod, but for a static pod: its kubelet knows it
    by a UID that the API server has in an annotation of the mirror pod. One on another node than
    the holder's is no holder either: a pod never moves.

    Raises:
        PlanesError: the API server cannot tell.
    """
    if not (owner.namespace and owner.pod and owner.uid):
        return False
    try:
        pod = await api.get(PODS, owner.pod, namespace=owner.namespace)
    except NotFound:
        return True
    metadata = pod["metadata"]
    mirrored = (metadata.get("annotations") or {}).get(CONFIG_MIRROR_ANNOTATION)
    runs_on = (pod.get("spec") or {}).get("nodeName") or owner.node
    return owner.uid not in {metadata.get("uid"), mirrored} or runs_on != owner.node
