"""One attempt to claim a static address: a free one, else one whose pod or sandbox is gone.

A node takes over only from its own sandboxes. An entry of another node is removed by that node, or
by the webhook's leader (see `webhook.controller.holders`): the leader is told, and the pod retries.

Invariant: an address is claimed by compare and swap over the version that was read; then it is
checked that no node's block hands it out. An attempt that fails holds nothing that it did not hold
before.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from itertools import groupby

from planes.kube.addresses.holders import (
    Holder,
    Holders,
    Identity,
    KeptFor,
    drop,
    identity_of,
    put,
)
from planes.kube.addresses.ipblocks import NodeBlock
from planes.kube.addresses.static_ledger import StaticLedger
from planes.model.addresses import IPAddress, IPNetwork
from planes.model.errors import Conflict, Exhausted, Unavailable
from planes.model.spec.block_sizes import static_network_of
from planes.model.spec.ipam_claim import read_claim_key
from planes.model.spec.plane_spec import Plane
from planes.store.plane_addresses import NONE_FREE_REMEDY, describe, taken
from planes.store.protocol import AddressOwner

_log = logging.getLogger(__name__)


class Attempt:
    """One attempt to claim one of several addresses.

    Args:
        count: how many addresses the pod may have, where more than these.

    Attributes:
        held: those that have another holder.
        kept: those that are kept for another claim, and for which.
    """

    def __init__(
        self,
        ledger: StaticLedger,
        plane: Plane,
        owner: AddressOwner,
        addresses: Sequence[IPAddress],
        *,
        now: int,
        settled: Collection[IPAddress] = (),
        claim: str = "",
        count: int = 0,
    ) -> None:
        self._count = count or len(addresses)
        self._ledger = ledger
        self.plane = plane
        self._owner = owner
        self._addresses = addresses
        self._now = now
        self._settled = settled
        self._identity = identity_of(owner)
        self._claim = claim
        self._barred: dict[IPAddress, NodeBlock] = {}
        self.held: dict[IPAddress, Holder] = {}
        self.kept: KeptFor = {}

    async def first_free(self, is_leaving: Callable[[Identity], bool]) -> IPAddress | None:
        """Claim the first address that has no other holder.

        Args:
            is_leaving: reports whether an attachment of this node was released, and is only not
                yet removed from the API server.
        """
        for network, group in groupby(self._addresses, static_network_of):
            offered = list(group)

            def edit(
                holders: Holders, claims: KeptFor, offered: Sequence[IPAddress] = offered
            ) -> IPAddress | None:
                for address in offered:
                    holder = holders.get(address)
                    if address in self._barred or not self._may_have(address, holder, claims):
                        continue
                    if (
                        holder is None
                        or holder.identity == self._identity
                        or is_leaving(holder.identity)
                    ):
                        is_settled = address in self._settled
                        put(holders, address, self._owner, self._now, is_settled=is_settled)
                        return address
                    self.held[address] = holder
                return None

            while (
                address := await self._ledger.change_kept(self.plane.name, network, edit)
            ) is not None:
                if await self._is_ours(address, network):
                    return address
        return None

    def is_former_sandbox(self, holder: AddressOwner) -> bool:
        """Report whether a holder is an earlier sandbox of the same pod: it has one at a time."""
        owner = self._owner
        return (
            bool(owner.uid)
            and owner.uid == holder.uid
            and owner.node == holder.node
            and owner.container_id != holder.container_id
        )

    def is_of_this_node(self, holder: AddressOwner) -> bool:
        """Report whether an entry belongs to this node, which may change it."""
        return holder.node == self._owner.node

    async def take_over(self, address: IPAddress, dead: Holder) -> bool:
        """Claim an address whose holder's pod is gone, unless it has another holder by now."""
        network = static_network_of(address)

        def edit(holders: Holders, claims: KeptFor) -> bool:
            if holders.get(address) != dead or not self._may_have(address, dead, claims):
                return False
            put(holders, address, self._owner, self._now)
            return True

        if not await self._ledger.change_kept(self.plane.name, network, edit):
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
        """Ask the leader to remove a holder of another node; return the error to raise meanwhile.

        Raises:
            PlanesError: the request could not be written.
        """
        await self._ledger.want(self.plane.name, static_network_of(address), address)
        dead, own = self.held[address].owner, self._owner
        who = f"pod {dead.namespace}/{dead.pod}"
        if (dead.namespace, dead.pod) == (own.namespace, own.pod):
            who = "the pod of this name before this one,"
        return Unavailable(
            f"cannot take {address} in plane {self.plane.name} yet: it was held by {who} "
            f"on node {dead.node}, which no longer exists, but may still run there: the webhook's "
            "leader takes it out once that node has stopped it or is known to be off",
            remedy=f"it is tried again: a connected node takes a minute or two; if {dead.node} is "
            "off for good, delete its Node object; if it was shut down, give it the taint "
            "node.kubernetes.io/out-of-service, as Kubernetes has it for pods of such a node; or "
            f"say that it is off: netplane ip release --node {dead.node}",
        )

    def _may_have(self, address: IPAddress, holder: Holder | None, claims: KeptFor) -> bool:
        """Report whether an address is kept for nobody else; who holds it already keeps it."""
        kept = claims.get(address, self._claim)
        if kept == self._claim or (holder is not None and holder.identity == self._identity):
            return True
        self.kept[address] = kept
        return False

    async def _is_ours(self, address: IPAddress, network: IPNetwork) -> bool:
        """Report whether no node's block hands the address out; else release it."""
        block = await self._ledger.block_giving(self.plane.name, address)
        if block is None:
            return True
        self._barred[address] = block
        await self._ledger.change(
            self.plane.name, network, lambda holders: drop(holders, self._identity, only=address)
        )
        return False

    def failure(self) -> Conflict | Exhausted:
        """Return the error that says why none of the addresses could be claimed."""
        first = self._addresses[0]
        text = f"in plane {self.plane.name}"
        block = self._barred.get(first)
        if first in self.kept:
            return self._kept_for_claim(first)
        if block is None and self._count == 1:
            error = taken(first, self.plane, self.held[first].owner, self._owner)
            return one_at_a_time(error, self._claim) if self._claim else error
        if block is not None:
            cause = f"it is in block {block.network}, which node {block.node} hands out"
        else:
            cause = f"it is held by {describe(self.held[first].owner)}"
        if self._count == 1:
            remedy = "ask for a static address outside the blocks that `kubectl get ipb` shows"
            return Conflict(f"cannot take {first} {text}: {cause}", remedy=remedy)
        return Exhausted(
            f"cannot take an address {text}: none of the {self._count} "
            f"IPv{first.version} addresses the pod may have is free; {first}: {cause}",
            remedy=NONE_FREE_REMEDY,
        )

    def _kept_for_claim(self, address: IPAddress) -> Conflict | Exhausted:
        key = read_claim_key(self.kept[address])
        who = "an IPAMClaim" if key is None else f"IPAMClaim {key.namespace}/{key.name}"
        text = f"{address} is kept for {who}"
        if self._count == 1:
            return Conflict(
                f"cannot take {address} in plane {self.plane.name}: {text}",
                remedy="ask for another address, or delete the claim",
            )
        return Exhausted(
            f"cannot take an address in plane {self.plane.name}: none of the "
            f"{self._count} IPv{address.version} addresses the pod may have is free; " + text,
            remedy=NONE_FREE_REMEDY,
        )


def one_at_a_time(error: Conflict, claim: str) -> Conflict:
    """Return the error for a pod whose claim's address another pod has."""
    key = read_claim_key(claim)
    who = "its IPAMClaim" if key is None else f"IPAMClaim {key.namespace}/{key.name}"
    return Conflict(
        f"{error.message}; one pod at a time has the addresses of {who}, until it has ended",
        remedy="wait: it is tried again. A live migration needs both pods at once, which these "
        "addresses do not permit: stop the virtual machine, and start it where it is to run",
    )
