"""Remove one entry of a static block as it was judged: its text is still the same.

Other nodes write into the block all the while, so its version alone says nothing of one entry.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import Final

from planes.kube.addresses.holders import StaticBlock, rewritten
from planes.kube.addresses.node_release import read_static_block
from planes.kube.api import KubeApi
from planes.kube.resources import IPBLOCKS
from planes.model.addresses import IPAddress
from planes.model.errors import Conflict, NotFound

_TRIES: Final = 16
"""Each is a race with whoever else writes to the block."""
_DIGEST_BYTES: Final = 16


def digest_of(text: str) -> str:
    """Return what an entry of a block is compared by."""
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=_DIGEST_BYTES).hexdigest()


def entry_digest(block: StaticBlock, address: IPAddress) -> str:
    """Return the digest of the entry that holds an address, "" where there is none."""
    holder = block.holders.get(address)
    return "" if holder is None or holder.text is None else digest_of(holder.text)


async def remove_holder(
    api: KubeApi,
    name: str,
    address: IPAddress,
    digest: str,
    *,
    make_sure: Callable[[], Awaitable[None]],
) -> bool:
    """Remove the entry of an address; report whether it was there as it was judged.

    Args:
        api: the API server.
        name: of the block.
        address: the address.
        digest: of the entry, see `entry_digest`.
        make_sure: called before each write; it raises where the entry must stay.

    Raises:
        Conflict: others were faster each time.
        PlanesError: the block cannot be read or written; or of `make_sure`.
    """
    for _ in range(_TRIES):
        found = await read_static_block(api, name)
        if found is None or entry_digest(found.block, address) != digest:
            return False
        await make_sure()
        holders = {a: holder for a, holder in found.block.holders.items() if a != address}
        wanted = {text: node for text, node in found.block.wanted.items() if text != str(address)}
        try:
            await api.replace(IPBLOCKS, rewritten(found.obj, found.block, holders, wanted))
        except Conflict:
            continue
        except NotFound:
            return False
        return True
    raise Conflict(
        f"cannot release {address}: others wrote to IPBlock {name} {_TRIES} times",
        remedy="run this again",
    )
