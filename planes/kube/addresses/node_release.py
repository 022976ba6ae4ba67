"""What one node has of all planes' addresses, and its removal from the API server.

Invariant: a block is deleted, and an entry removed, only as its node had written it when it was
read. Callers read first, and then make sure that the node is off: what its daemon writes after it
came back makes the removal fail. What other nodes write there meanwhile does not: they ask for
addresses of the block, and hold addresses of their own, as often as they like.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final

import orjson

from planes.kube.addresses.holders import (
    StaticBlock,
    nodes_of_holders,
    read_static,
    rewritten,
    without_node,
)
from planes.kube.addresses.ipblocks import NODE, STATIC
from planes.kube.api import KubeApi, Query, ReadApi
from planes.kube.resources import IPBLOCKS
from planes.model.addresses import IPAddress
from planes.model.errors import Conflict, Internal, JsonObject, NotFound

_TRIES: Final = 16
"""Each is a race with whoever else writes to the block."""
_DIGEST_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class BlockAsRead:
    """An IPBlock of a node, by what a deletion asks for.

    Attributes:
        written: see `written_by_owner`.
        plane: as its spec says, valid or not.
        cidr: as its spec says.
    """

    name: str
    uid: str
    version: str
    written: str
    plane: str
    cidr: str


@dataclass(frozen=True, slots=True)
class StaticAsRead:
    """A static block, and the object that is to be written over."""

    obj: JsonObject
    block: StaticBlock

    def held_by(self, node: str) -> Sequence[IPAddress]:
        """Return what a node holds in it."""
        return [a for a, holder in self.block.holders.items() if holder.owner.node == node]


async def blocks_of(api: KubeApi, node: str) -> Sequence[BlockAsRead]:
    """List the blocks that a node hands out, also those that every reader ignores.

    Raises:
        PlanesError: the API server cannot be read.
    """
    found = []
    async for page in api.pages(Query(IPBLOCKS, fields=f"spec.use={NODE},spec.node={node}")):
        for obj in page.items:
            meta, spec = obj["metadata"], obj["spec"]
            found.append(
                BlockAsRead(
                    str(meta["name"]),
                    str(meta["uid"]),
                    str(meta["resourceVersion"]),
                    written_by_owner(obj),
                    str(spec.get("plane", "")),
                    str(spec.get("cidr", "")),
                )
            )
    return found


async def static_blocks_of(api: KubeApi, node: str) -> Sequence[str]:
    """Name the static blocks in which a node holds addresses.

    Raises:
        PlanesError: the API server cannot be read.
    """
    found = []
    async for page in api.pages(Query(IPBLOCKS, fields=f"spec.use={STATIC}")):
        found += [obj["metadata"]["name"] for obj in page.items if node in nodes_of_holders(obj)]
    return found


async def read_static_block(api: ReadApi, name: str) -> StaticAsRead | None:
    """Read a static block, live; None where there is no valid one.

    Raises:
        PlanesError: the API server cannot be read.
    """
    try:
        obj = await api.get(IPBLOCKS, name)
        return StaticAsRead(obj, read_static(obj))
    except (NotFound, Internal):
        return None


def written_by_owner(obj: JsonObject) -> str:
    """Return a digest of what the node of a block writes into it: it changes when that does."""
    data = orjson.dumps([obj.get("instance"), obj.get("lent")])
    return hashlib.blake2b(data, digest_size=_DIGEST_BYTES).hexdigest()


async def delete_block(api: KubeApi, name: str, uid: str, version: str, written: str) -> None:
    """Delete a block as its node had written it.

    Raises:
        Conflict: its node wrote to it since, or it is another one: look at the node again.
        PlanesError: it could not be deleted.
    """
    for tries in count(1):
        try:
            await api.delete(IPBLOCKS, name, uid=uid, resource_version=version)
        except Conflict:
            try:
                obj = await api.get(IPBLOCKS, name)
            except NotFound:
                return
            if tries == _TRIES or obj["metadata"]["uid"] != uid or written_by_owner(obj) != written:
                raise
            version = str(obj["metadata"]["resourceVersion"])
        else:
            return


async def remove_holders(api: KubeApi, found: StaticAsRead, node: str) -> Sequence[IPAddress]:
    """Remove what a node holds and waits for in a static block; return what it held.

    Raises:
        Conflict: the node wrote to it since it was read: look at the node again.
        PlanesError: it could not be written.
    """
    before, now = _texts_of(found, node), found
    for tries in count(1):
        holders, wanted = without_node(now.block, node)
        try:
            if (holders, wanted) != (now.block.holders, now.block.wanted):
                await api.replace(IPBLOCKS, rewritten(now.obj, now.block, holders, wanted))
            return tuple(address for address in now.block.holders if address not in holders)
        except Conflict:
            again = await read_static_block(api, now.block.shape.name)
            if again is None:
                return ()
            if tries == _TRIES or not _texts_of(again, node).items() <= before.items():
                raise
            now = again
    return ()


def _texts_of(found: StaticAsRead, node: str) -> Mapping[IPAddress, str | None]:
    return {address: found.block.holders[address].text for address in found.held_by(node)}
