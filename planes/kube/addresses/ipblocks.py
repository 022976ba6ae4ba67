"""IPBlock objects: their fields, and which of them are valid.

Three uses share the kind. `Node`: addresses that one node hands out. `Static`: holders of static
addresses (see `planes.kube.addresses.holders`). `Grid`: the size of all node blocks in its cidr.

Invariant: every reader uses `read_shape`, so an object that one program ignores all of them ignore.
An object that is wider than a block can be, or whose name is not made from its plane and addresses,
could share addresses with others: one name for each block is what makes a block unique.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from planes.kube.addresses.block_spans import read_spans
from planes.kube.resources import IPBLOCKS
from planes.model.addresses import AddressRange, IPAddress, IPNetwork, parse_network
from planes.model.errors import BadInput, Internal, JsonObject
from planes.model.names import is_dns_label
from planes.model.spec.block_sizes import REGION, STATIC_BLOCK, is_block_length
from planes.model.spec.blocks import block_name

NODE: Final = "Node"
STATIC: Final = "Static"
GRID: Final = "Grid"

_KINDS: Final = {NODE: "", STATIC: "static", GRID: "grid"}
_LONGEST_NAME: Final = 253
_LONGEST_CIDR: Final = 43


@dataclass(frozen=True, slots=True)
class Shape:
    """Plane, use and network of an IPBlock, checked.

    Attributes:
        node: the node that hands it out; "" for other uses.
        block_size: prefix length of the blocks in a grid; 0 for other uses.
    """

    plane: str
    use: str
    network: IPNetwork
    node: str = ""
    block_size: int = 0

    @property
    def name(self) -> str:
        """The only name that it can have."""
        return block_name(self.plane, self.network, _KINDS[self.use])


@dataclass(frozen=True, slots=True)
class NodeBlock:
    """A block that a node has taken: all of `network` but what was kept for static addresses.

    Attributes:
        instance: the start of the daemon that hands out of it; "" where none does.
        lent: addresses of `network` that its node does not hand out: any node may claim them as
            static ones.
        asked: nodes that look for an address, and since when.
        uid: of the object, "" where there is none yet.
        version: of the object as it was read.
    """

    plane: str
    node: str
    network: IPNetwork
    static: tuple[AddressRange, ...] = ()
    instance: str = ""
    lent: tuple[AddressRange, ...] = ()
    asked: Mapping[str, str] = field(default_factory=dict, hash=False)
    uid: str = field(default="", compare=False)
    version: str = field(default="", compare=False)

    @property
    def name(self) -> str:
        """The name that makes it unique."""
        return block_name(self.plane, self.network)

    @property
    def not_given(self) -> tuple[AddressRange, ...]:
        """Addresses that its node does not hand out: kept for static ones, or lent."""
        return (*self.static, *self.lent)

    def gives(self, address: IPAddress) -> bool:
        """Report whether its node may hand an address out."""
        inside = address.version == self.network.version and address in self.network
        return inside and not any(address in span for span in self.not_given)

    def to_json(self) -> JsonObject:
        """Return the object to create."""
        spec: JsonObject = {"static": [str(span) for span in self.static]} if self.static else {}
        obj = new_block(Shape(self.plane, NODE, self.network, self.node), self.node, **spec)
        return {**obj, "instance": self.instance} if self.instance else obj

    def written_over(self, obj: Mapping[str, Any]) -> JsonObject:
        """Return an object as it was read, with this `instance`, and what is lent and asked."""
        rest = {key: value for key, value in obj.items() if key not in {"lent", "asked"}}
        rest["instance"] = self.instance
        if self.lent:
            rest["lent"] = [str(span) for span in self.lent]
        if self.asked:
            rest["asked"] = dict(self.asked)
        return rest


def read_shape(obj: Mapping[str, Any]) -> Shape:
    """Read plane, use and network of an IPBlock. Its addresses are not enumerated, however wide.

    Raises:
        BadInput: Netplane makes no such block: wrong name or size, host bits, no node.
    """
    spec = obj.get("spec")
    name = (obj.get("metadata") or {}).get("name")
    if not isinstance(spec, dict) or not isinstance(name, str) or len(name) > _LONGEST_NAME:
        raise BadInput("cannot read the IPBlock: it has no name or no spec")
    plane, use, cidr = (_text(spec, key) for key in ("plane", "use", "cidr"))
    # A dot in a plane's name would give one plane's block the name of another plane's.
    if use not in _KINDS or not is_dns_label(plane) or len(cidr) > _LONGEST_CIDR:
        raise BadInput(f"cannot use a block of use {use[:16]!r} for plane {plane[:63]!r}")
    node, size = spec.get("node") or "", spec.get("blockSize") or 0
    if not isinstance(node, str) or bool(node) != (use == NODE):
        raise BadInput("cannot tell whose block it is: a Node block names its node, no other does")
    network = parse_network(cidr)
    _check_size(use, network, size)
    shape = Shape(plane, use, network, node, size)
    if name != shape.name or cidr != str(network):
        raise BadInput(f"cannot use a block of that name: {cidr} makes it {shape.name}")
    return shape


def _text(spec: Mapping[str, Any], key: str) -> str:
    value = spec.get(key)
    return value if isinstance(value, str) else ""


def _check_size(use: str, network: IPNetwork, size: Any) -> None:
    version, length = network.version, network.prefixlen
    if use == GRID:
        is_right = (
            length == REGION[version]
            and isinstance(size, int)
            and not isinstance(size, bool)
            and is_block_length(version, size)
        )
        if not is_right:
            raise BadInput(f"cannot use a grid of {network} with blocks of /{size!r:.8}")
        return
    is_right = (
        length == STATIC_BLOCK[version] if use == STATIC else is_block_length(version, length)
    )
    if not is_right or size:
        raise BadInput(f"cannot use {network} as a {use} block: none has that size")


def read_node_block(obj: Mapping[str, Any]) -> NodeBlock | None:
    """Read a node's block; None for other uses.

    Raises:
        BadInput: it is not valid.
    """
    shape = read_shape(obj)
    if shape.use != NODE:
        return None
    metadata, asked, net = obj["metadata"], obj.get("asked"), shape.network
    return NodeBlock(
        shape.plane,
        shape.node,
        net,
        read_spans(obj["spec"].get("static"), net, "which static addresses the block leaves out"),
        instance=str(obj.get("instance") or ""),
        lent=read_spans(obj.get("lent"), net, "which addresses the block lends"),
        asked={k: v for k, v in asked.items() if isinstance(v, str)}
        if isinstance(asked, dict)
        else {},
        uid=str(metadata.get("uid") or ""),
        version=str(metadata.get("resourceVersion") or ""),
    )


def grid_object(plane: str, region: IPNetwork, length: int, node: str = "") -> JsonObject:
    """Return the object that fixes the size of blocks in a region, made by a node."""
    return new_block(Shape(plane, GRID, region), node, blockSize=length)


def read_grid(obj: Mapping[str, Any], region: IPNetwork) -> int:
    """Read the prefix length of blocks in a region.

    Raises:
        Internal: it is no grid of the region.
    """
    try:
        shape = read_shape(obj)
        if shape.use == GRID and shape.network == region:
            return shape.block_size
        error = BadInput(f"cannot use it: it is a {shape.use} block of {shape.network}")
    except BadInput as caught:
        error = caught
    raise Internal(
        f"cannot read the block size of {region} from its IPBlock: {error.message}",
        remedy="look at the IPBlocks of the plane: `kubectl get ipblocks`",
    ) from error


def new_block(shape: Shape, made_by: str = "", **more: object) -> JsonObject:
    """Return a new object, made by a node; `more` goes into its spec."""
    spec: JsonObject = {
        "plane": shape.plane,
        "use": shape.use,
        "cidr": str(shape.network),
        "node": shape.node,
        **({"madeBy": made_by} if made_by else {}),
        **more,
    }
    return {
        "apiVersion": IPBLOCKS.api_version,
        "kind": IPBLOCKS.kind,
        "metadata": {"name": shape.name},
        "spec": spec,
    }
