"""Who holds which static address, in the API server: read, compare, swap.

Invariant: a holder is written only over the version that was read, so of two who want the same
address one is told of the other. Then it is looked whether a node's block hands the address out:
block and holder are both written before either looks, so never do both believe they have it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from planes.kube.api import KubeApi, Query
from planes.kube.errors import AlreadyExists
from planes.kube.ipblocks import (
    STATIC,
    Holder,
    Holders,
    NodeBlock,
    read_grid,
    read_holders,
    read_node_block,
    static_object,
    write_holders,
)
from planes.kube.resources import IPBLOCKS, PODS
from planes.model.addresses import IPAddress, IPNetwork
from planes.model.errors import Conflict, JsonObject, NotFound, Unavailable
from planes.model.spec.block_sizes import network_around, region_of
from planes.model.spec.blocks import block_name
from planes.run.clock import Clock
from planes.run.locks import KeyedLocks
from planes.store.protocol import AddressOwner

T = TypeVar("T")

_TRIES: Final = 40
_FIRST_PAUSE: Final = 0.002
_LONGEST_PAUSE: Final = 0.25


class StaticLedger:
    """The static blocks of all planes.

    Args:
        api: the API server.
        clock: paces attempts after a conflict.
        rng: spreads them.
    """

    def __init__(self, api: KubeApi, clock: Clock, rng: random.Random) -> None:
        self._api = api
        self._clock = clock
        self._rng = rng
        self._locks = KeyedLocks()

    async def change(self, plane: str, network: IPNetwork, edit: Callable[[Holders], T]) -> T:
        """Edit who holds what in one block, which is made where it is missing.

        `edit` changes what it is given, and is called again whenever somebody else was faster.

        Raises:
            Unavailable: too many write at once, or the API server is away.
        """
        name = block_name(plane, network, "static")
        async with self._locks.hold(name):
            for attempt in range(_TRIES):
                obj = await self._read(name)
                holders = {} if obj is None else read_holders(obj)
                before = dict(holders)
                outcome = edit(holders)
                if holders == before:
                    return outcome
                if await self._swap(plane, network, obj, holders):
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
            obj = await self._api.get(IPBLOCKS, block_name(plane, network))
        except NotFound:
            return None
        block = read_node_block(obj)
        return block if block is not None and block.gives(address) else None

    async def holders(self, plane: str) -> Holders:
        """Give who holds the static addresses of a plane, as the server lately knew it."""
        query = Query(IPBLOCKS, fields=f"spec.plane={plane},spec.use={STATIC}", at_least="0")
        found: Holders = {}
        async for page in self._api.pages(query):
            for obj in page.items:
                found.update(read_holders(obj))
        return found

    async def is_gone(self, owner: AddressOwner) -> bool:
        """Tell by a live read whether a holder's pod is no more; False where nobody can know."""
        if not (owner.namespace and owner.pod and owner.uid):
            return False
        try:
            pod = await self._api.get(PODS, owner.pod, namespace=owner.namespace)
        except NotFound:
            return True
        return bool(pod["metadata"].get("uid") != owner.uid)

    async def _read(self, name: str) -> JsonObject | None:
        try:
            return await self._api.get(IPBLOCKS, name)
        except NotFound:
            return None

    async def _swap(
        self, plane: str, network: IPNetwork, obj: JsonObject | None, holders: Holders
    ) -> bool:
        try:
            if obj is None:
                await self._api.create(IPBLOCKS, static_object(plane, network, holders))
            else:
                await self._api.replace(IPBLOCKS, {**obj, "data": write_holders(holders)})
        except (AlreadyExists, Conflict, NotFound):
            return False
        return True


def drop(
    holders: Holders,
    identity: tuple[str, str],
    *,
    but: Sequence[IPAddress] = (),
    only: IPAddress | None = None,
) -> None:
    """Take an attachment out of a block's holders: except from some addresses, or from one only."""
    for address, holder in list(holders.items()):
        if holder.identity == identity and address not in but and only in {None, address}:
            del holders[address]


def put(holders: Holders, address: IPAddress, owner: AddressOwner, now: float) -> None:
    """Write an attachment down as the holder of an address, keeping since when it has it."""
    old = holders.get(address)
    if old is None or old.owner != owner:
        holders[address] = Holder(owner, int(now))
