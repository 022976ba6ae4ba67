"""The work of `netplane ip release --claims`: release what was kept for claims that are gone.

Invariant: the proofs are those of the webhook's leader. Two live reads, a minute apart, find no
claim with the UID; nothing is concluded where the cluster does not have the kind.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Final

from planes.kube.addresses.claim_release import (
    SCAN_SECONDS,
    KeptAddress,
    is_over_now,
    kept_addresses,
    list_claims,
    release_kept,
    seems_over,
)
from planes.kube.api import KubeApi
from planes.model.errors import Conflict, NotFound, PlanesError
from planes.run.clock import Clock

_TRIES: Final = 5


async def release_claims(
    api: KubeApi, clock: Clock, *, is_dry_run: bool, told: Callable[[str], None]
) -> Sequence[KeptAddress]:
    """Release the addresses that are kept for claims which are gone.

    Args:
        api: with the administrator's credentials.
        clock: for the time between the two looks.
        is_dry_run: look once, and only return what was found.
        told: called with what cannot be released, and why.

    Raises:
        NotFound: the cluster does not have the kind, so nothing shows which claims are gone.
        PlanesError: the API server cannot be read.
    """
    first = await _over(api)
    if is_dry_run or not first:
        return sorted(first)
    await clock.sleep(SCAN_SECONDS)
    over = first & await _over(api)
    released: list[KeptAddress] = []
    for name in sorted({one.block for one in over}):
        given = frozenset(one for one in over if one.block == name)
        released += await _release(api, name, given, told)
    return released


async def _over(api: KubeApi) -> frozenset[KeptAddress]:
    kept = await kept_addresses(api)
    if not kept:
        return frozenset()
    try:
        claims = await list_claims(api, of=kept)
    except NotFound as error:
        raise NotFound(
            "cannot release addresses of IPAMClaims: the cluster does not have the kind, so "
            "nothing shows which claims are gone",
            remedy="bring the definition back (manifests/ipam-claim-kind.yaml), and the claims "
            "that are still needed; then run this again",
        ) from error
    found = [one for one in kept if seems_over(one, claims)]
    return frozenset([one for one in found if await is_over_now(api, one)])


async def _release(
    api: KubeApi, name: str, over: Collection[KeptAddress], told: Callable[[str], None]
) -> Sequence[KeptAddress]:
    for _ in range(_TRIES):
        try:
            return await release_kept(api, name, over)
        except Conflict:  # a daemon was faster; what was judged has a UID of its own
            continue
        except PlanesError as error:
            told(f"what IPBlock {name} keeps stays: {error.message}")
            return ()
    told(f"what IPBlock {name} keeps stays: others were faster {_TRIES} times; run this again")
    return ()
