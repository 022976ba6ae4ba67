"""The work of `netplane ip check` on a cluster: what of its addresses does not fit.

Pods come and go while lists are read one after the other, and a node releases what a pod had soon
after the pod is gone. So a cluster is looked at twice, and what both looks found is returned.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from planes.kube.addresses.audit_hints import few_hints
from planes.kube.addresses.claim_audit import audit_claims
from planes.kube.addresses.claim_release import Claims, list_claims
from planes.kube.addresses.cluster_audit import (
    AuditEntry,
    ClusterFacts,
    Misfit,
    audit,
    judged,
    without_pod,
)
from planes.kube.addresses.node_look import look_at
from planes.kube.addresses.pod_fate import is_gone
from planes.kube.api import Query, ReadApi
from planes.kube.resources import IPBLOCKS, NODES, PLANES, PODS
from planes.kube.store.pod_views import POD_FIELDS
from planes.model.addresses import IPAddress
from planes.model.errors import NotFound, PlanesError
from planes.model.objects import CONFIG_MIRROR_ANNOTATION
from planes.model.spec.address_policy import with_static_apart
from planes.model.spec.plane import parse_stored_plane
from planes.model.spec.plane_spec import IpamMode, Plane
from planes.model.state.fencing import Fence, NodeLook
from planes.run.clock import Clock
from planes.store.protocol import AddressOwner

PAUSE_SECONDS: Final = 3.0
"""Between the looks: a daemon releases the address of a pod that ended within a second or two."""
MOST_JUDGED: Final = 1000
"""Holders without pod that are read one by one, of all nodes together."""

Held = tuple[str, IPAddress, AddressOwner]
"""Plane, address and holder."""


@dataclass(frozen=True, slots=True)
class _ClusterLook:
    """What one look found.

    Attributes:
        planes: that hand out addresses, by name.
        found: what does not fit, but for holders without pod.
        held: holders whose pod is not listed: it is gone, has ended, or was made after the list.
    """

    planes: Mapping[str, Plane]
    facts: ClusterFacts
    found: frozenset[AuditEntry]
    held: frozenset[Held]


async def check(api: ReadApi, clock: Clock) -> list[AuditEntry]:
    """Return what does not fit, sorted. Nothing is changed.

    Raises:
        PlanesError: the API server cannot be read.
    """
    first = await _look(api)
    before, held = first.found, list(_in_turn(first.held))
    del first  # its facts take as much memory as those of the second look
    # A pod that is gone never comes back: what is held a while after that was not released.
    gone = [one for one in held[:MOST_JUDGED] if await is_gone(api, one[2])]
    if not before and not gone and len(held) <= MOST_JUDGED:
        return []
    await clock.sleep(PAUSE_SECONDS)
    last = await _look(api)
    found = list(few_hints(before & last.found, last.facts))
    still = [one for one in gone if one in last.held]
    found += [one async for one in _judged(api, clock, last.planes, still)]
    found += _not_judged([one for one in held[MOST_JUDGED:] if one in last.held])
    return sorted(found)


async def _look(api: ReadApi) -> _ClusterLook:
    planes = {plane.name: plane async for plane in _planes(api)}
    facts = ClusterFacts({str(one.ref): one.name for one in planes.values()}, await _nodes(api))
    # Pods before blocks: what a pod shows was written after its holder.
    async for page in api.pages(Query(PODS, fields=POD_FIELDS, is_metadata_only=True)):
        for obj in page.items:
            facts.add_pod(obj, CONFIG_MIRROR_ANNOTATION)
    async for page in api.pages(Query(IPBLOCKS)):
        for obj in page.items:
            facts.add_block(obj)
    found = list(audit(facts))
    # Blocks before claims: what is kept was written after its claim.
    if any(one.is_persistent for one in planes.values()) or any(b.claims for b in facts.static):
        found += audit_claims(facts, await _claims(api))
    return _ClusterLook(planes, facts, frozenset(found), frozenset(without_pod(facts)))


async def _judged(
    api: ReadApi, clock: Clock, planes: Mapping[str, Plane], held: Collection[Held]
) -> AsyncIterator[AuditEntry]:
    """Yield an entry for each holder, whose pod is gone."""
    looks: dict[str, str] = {}
    for plane, address, owner in held:
        node = owner.node
        if node not in looks:
            looks[node] = _off(await look_at(api, clock, node))
        rest = _rest_seconds(planes.get(plane), address)
        if rest and not looks[node]:
            text = (
                f"{address} of plane {plane} is held for pod {owner.namespace}/{owner.pod}, which "
                f"is gone: node {node} may let it rest for up to {rest} s"
            )
            yield AuditEntry(Misfit.UNREAD, plane, str(address), node, "", text)
        else:
            yield judged(plane, address, owner, looks[node])


def _not_judged(held: Collection[Held]) -> Iterator[AuditEntry]:
    """Yield how many holders of each node were not looked at."""
    for node, count in sorted(Counter(owner.node for _, _, owner in held).items()):
        text = f"{count:,} more addresses that node {node} holds are of no pod that is listed"
        yield AuditEntry(Misfit.UNREAD, "", node, node, "", text)


def _in_turn(held: Iterable[Held]) -> Iterator[Held]:
    """Yield holders in order, one of each node in turn: no node hides what others hold."""
    turns: Counter[str] = Counter()
    keyed = []
    for one in sorted(held, key=lambda one: (one[0], one[1].version, int(one[1]))):
        node = one[2].node
        keyed.append((turns[node], node, one))
        turns[node] += 1
    return (one for _, _, one in sorted(keyed, key=lambda each: each[:2]))


def _rest_seconds(plane: Plane | None, address: IPAddress) -> int:
    """Return how long a node may hold an address after its pod: where it has borrowed it."""
    if plane is None or not any(address in s for n in plane.subnets for s in n.dynamic):
        return 0
    return plane.cooldown_seconds


def _off(look: NodeLook) -> str:
    """Return why a node runs no pods, by one look."""
    if look.is_out_of_service:
        return Fence.OUT_OF_SERVICE.value
    return "" if look.is_there or look.renewal else Fence.GONE.value


async def _planes(api: ReadApi) -> AsyncIterator[Plane]:
    """Yield the planes that hand out addresses."""
    async for page in api.pages(Query(PLANES)):
        for obj in page.items:
            try:
                plane = with_static_apart(parse_stored_plane(obj))
            except PlanesError:
                continue
            if plane.families and plane.ipam_mode is IpamMode.PLANE:
                yield plane


async def _claims(api: ReadApi) -> Claims | None:
    """List all claims; None where the cluster does not have the kind."""
    try:
        return await list_claims(api)
    except NotFound:
        return None


async def _nodes(api: ReadApi) -> frozenset[str]:
    nodes = Query(NODES, is_metadata_only=True)
    return frozenset(
        [str(o["metadata"]["name"]) async for page in api.pages(nodes) for o in page.items]
    )
