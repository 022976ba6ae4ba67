"""The work of `netplane ip release --node`: release what a node of a cluster has.

Invariant: nothing is done to a node that shows that it runs: its Node object is ready, or its
kubelet renews its Lease while the command waits.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from planes.kube.addresses.node_look import is_ready, look_at
from planes.kube.addresses.node_release import (
    BlockAsRead,
    blocks_of,
    delete_block,
    read_static_block,
    remove_holders,
    static_blocks_of,
)
from planes.kube.api import KubeApi
from planes.kube.resources import NODES
from planes.model.addresses import IPAddress
from planes.model.errors import Conflict, Denied, JsonObject, NotFound, PlanesError
from planes.model.state.fencing import NodeLook
from planes.run.clock import Clock

RENEWAL_SECONDS: Final = 25.0
"""A kubelet renews its Lease every 10 seconds."""
_TRIES: Final = 5


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
