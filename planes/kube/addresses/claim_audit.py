"""Compare what static blocks keep with IPAMClaims and pods, and name what does not fit.

Pure: callers read the objects. A claim's status and a pod's networks are written by tenants, so
what rests on them is a hint. That an address is kept is the daemons' word, in the block.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from planes.kube.addresses.claim_release import Claims, KeptAddress, kept_in, seems_over
from planes.kube.addresses.cluster_audit import AuditEntry, ClusterFacts, Misfit
from planes.model.addresses import IPAddress
from planes.model.spec.ipam_claim import ClaimKey, IpamClaim, read_claim_key
from planes.store.protocol import AddressOwner


def audit_claims(facts: ClusterFacts, claims: Claims | None) -> Iterator[AuditEntry]:
    """Yield what does not fit.

    Args:
        facts: pods and blocks, read before the claims.
        claims: all of the cluster; None where it does not have the kind.
    """
    kept = [one for block in facts.static for one in kept_in(block)]
    if claims is None:
        for one in kept:
            yield _entry(one, "the cluster does not have the kind IPAMClaim, so it stays kept")
        return
    holders = {
        (block.shape.plane, address): holder.owner
        for block in facts.static
        for address, holder in block.holders.items()
    }
    named = frozenset(
        (pod.partition("/")[0], name) for pod, names in facts.named.items() for name in names
    )
    for one in kept:
        if seems_over(one, claims):
            yield _entry(one, f"IPAMClaim {_shown(one)} is gone, or its status has others")
            continue
        key = read_claim_key(one.claim)
        owner = holders.get((one.plane, one.address))
        if key is None:  # without a claim, by `seems_over`
            continue
        if owner is None:
            is_named = (key.namespace, key.name) in named
            yield from _unused(one, claims.get((key.namespace, key.name)), is_named=is_named)
        else:
            yield from _held_by_other(facts, one, key, owner)
    yield from _statuses(frozenset(facts.networks.values()), kept, claims)


def _held_by_other(
    facts: ClusterFacts, one: KeptAddress, key: ClaimKey, owner: AddressOwner
) -> Iterator[AuditEntry]:
    """Yield an entry for an address that a pod holds which does not name its claim."""
    if not owner.pod:
        return
    pod = f"{owner.namespace}/{owner.pod}"
    is_there = owner.uid in facts.pods.get(pod, ())
    if is_there and not _names(facts, pod, owner.namespace, key):
        text = f"pod {pod} holds it and does not name IPAMClaim {_shown(one)}"
        yield AuditEntry(Misfit.OTHERS, one.plane, str(one.address), owner.node, pod, text)


def _unused(one: KeptAddress, claim: IpamClaim | None, *, is_named: bool) -> Iterator[AuditEntry]:
    """Yield an entry for an address that nobody has, of a claim that nothing ends."""
    if claim is not None and not claim.has_owner and not is_named:
        text = f"no pod has it, and IPAMClaim {_shown(one)} ends with no other object"
        yield AuditEntry(Misfit.UNUSED, one.plane, str(one.address), "", "", text)


def _names(facts: ClusterFacts, pod: str, namespace: str, key: ClaimKey) -> bool:
    return namespace == key.namespace and key.name in facts.named.get(pod, ())


def _statuses(
    planes: Collection[str], kept: Collection[KeptAddress], claims: Claims
) -> Iterator[AuditEntry]:
    """Yield addresses in the status of a claim that no block keeps for it."""
    own: Mapping[tuple[str, IPAddress], str] = {(k.claim, k.address): k.plane for k in kept}
    readable = (claim for claim in claims.values() if claim is not None)
    for claim in readable:
        if claim.network in planes:
            yield from _unkept(claim, own)


def _unkept(claim: IpamClaim, own: Mapping[tuple[str, IPAddress], str]) -> Iterator[AuditEntry]:
    for address in claim.ips:
        if (claim.key.text, address) not in own:
            text = (
                f"the status of IPAMClaim {claim.key.namespace}/{claim.key.name} has it, and no "
                "block keeps it for that claim"
            )
            yield AuditEntry(Misfit.STATUS, claim.network, str(address), "", "", text)


def _entry(one: KeptAddress, text: str) -> AuditEntry:
    return AuditEntry(Misfit.KEPT, one.plane, str(one.address), "", "", text)


def _shown(one: KeptAddress) -> str:
    key = read_claim_key(one.claim)
    return "of an unreadable name" if key is None else f"{key.namespace}/{key.name}"
