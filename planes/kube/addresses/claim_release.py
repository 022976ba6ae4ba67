"""What static blocks keep for IPAMClaims, and its release where the claim is gone.

The webhook's leader releases it, and an administrator by `netplane ip release --claims`; both by
the functions here. The pod that has such an address is not touched: it holds it until it ends.

Invariant: an address is released only over the version that was read, and only where the block
still keeps it for the UID that was judged. Callers judge twice, `SCAN_SECONDS` apart.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

from planes.kube.addresses.holders import StaticBlock, read_static, rewritten
from planes.kube.addresses.ipblocks import STATIC
from planes.kube.api import KubeApi, Query, ReadApi
from planes.kube.resources import IPAM_CLAIMS, IPBLOCKS
from planes.model.addresses import IPAddress
from planes.model.errors import BadInput, Internal, JsonObject, NotFound
from planes.model.spec.ipam_claim import (
    ClaimKey,
    IpamClaim,
    is_over,
    read_claim_key,
    read_ipam_claim,
)

SCAN_SECONDS: Final = 60.0
"""Between the two looks that prove that a claim is gone."""


class KeptAddress(NamedTuple):
    """An address that a block keeps.

    Attributes:
        block: the block's name.
        plane: of the block.
        address: the address.
        claim: the text that says for which claim.
    """

    block: str
    plane: str
    address: IPAddress
    claim: str


Claims = Mapping[tuple[str, str], IpamClaim | None]
"""Claims by namespace and name; None for one that cannot be read, which keeps what it has."""


async def kept_addresses(api: ReadApi, *, at_least: str = "") -> list[KeptAddress]:
    """List what all blocks keep for claims.

    Args:
        api: the API server.
        at_least: "0" for what its cache has, maybe a little out of date.

    Raises:
        PlanesError: the API server cannot be read.
    """
    found: list[KeptAddress] = []
    query = Query(IPBLOCKS, fields=f"spec.use={STATIC}", at_least=at_least)
    async for page in api.pages(query):
        for obj in page.items:
            block = _block(obj)
            found += () if block is None else kept_in(block)
    return found


def kept_in(block: StaticBlock) -> list[KeptAddress]:
    """Return what one block keeps."""
    shape = block.shape
    return [KeptAddress(shape.name, shape.plane, a, text) for a, text in block.claims.items()]


async def list_claims(
    api: ReadApi, *, of: Collection[KeptAddress] | None = None, at_least: str = ""
) -> Claims:
    """List the claims of the cluster; one that is too large is as one without status.

    Args:
        api: the API server.
        of: what is kept: claims for which nothing is are left out, as tenants make any number.
        at_least: "0" for what its cache has, maybe a little out of date.

    Raises:
        NotFound: the cluster does not have the kind.
        PlanesError: the API server cannot be read.
    """
    keys = None if of is None else [read_claim_key(one.claim) for one in of]
    places = None if keys is None else {key[:2] for key in keys if key is not None}
    found: dict[tuple[str, str], IpamClaim | None] = {}
    async for page in api.pages(Query(IPAM_CLAIMS, at_least=at_least)):
        for obj in page.items:
            place = obj["metadata"]["namespace"], obj["metadata"]["name"]
            if places is None or place in places:
                found[place] = _claim(obj)
    return found


def seems_over(one: KeptAddress, claims: Claims) -> bool:
    """Report whether a claim, as listed, seems not to need an address."""
    key = read_claim_key(one.claim)
    if key is None:
        return True
    place = key.namespace, key.name
    return place not in claims or (
        (claim := claims[place]) is not None and is_over(one.address, key, claim)
    )


async def is_over_now(api: ReadApi, one: KeptAddress) -> bool:
    """Report by a live read whether a claim does not need an address.

    Raises:
        PlanesError: the API server cannot be read.
    """
    key = read_claim_key(one.claim)
    if key is None:
        return True
    try:
        obj = await api.get(IPAM_CLAIMS, key.name, namespace=key.namespace)
    except NotFound:
        return True
    return is_over(one.address, key, _claim(obj) or _unreadable(obj, key))


async def release_kept(
    api: KubeApi, name: str, over: Collection[KeptAddress]
) -> Sequence[KeptAddress]:
    """Have a block keep some addresses no longer; return those that it kept until now.

    Args:
        api: the API server.
        name: of the block.
        over: what it is to keep no longer, for exactly these claims.

    Raises:
        Conflict: it was written since it was read.
        PlanesError: it cannot be read or written.
    """
    try:
        obj = await api.get(IPBLOCKS, name)
    except NotFound:
        return ()
    block = _block(obj)
    if block is None:
        return ()
    gone = [one for one in kept_in(block) if one in over]
    if gone:
        addresses = {one.address for one in gone}
        claims = {a: text for a, text in block.claims.items() if a not in addresses}
        try:
            await api.replace(IPBLOCKS, rewritten(obj, block, block.holders, block.wanted, claims))
        except NotFound:
            return ()
    return gone


def _block(obj: JsonObject) -> StaticBlock | None:
    try:
        return read_static(obj)
    except Internal:  # the plane's status tells of it
        return None


def _claim(obj: JsonObject) -> IpamClaim | None:
    try:
        return read_ipam_claim(obj)
    except BadInput:
        return None


def _unreadable(obj: JsonObject, key: ClaimKey) -> IpamClaim:
    uid = str(obj["metadata"].get("uid") or "")
    return IpamClaim(key._replace(uid=uid), "", "")
