"""One search for a static address: the first that nobody holds, else that of a dead pod or sandbox.

A node takes over from its own sandboxes alone. An entry of another node is that node's, or the
leader's to take out (see `webhook.controller.holders`): it is told, and the pod tries again.

Invariant: what is taken is taken by compare and swap over what was seen, and looked at again for a
node's block that hands it out; an attempt that fails holds nothing that it did not hold before.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from itertools import groupby

from planes.kube.holders import Holder, Holders, Identity, drop, identity_of, put
from planes.kube.ipblocks import NodeBlock
from planes.kube.static_ledger import StaticLedger
from planes.model.addresses import IPAddress, IPNetwork
from planes.model.errors import Conflict, Exhausted, Unavailable
from planes.model.spec.block_sizes import static_network_of
from planes.model.spec.plane import Plane
from planes.store.plane_addresses import describe
from planes.store.protocol import AddressOwner

_log = logging.getLogger(__name__)


class Attempt:
    """One search for an address among those asked for.

    Attributes:
        held: addresses that somebody else holds.
    """

    def __init__(
        self,
        ledger: StaticLedger,
        plane: Plane,
        owner: AddressOwner,
        addresses: Sequence[IPAddress],
        now: int,
    ) -> None:
        self._ledger = ledger
        self.plane = plane
        self._owner = owner
        self._addresses = addresses
        self._now = now
        self._identity = identity_of(owner)
        self._barred: dict[IPAddress, NodeBlock] = {}
        self.held: dict[IPAddress, Holder] = {}

    async def first_free(self, is_leaving: Callable[[Identity], bool]) -> IPAddress | None:
        """Take the first address that nobody else holds.

        Args:
            is_leaving: says of attachments of this node that their addresses are free again, only
                not yet written so.
        """
        for network, group in groupby(self._addresses, static_network_of):
            offered = list(group)

            def edit(holders: Holders, offered: Sequence[IPAddress] = offered) -> IPAddress | None:
                for address in offered:
                    holder = holders.get(address)
                    if address in self._barred:
                        continue
                    if (
                        holder is None
                        or holder.identity == self._identity
                        or is_leaving(holder.identity)
                    ):
                        put(holders, address, self._owner, self._now)
                        return address
                    self.held[address] = holder
                return None

            while (
                address := await self._ledger.change(self.plane.name, network, edit)
            ) is not None:
                if await self._is_ours(address, network):
                    return address
        return None

    def is_former_sandbox(self, holder: AddressOwner) -> bool:
        """Tell whether a holder is an earlier sandbox of the very pod: it has one at a time."""
        mine = self._owner
        return (
            bool(mine.uid)
            and mine.uid == holder.uid
            and mine.node == holder.node
            and mine.container_id != holder.container_id
        )

    def is_of_this_node(self, holder: AddressOwner) -> bool:
        """Tell whether an entry is this node's own to change."""
        return holder.node == self._owner.node

    async def take_over(self, address: IPAddress, dead: Holder) -> bool:
        """Take an address from a holder whose pod is gone, unless it changed hands meanwhile."""
        network = static_network_of(address)

        def edit(holders: Holders) -> bool:
            if holders.get(address) != dead:
                return False
            put(holders, address, self._owner, self._now)
            return True

        if not await self._ledger.change(self.plane.name, network, edit):
            return False
        _log.warning(
            "took over a static address: the pod or sandbox that held it no longer exists",
            extra={
                "plane": self.plane.name,
                "address": str(address),
                "pod": f"{self._owner.namespace}/{self._owner.pod}",
                "uid": self._owner.uid,
                "from_pod": f"{dead.owner.namespace}/{dead.owner.pod}",
                "from_uid": dead.owner.uid,
                "from_node": dead.owner.node,
            },
        )
        return await self._is_ours(address, network)

    async def wait_for(self, address: IPAddress) -> Unavailable:
        """Have the leader take a dead holder of another node out; what to raise meanwhile.

        Raises:
            PlanesError: it could not be told.
        """
        await self._ledger.want(self.plane.name, static_network_of(address), address)
        dead = self.held[address].owner
        return Unavailable(
            f"cannot take {address} in plane {self.plane.name} yet: it was held by pod "
            f"{dead.namespace}/{dead.pod} on node {dead.node}, which no longer exists, and the "
            "webhook's leader has still to take it out",
            remedy="it is tried again; it takes a second while a webhook runs",
        )

    async def _is_ours(self, address: IPAddress, network: IPNetwork) -> bool:
        """Look whether a node's block hands the address out; then withdraw from it."""
        block = await self._ledger.block_giving(self.plane.name, address)
        if block is None:
            return True
        self._barred[address] = block
        await self._ledger.change(
            self.plane.name, network, lambda holders: drop(holders, self._identity, only=address)
        )
        return False

    def failure(self) -> Conflict | Exhausted:
        """Say why none of the addresses can be had."""
        first = self._addresses[0]
        text = f"in plane {self.plane.name}"
        block = self._barred.get(first)
        if block is not None:
            cause = f"it is in block {block.network}, which node {block.node} hands out"
        else:
            cause = f"it is held by {describe(self.held[first].owner)}"
        if len(self._addresses) == 1:
            remedy = "ask for another address or delete its holder first"
            if block is not None:
                remedy = "ask for a static address outside the blocks that `kubectl get ipb` shows"
            return Conflict(f"cannot take {first} {text}: {cause}", remedy=remedy)
        return Exhausted(
            f"cannot take an address {text}: none of the {len(self._addresses)} "
            f"IPv{first.version} addresses the pod may have is free; {first}: {cause}",
            remedy="list more addresses or run fewer replicas",
        )
