"""The address book of one node on a cluster: dynamic addresses from blocks, static ones by name.

Invariant: an address is handed out only by who owns it in the API server: a node those of its
blocks, the static ledger the rest. An ADD asks the API only for a new block or a static address.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path

from planes.kube.api import KubeApi
from planes.kube.kept_records import KeptRecords
from planes.kube.node_blocks import Holding, NodeBlocks
from planes.kube.static_blocks import StaticAddresses
from planes.kube.static_ledger import StaticLedger
from planes.kube.static_records import StaticRecords
from planes.model.addresses import IPAddress
from planes.model.errors import BadInput, PlanesError, Unavailable
from planes.model.spans import SpanSet
from planes.model.spec.blocks import askable
from planes.model.spec.plane import Plane
from planes.model.wire.result import Address
from planes.run.clock import Clock
from planes.store.addressbook import LocalAddressBook, NoneFree
from planes.store.plane_addresses import check_inside, with_subnet
from planes.store.protocol import AddressOwner, Held

_log = logging.getLogger(__name__)


class KubeAddressBook:
    """An `AddressBook` over IPBlock objects; `run` must run beside it.

    Args:
        api: the API server.
        node: this node's name: no two nodes may share it.
        state_dir: this node's state: `addresses/`, `static-addresses/`, `kept-static/` in it.
        clock: tells the time, paces what is tried again.
        executor: where files are written; None = the event loop's own threads.
        rng: spreads nodes that try the same at once.
    """

    def __init__(
        self,
        api: KubeApi,
        node: str,
        state_dir: Path,
        clock: Clock,
        *,
        executor: Executor | None = None,
        rng: random.Random | None = None,
    ) -> None:
        rng = rng or random.Random()  # noqa: S311 - it spreads attempts, nothing else
        self._blocks = NodeBlocks(api, node, KeptRecords(state_dir / "kept-static", executor))
        self._local = LocalAddressBook(state_dir / "addresses", clock, executor)
        records = StaticRecords(state_dir / "static-addresses", executor)
        ledger = StaticLedger(api, node, clock, rng)
        self._static = StaticAddresses(ledger, records, clock, rng)

    async def claim(
        self,
        plane: Plane,
        owner: AddressOwner,
        *,
        wanted: Sequence[IPAddress] = (),
        candidates: Sequence[IPAddress] = (),
    ) -> tuple[Address, ...]:
        """Take addresses as `AddressBook.claim` says.

        Raises:
            Conflict: a wanted address is held by somebody else, or in a node's block (names who).
            Exhausted: no address is free (says whose the blocks are).
            BadInput: a wanted address is no static address of the plane.
            Unavailable: the API server is needed and away, or the state directory cannot be used.
        """
        if wanted or candidates:
            _check_static(plane, (*wanted, *candidates))
            chosen = await self._static.claim(plane, owner, wanted, candidates)
            await self._local.release(plane.name, owner.container_id, owner.interface)
            return tuple(with_subnet(plane, address) for address in chosen)
        claimed = await self._claim_dynamic(plane, owner)
        await self._static.release(plane.name, owner.container_id, owner.interface)
        return claimed

    async def release(self, plane: str, container_id: str, interface: str) -> None:
        """Give back what this attachment holds in the plane; needs no API server.

        Raises:
            Unavailable: the state directory cannot be used.
        """
        await self._local.release(plane, container_id, interface)
        await self._static.release(plane, container_id, interface)

    async def holders(self, plane: str) -> Mapping[IPAddress, AddressOwner]:
        """Who holds this node's dynamic addresses of a plane, and the cluster's static ones.

        Raises:
            PlanesError: the state directory or a static block cannot be read.
        """
        return {**await self._static.holders(plane), **await self._local.holders(plane)}

    async def held_by_others(self, known: Collection[tuple[str, str]]) -> tuple[Held, ...]:
        """Give what this node's records hold for others than these attachments.

        Raises:
            Unavailable: the state directory cannot be read.
        """
        local = await self._local.held_by_others(known)
        return (*local, *await self._static.held_by_others(known))

    async def give_back(self, held: Held) -> None:
        """Give back what a record holds; see `AddressBook`.

        Raises:
            Unavailable: the state directory cannot be used.
        """
        if held.record:
            await self._local.give_back(held)
        else:
            await self._static.release(held.plane, held.owner.container_id, held.owner.interface)

    async def run(self) -> None:
        """Take static addresses back from the API server after their release, until cancelled."""
        try:
            await self._blocks.load()
        except PlanesError as error:  # the first claim will try again
            _log.warning("cannot list this node's blocks yet", extra={"error": str(error)})
        await self._static.run()

    async def _claim_dynamic(self, plane: Plane, owner: AddressOwner) -> tuple[Address, ...]:
        while True:  # every turn the node has a block more, or this ends
            holding = await self._blocks.holding(plane)
            try:
                return await self._local.claim(plane, owner, spans=holding.spans)
            except NoneFree as full:
                await self._grow(plane, holding, full)

    async def _grow(self, plane: Plane, holding: Holding, full: NoneFree) -> None:
        try:
            await self._blocks.grow(plane, holding, full)
        except Unavailable as error:
            raise Unavailable(
                f"cannot take an IPv{full.version} address in plane {plane.name}: this node needs "
                f"a new block of it, but {error.message}",
                remedy=error.remedy or "it is tried again; look at the API server",
            ) from error


def _check_static(plane: Plane, addresses: Sequence[IPAddress]) -> None:
    static = SpanSet(askable(plane))
    for address in addresses:
        check_inside(plane, address)
        if address not in static:
            raise BadInput(
                f"cannot take {address} in plane {plane.name}: it is neither in staticRanges nor "
                "reserved, so a node may hand it out",
                remedy="ask for an address of staticRanges, or have an administrator add it there",
            )
