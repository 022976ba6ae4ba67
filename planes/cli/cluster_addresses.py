"""The work of `netplane ip`: read what a cluster says of addresses, release what a node has.

Invariant: `release` does nothing to a node that shows that it runs: its Node object is ready, or
its kubelet renews its Lease while the command waits.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from planes.kube.addresses.claim_audit import audit_claims
from planes.kube.addresses.claim_release import Claims, list_claims
from planes.kube.addresses.cluster_audit import (
    AuditEntry,
    ClusterFacts,
    audit,
    judged,
    without_pod,
)
from planes.kube.addresses.node_look import is_ready, look_at
from planes.kube.addresses.node_release import (
    BlockAsRead,
    blocks_of,
    delete_block,
    read_static_block,
    remove_holders,
    static_blocks_of,
)
from planes.kube.addresses.pod_fate import is_gone
from planes.kube.api import KubeApi, Query, ReadApi
from planes.kube.resources import IPBLOCKS, NODES, PLANES, PODS
from planes.kube.store.pod_views import POD_FIELDS
from planes.model.addresses import IPAddress
from planes.model.errors import Conflict, Denied, JsonObject, NotFound, PlanesError
from planes.model.objects import CONFIG_MIRROR_ANNOTATION
from planes.model.spec.plane import parse_stored_plane
from planes.model.spec.plane_spec import IpamMode, Plane
from planes.model.state.fencing import Fence, NodeLook
from planes.run.clock import Clock

RENEWAL_SECONDS: Final = 25.0
"""A kubelet renews its Lease every 10 seconds."""
_TRIES: Final = 5
_MOST_JUDGED: Final = 1000
"""Holders without pod that are read one by one."""


@dataclass(slots=True)
class Released:
    """What a node had, and what of it was released."""

    blocks: list[BlockAsRead] = field(default_factory=list)
    static: list[tuple[str, str]] = field(default_factory=list)
    """Block and address."""

    def as_json(self) -> JsonObject:
        """Return it as it is printed."""
        return {
            "blocks": [
                {"name": each.name, "plane": each.plane, "cidr": each.cidr} for each in self.blocks
            ],
            "staticAddresses": [{"block": name, "address": a} for name, a in self.static],
        }


async def check(api: ReadApi, clock: Clock) -> list[AuditEntry]:
    """Return what does not fit, sorted. Nothing is changed.

    Pods come and go while lists are read one after the other. So what does not fit is looked at
    twice, and only what was found both times is returned.

    Raises:
        PlanesError: the API server cannot be read.
    """
    found = await _check_once(api, clock)
    return sorted(found & await _check_once(api, clock)) if found else []


async def _check_once(api: ReadApi, clock: Clock) -> set[AuditEntry]:
    planes = [plane async for plane in _planes(api)]
    networks = {str(plane.ref): plane.name for plane in planes}
    facts = ClusterFacts(networks, await _names(api))
    pods = Query(PODS, fields=POD_FIELDS, is_metadata_only=True)
    # Pods before blocks: what a pod shows was written after its holder.
    async for page in api.pages(pods):
        for obj in page.items:
            facts.add_pod(obj, CONFIG_MIRROR_ANNOTATION)
    async for page in api.pages(Query(IPBLOCKS)):
        for obj in page.items:
            facts.add_block(obj)
    found = list(audit(facts))
    # Blocks before claims: what is kept was written after its claim.
    if any(plane.is_persistent for plane in planes) or any(b.claims for b in facts.static):
        found += audit_claims(facts, await _claims(api))
    looks: dict[str, str] = {}
    for plane, address, owner in list(without_pod(facts))[:_MOST_JUDGED]:
        if await is_gone(api, owner):
            if owner.node not in looks:
                looks[owner.node] = _off(await look_at(api, clock, owner.node))
            found.append(judged(plane, address, owner, looks[owner.node]))
    return set(found)


async def release(
    api: KubeApi, clock: Clock, node: str, *, is_dry_run: bool, told: Callable[[str], None]
) -> Released:
    """Release the blocks and static addresses of a node that an administrator says is off.

    Args:
        api: with the administrator's credentials.
        clock: times the renewals of its Lease.
        node: its name.
        is_dry_run: only return what it has.
        told: called with what cannot be released, and why.

    Raises:
        Denied: the node runs.
        PlanesError: the API server cannot be read.
    """
    blocks = await blocks_of(api, node)  # read first: what a daemon writes from now on stays
    await _refuse_ready(api, node)
    before = await look_at(api, clock, node)
    # A kubelet that runs makes a Lease that was deleted anew, as long as there is a Node object.
    if not is_dry_run and (before.renewal or before.is_there):
        await clock.sleep(RENEWAL_SECONDS)
        await _refuse_connected(api, clock, before, node)
    done = Released()
    for block in blocks:
        try:
            if not is_dry_run:
                await delete_block(api, block.name, block.uid, block.version, block.written)
            done.blocks.append(block)
        except PlanesError as error:
            told(f"IPBlock {block.name} stays: {error.message}")
    for name in await static_blocks_of(api, node):

        async def make_sure() -> None:
            await _refuse_connected(api, clock, before, node)

        given = None if is_dry_run else make_sure
        addresses = await _release_static(api, name, node, make_sure=given, told=told)
        done.static += [(name, str(address)) for address in addresses]
    return done


async def _release_static(
    api: KubeApi,
    name: str,
    node: str,
    *,
    make_sure: Callable[[], Awaitable[None]] | None,
    told: Callable[[str], None],
) -> Sequence[IPAddress]:
    """Remove a node's holders from one block; without `make_sure` only return what they hold."""
    for _ in range(_TRIES):
        found = await read_static_block(api, name)
        if found is None or make_sure is None:
            return () if found is None else found.held_by(node)
        await make_sure()
        try:
            return await remove_holders(api, found, node)
        except Conflict:  # a daemon of another node was faster
            continue
        except PlanesError as error:
            told(f"static addresses in {name} stay: {error.message}")
            return ()
    told(f"static addresses in {name} stay: others were faster {_TRIES} times; run this again")
    return ()


async def _refuse_ready(api: KubeApi, node: str) -> None:
    try:
        found = await api.get(NODES, node)
    except NotFound:
        return
    if is_ready(found):
        raise Denied(
            f"cannot release the addresses of node {node}: it is ready, so its pods have them",
            remedy=f"drain the node, or delete what is wrong by hand: kubectl get ipb "
            f"--field-selector spec.node={node}",
        )


async def _refuse_connected(api: KubeApi, clock: Clock, before: NodeLook, node: str) -> None:
    after = await look_at(api, clock, node)
    if after.renewal and after.renewal != before.renewal:
        raise Denied(
            f"cannot release the addresses of node {node}: its kubelet renews its Lease, so it "
            "runs, and its pods with it",
            remedy="stop the machine, or its kubelet and all its containers, first",
        )


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
                plane = parse_stored_plane(obj)
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


async def _names(api: ReadApi) -> frozenset[str]:
    nodes = Query(NODES, is_metadata_only=True)
    return frozenset(
        [str(o["metadata"]["name"]) async for page in api.pages(nodes) for o in page.items]
    )
