"""The holders of static addresses in the API server, changed by compare and swap.

Invariant: a holder is written only over the version that was read, so of two claims for one address
one fails and names the other. Then it is checked whether a node's block hands the address out.
Block and holder are both written before either side checks, so never do both take the address.

A block is remembered as this node wrote it last. Where no other node has written it since, the next
claim needs no read of it: the API server accepts a write over exactly that version. Nothing else is
ever concluded from what is remembered.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Final, TypeVar

from planes.kube.addresses.holders import (
    Holders,
    KeptFor,
    StaticBlock,
    read_static,
    rewritten,
    static_object,
)
from planes.kube.addresses.ipblocks import STATIC, NodeBlock, read_grid, read_node_block
from planes.kube.addresses.pod_fate import is_gone
from planes.kube.api import KubeApi, Query
from planes.kube.errors import AlreadyExists
from planes.kube.resources import IPBLOCKS
from planes.model.addresses import IPAddress, IPNetwork
from planes.model.errors import BadInput, Conflict, Internal, JsonObject, NotFound, Unavailable
from planes.model.spec.block_sizes import network_around, region_of, static_network_of
from planes.model.spec.blocks import block_name
from planes.run.backoff import Backoff, Randomness
from planes.run.clock import Clock
from planes.run.locks import KeyedLocks
from planes.store.protocol import AddressOwner

_log = logging.getLogger(__name__)

K = TypeVar("K")
T = TypeVar("T")

_TRIES: Final = 40
_FIRST_PAUSE: Final = 0.002
_LONGEST_PAUSE: Final = 0.25
_MOST_REMEMBERED: Final = 64
_GRID_SECONDS: Final = 60.0


class StaticLedger:
    """The static blocks of all planes.

    Args:
        api: the API server.
        node: this node's name: no entry of another one is ever changed.
        clock: paces retries after a conflict.
        randomness: spreads retries.

    Attributes:
        writes: how many were begun. If there was none since, nothing may still arrive.
    """

    def __init__(self, api: KubeApi, node: str, clock: Clock, randomness: Randomness) -> None:
        self._api = api
        self._node = node
        self._clock = clock
        self._backoff = Backoff(
            _FIRST_PAUSE, _LONGEST_PAUSE, jitter=(0.5, 1.5), randomness=randomness
        )
        self._locks = KeyedLocks()
        self.writes = 0
        self._remembered: dict[str, tuple[JsonObject, StaticBlock]] = {}
        self._grids: dict[tuple[str, IPNetwork, str], tuple[int, float]] = {}

    async def change(self, plane: str, network: IPNetwork, edit: Callable[[Holders], T]) -> T:
        """Edit the holders in one block, which is created where it is missing.

        `edit` changes its argument, and is called again after each conflict.

        Raises:
            Internal: the block is not valid.
            Unavailable: too many conflicts, or the API server is away.
        """
        return await self._change(plane, network, lambda holders, _wanted, _claims: edit(holders))

    async def change_kept(
        self, plane: str, network: IPNetwork, edit: Callable[[Holders, KeptFor], T]
    ) -> T:
        """Edit the holders in one block, and which claims its addresses are kept for.

        Raises:
            PlanesError: as `change` does.
        """
        return await self._change(
            plane, network, lambda holders, _wanted, claims: edit(holders, claims)
        )

    async def want(self, plane: str, network: IPNetwork, address: IPAddress) -> None:
        """Write for the leader that an address's pod is gone and this node waits for the address.

        Raises:
            PlanesError: as `change` does.
        """

        def change(holders: Holders, wanted: dict[str, str], _claims: KeptFor) -> None:
            holder = holders.get(address)
            if holder is not None and holder.owner.node != self._node:  # else it is free already
                wanted.setdefault(str(address), self._node)

        await self._change(plane, network, change)

    async def _change(
        self, plane: str, network: IPNetwork, edit: Callable[[Holders, dict[str, str], KeptFor], T]
    ) -> T:
        name = block_name(plane, network, "static")
        async with self._locks.hold(name):
            failures = 0
            while failures < _TRIES:
                remembered = self._remembered.pop(name, None)
                found = remembered or await self._read(name)
                block = None if found is None else found[1]
                holders = {} if block is None else dict(block.holders)
                wanted = {} if block is None else dict(block.wanted)
                claims = {} if block is None else dict(block.claims)
                outcome = edit(holders, wanted, claims)
                is_same = block is None or (
                    (holders, wanted, claims) == (block.holders, block.wanted, block.claims)
                )
                if is_same and (block is not None or not holders):
                    if remembered is None:
                        return outcome
                elif await self._swap(plane, network, found, holders, wanted, claims=claims):
                    return outcome
                if remembered is None:
                    failures += 1
                    await self._clock.sleep(self._backoff.after(failures))
        raise Unavailable(
            f"cannot write who holds static addresses of {network} in plane {plane}: others were "
            f"faster {_TRIES} times",
            remedy="it is tried again",
        )

    async def block_giving(self, plane: str, address: IPAddress) -> NodeBlock | None:
        """Return the node's block that hands an address out, None where there is none."""
        try:
            network = network_around(address, await self._grid(plane, address))
            block = read_node_block(await self._api.get(IPBLOCKS, block_name(plane, network)))
        except (NotFound, BadInput):  # every node ignores an invalid one
            return None
        return block if block is not None and block.gives(address) else None

    async def _grid(self, plane: str, address: IPAddress) -> int:
        """Return the size of node blocks around an address; for a static block read once a minute.

        A grid never changes, and neither a daemon nor the webhook may delete one. An administrator
        deletes it with all blocks of the plane, so with the static block that this node has just
        written. One that is deleted alone, and made anew with another size, is noticed in time.
        """
        region = region_of(address)
        static = self._remembered.get(block_name(plane, static_network_of(address), "static"))
        uid = "" if static is None else str(static[0]["metadata"].get("uid") or "")
        key, now = (plane, region, uid), self._clock.monotonic()
        size, since = self._grids.get(key, (0, 0.0)) if uid else (0, 0.0)
        if not size or now - since >= _GRID_SECONDS:
            obj = await self._api.get(IPBLOCKS, block_name(plane, region, "grid"))
            size = read_grid(obj, region)
            _bounded(self._grids)[key] = size, now
        return size

    async def holders(self, plane: str) -> Holders:
        """Return the holders of a plane's static addresses, maybe a little out of date."""
        query = Query(IPBLOCKS, fields=f"spec.plane={plane},spec.use={STATIC}", at_least="0")
        found: Holders = {}
        async for page in self._api.pages(query):
            for obj in page.items:
                try:
                    found.update(read_static(obj).holders)
                except Internal as error:
                    _log.warning("ignoring an IPBlock", extra={"error": str(error)})
        return found

    async def taken(self, plane: str) -> tuple[Holders, KeptFor]:
        """Return what is held or kept in all blocks of a plane, and for which claims, live.

        Raises:
            Internal: a block is not valid.
            PlanesError: the API server cannot be read.
        """
        held: Holders = {}
        kept: KeptFor = {}
        query = Query(IPBLOCKS, fields=f"spec.plane={plane},spec.use={STATIC}")
        async for page in self._api.pages(query):
            for obj in page.items:
                block = read_static(obj)
                held |= block.taken
                kept |= block.claims
        return held, kept

    async def kept(self, plane: str, addresses: Iterable[IPAddress]) -> KeptFor:
        """Return for which claims some addresses are kept, live.

        Raises:
            Internal: a block is not valid.
            PlanesError: the API server cannot be read.
        """
        kept: KeptFor = {}
        for network in dict.fromkeys(map(static_network_of, addresses)):
            found = await self._read(block_name(plane, network, "static"))
            kept |= {} if found is None else found[1].claims
        return kept

    async def is_gone(self, owner: AddressOwner) -> bool:
        """Report by a live read whether a holder's pod is gone; False where it names no pod."""
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
        *,
        claims: KeptFor,
    ) -> bool:
        self.writes += 1
        try:
            if found is None:
                block = static_object(plane, network, holders, self._node)
                written = await self._api.create(IPBLOCKS, block)
            else:
                kept = self._still_wanted(holders, wanted)
                written = await self._api.replace(
                    IPBLOCKS, rewritten(*found, holders, kept, claims)
                )
        except (AlreadyExists, Conflict, NotFound):
            return False
        with suppress(Internal):
            name = block_name(plane, network, "static")
            _bounded(self._remembered)[name] = written, read_static(written)
        return True

    def _still_wanted(self, holders: Holders, wanted: Mapping[str, str]) -> Mapping[str, str]:
        """Leave out what this node waited for and no other node holds any more."""
        theirs = {str(a) for a, holder in holders.items() if holder.owner.node != self._node}
        return {a: node for a, node in wanted.items() if node != self._node or a in theirs}


def _bounded(remembered: dict[K, T]) -> dict[K, T]:
    """Make room for one entry more: the oldest one goes."""
    if len(remembered) >= _MOST_REMEMBERED:
        del remembered[next(iter(remembered))]
    return remembered
