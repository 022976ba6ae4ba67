"""IPBlock objects: what they say, and how they are written.

Three uses share the kind. `Node`: addresses that one node hands out. `Static`: holders of static
addresses, in `data`. `Grid`: the size of all node blocks in its cidr. But for `data` none changes.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from planes.kube.resources import IPBLOCKS
from planes.model.addresses import (
    AddressRange,
    IPAddress,
    IPNetwork,
    parse_address,
    parse_network,
    parse_range,
)
from planes.model.errors import BadInput, Internal, JsonObject
from planes.model.spec.blocks import block_name
from planes.store.protocol import AddressOwner

_log = logging.getLogger(__name__)

NODE: Final = "Node"
STATIC: Final = "Static"
GRID: Final = "Grid"

_FIELDS: Final = (
    ("containerID", "container_id"),
    ("interface", "interface"),
    ("namespace", "namespace"),
    ("pod", "pod"),
    ("uid", "uid"),
    ("node", "node"),
)

Holders = dict[IPAddress, "Holder"]


@dataclass(frozen=True, slots=True)
class NodeBlock:
    """A block that a node has taken: all of `network` but what was kept for static addresses."""

    plane: str
    node: str
    network: IPNetwork
    static: tuple[AddressRange, ...] = ()

    @property
    def name(self) -> str:
        """The name that makes it the only one."""
        return block_name(self.plane, self.network)

    def gives(self, address: IPAddress) -> bool:
        """Tell whether its node may hand an address out."""
        inside = address.version == self.network.version and address in self.network
        return inside and not any(address in span for span in self.static)

    def to_json(self) -> JsonObject:
        """Give the object to create."""
        spec: JsonObject = {"static": [str(span) for span in self.static]} if self.static else {}
        return _object(self.name, self.plane, NODE, self.network, node=self.node, **spec)


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a static address, and since when (seconds since 1970)."""

    owner: AddressOwner
    since: int = 0

    @property
    def identity(self) -> tuple[str, str]:
        """What tells attachments apart."""
        return self.owner.container_id, self.owner.interface


def read_node_block(obj: Mapping[str, Any]) -> NodeBlock | None:
    """Read a node's block; None for other uses, and (logged) for what cannot be read."""
    spec = obj.get("spec")
    if not isinstance(spec, dict) or spec.get("use") != NODE:
        return None
    try:
        return NodeBlock(
            plane=str(spec["plane"]),
            node=str(spec["node"]),
            network=parse_network(str(spec["cidr"])),
            static=tuple(parse_range(str(text)) for text in spec.get("static") or ()),
        )
    except (BadInput, KeyError, TypeError) as error:
        name = (obj.get("metadata") or {}).get("name")
        _log.error("ignoring an IPBlock that cannot be read", extra={"block": name, "error": error})
        return None


def grid_object(plane: str, region: IPNetwork, length: int) -> JsonObject:
    """Give the object that fixes the size of blocks in a region."""
    return _object(block_name(plane, region, "grid"), plane, GRID, region, blockSize=length)


def read_grid(obj: Mapping[str, Any], region: IPNetwork) -> int:
    """Read the prefix length of blocks in a region.

    Raises:
        Internal: the object makes no sense.
    """
    length = (obj.get("spec") or {}).get("blockSize")
    if isinstance(length, int) and region.prefixlen <= length <= region.max_prefixlen:
        return length
    raise Internal(
        f"cannot read the block size of {region} from an IPBlock: it is {length!r}",
        remedy="look at the IPBlocks of the plane: `kubectl get ipblocks`",
    )


def static_object(
    plane: str, network: IPNetwork, holders: Mapping[IPAddress, Holder]
) -> JsonObject:
    """Give a new object for the holders of static addresses."""
    obj = _object(block_name(plane, network, "static"), plane, STATIC, network)
    return {**obj, "data": write_holders(holders)}


def write_holders(holders: Mapping[IPAddress, Holder]) -> str:
    """Write the holders of static addresses; the same holders give the same text."""
    entries = {}
    for address in sorted(holders, key=int):
        holder = holders[address]
        entry: JsonObject = {key: getattr(holder.owner, name) for key, name in _FIELDS}
        entries[str(address)] = {**entry, "since": holder.since}
    return orjson.dumps(entries).decode()


def read_holders(obj: Mapping[str, Any]) -> Holders:
    """Read who holds static addresses in a block.

    Raises:
        Internal: it cannot be read, so nothing in it may be handed out.
    """
    try:
        entries = orjson.loads(obj.get("data") or "{}")
        return {parse_address(text): _holder(entry) for text, entry in entries.items()}
    except (orjson.JSONDecodeError, AttributeError, TypeError, ValueError, BadInput) as error:
        name = (obj.get("metadata") or {}).get("name")
        raise Internal(
            f"cannot read who holds the static addresses of IPBlock {name}",
            remedy="mend or empty its data; nothing in it is handed out until then",
        ) from error


def _holder(entry: Mapping[str, Any]) -> Holder:
    values = {name: str(entry.get(key) or "") for key, name in _FIELDS}
    return Holder(AddressOwner(**values), int(entry.get("since") or 0))


def _object(
    name: str, plane: str, use: str, network: IPNetwork, *, node: str = "", **more: object
) -> JsonObject:
    return {
        "apiVersion": IPBLOCKS.api_version,
        "kind": IPBLOCKS.kind,
        "metadata": {"name": name},
        "spec": {"plane": plane, "use": use, "cidr": str(network), "node": node, **more},
    }


def owners_of(holders: Mapping[IPAddress, Holder]) -> Iterable[tuple[IPAddress, AddressOwner]]:
    """Yield who holds what."""
    return ((address, holder.owner) for address, holder in holders.items())
