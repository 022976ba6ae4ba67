"""Addresses that an IPAMClaim keeps: chosen for the first pod that names it, the same for the next.

The claim keeps an address; the pod that uses it holds it, as any static one. So it passes from pod
to pod by the rules of static addresses, and never to a pod without the claim.

Invariant: an address is first held by the attachment and seen to be in no node's block, then kept,
and only then written into the claim's status, over the version that was read and found without
addresses. Of two nodes that choose for one claim at the same moment, one finds the other's choice.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import groupby
from typing import Final

from planes.kube.addresses.holders import Holders, KeptFor, identity_of
from planes.kube.addresses.static_addresses import StaticAddresses
from planes.kube.addresses.static_ledger import StaticLedger
from planes.kube.api import KubeApi
from planes.kube.resources import IPAM_CLAIMS
from planes.model.addresses import IPAddress
from planes.model.errors import Conflict, Exhausted, JsonObject, NotFound, PlanesError, Unavailable
from planes.model.spec.block_sizes import static_network_of
from planes.model.spec.ipam_claim import (
    MAX_KEPT_OF_NAMESPACE,
    ClaimKey,
    IpamClaim,
    check_ipam_claim,
    free_for_claims,
    kept_addresses,
    read_claim_key,
    read_ipam_claim,
)
from planes.model.spec.plane_spec import Plane
from planes.store.plane_addresses import check_inside, with_subnet
from planes.store.protocol import AddressOwner, ClaimReference

_TRIES: Final = 5


class PersistentAddresses:
    """The addresses of claims, for attachments of one node.

    Args:
        api: the API server.
        ledger: what is held and kept in the cluster.
        static: holds addresses for attachments.
    """

    def __init__(self, api: KubeApi, ledger: StaticLedger, static: StaticAddresses) -> None:
        self._api = api
        self._ledger = ledger
        self._static = static

    async def claim(
        self, plane: Plane, owner: AddressOwner, reference: ClaimReference
    ) -> tuple[IPAddress, ...]:
        """Take the addresses of a claim in the pod's own namespace; choose them where it is new.

        Raises:
            NotFound: there is no such claim.
            Denied: it is for another network or interface.
            Conflict: another pod has them.
            Exhausted: no address is free, or the namespace has as many as it may.
            PlanesError: the API server or this node's disk cannot be used.
        """
        try:
            for _ in range(_TRIES):
                obj = await self._read(owner, reference)
                claim = read_ipam_claim(obj)
                check_ipam_claim(claim, plane, reference.networks, owner.interface)
                chosen = await self._take(plane, owner, claim, reference.most)
                if await self._write(plane, owner, obj, chosen):
                    return chosen
        except PlanesError:
            await self._static.release(plane.name, owner.container_id, owner.interface)
            raise
        await self._static.release(plane.name, owner.container_id, owner.interface)
        raise Unavailable(
            f"cannot write the addresses of IPAMClaim {owner.namespace}/{reference.name}: others "
            f"were faster {_TRIES} times",
            remedy="it is tried again",
        )

    async def _read(self, owner: AddressOwner, reference: ClaimReference) -> JsonObject:
        try:
            return await self._api.get(IPAM_CLAIMS, reference.name, namespace=owner.namespace)
        except NotFound as error:
            raise NotFound(
                f"cannot find IPAMClaim {owner.namespace}/{reference.name}, which the pod names",
                remedy="create it in the pod's namespace; it is tried again",
            ) from error

    async def _take(
        self, plane: Plane, owner: AddressOwner, claim: IpamClaim, most: int
    ) -> tuple[IPAddress, ...]:
        """Hold the addresses of a claim, and have them kept for it."""
        taken: Holders = {}
        if claim.ips:
            texts = await self._ledger.kept(plane.name, claim.ips)
        else:
            taken, texts = await self._ledger.taken(plane.name)
        keys = {a: key for a, text in texts.items() if (key := read_claim_key(text)) is not None}
        wanted = kept_addresses(claim, keys)
        for address in wanted:
            check_inside(plane, address)
        candidates: tuple[IPAddress, ...] = ()
        if not wanted:
            _check_bound(plane, claim.key, keys.values(), most)
            candidates = free_for_claims(plane, taken)
            for version in plane.families - {address.version for address in candidates}:
                raise Exhausted(
                    f"cannot take an IPv{version} address in plane {plane.name} for IPAMClaim "
                    f"{claim.key.namespace}/{claim.key.name}: no address of staticRanges is free",
                    remedy="delete claims that are not needed, or widen staticRanges",
                )
        chosen = await self._static.claim(plane, owner, wanted, candidates, claim=claim.key.text)
        await self._keep(plane, owner, claim.key, chosen)
        return chosen

    async def _keep(
        self, plane: Plane, owner: AddressOwner, key: ClaimKey, addresses: Sequence[IPAddress]
    ) -> None:
        for network, group in groupby(addresses, static_network_of):
            own = tuple(group)

            def edit(holders: Holders, claims: KeptFor, own: Sequence[IPAddress] = own) -> bool:
                for address in own:
                    holder = holders.get(address)
                    is_ours = holder is not None and holder.identity == identity_of(owner)
                    if not is_ours or claims.get(address, key.text) != key.text:
                        return False
                claims.update(dict.fromkeys(own, key.text))
                return True

            if not await self._ledger.change_kept(plane.name, network, edit):
                raise Unavailable(
                    f"cannot keep {own[0]} in plane {plane.name} for IPAMClaim {key.namespace}/"
                    f"{key.name}: this node holds it no more",
                    remedy="it is tried again",
                )

    async def _write(
        self, plane: Plane, owner: AddressOwner, obj: JsonObject, chosen: Sequence[IPAddress]
    ) -> bool:
        """Write a claim's status over the version that was read; False if it was written since."""
        status = obj.get("status") or {}
        ips = status.get("ips") or [with_subnet(plane, address).address for address in chosen]
        if status.get("ips") and status.get("ownerPod") == owner.pod:
            return True
        written = {**obj, "status": {**status, "ips": ips, "ownerPod": owner.pod}}
        try:
            await self._api.replace(IPAM_CLAIMS, written, subresource="status")
        except Conflict:
            return False
        return True


def _check_bound(plane: Plane, key: ClaimKey, kept: Collection[ClaimKey], most: int) -> None:
    """Check how many addresses a namespace's claims keep in a plane.

    Raises:
        Exhausted: a new claim would be too much.
    """
    bound = min(most, MAX_KEPT_OF_NAMESPACE)
    count = sum(one.namespace == key.namespace for one in kept)
    if count + len(plane.families) > bound:
        raise Exhausted(
            f"cannot keep {len(plane.families)} more in plane {plane.name} for IPAMClaim "
            f"{key.namespace}/{key.name}: the namespace's claims keep {count} of {bound} addresses",
            remedy="delete claims that are not needed, or ask an administrator for a larger quota",
        )
