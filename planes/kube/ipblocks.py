"""IPBlock objects: what they say, and which of them count.

Three uses share the kind. `Node`: addresses that one node hands out. `Static`: who holds static
addresses (see `planes.kube.holders`). `Grid`: the size of all node blocks in its cidr.

Invariant: every reader goes by `read_shape`, so what one program ignores all of them ignore. An
object that is wider than a block can be, or that is not called as its plane and addresses are,
would share addresses with others: the one name of each block is what makes it the only one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from planes.kube.resources import IPBLOCKS
from planes.model.addresses import AddressRange, IPAddress, IPNetwork, parse_network, parse_range
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
_MOST_STATIC: Final = 1100
"""As the definition has it: every address of the widest block, and some ranges."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What an IPBlock is about, checked.

    Attributes:
        node: whose block it is; "" but for a node's.
        block_size: prefix length of the blocks in a grid; 0 but for a grid.
    """

    plane: str
    use: str
    network: IPNetwork
    node: str = ""
    block_size: int = 0

    @property
    def name(self) -> str:
        """The one name that it can have."""
        return block_name(self.plane, self.network, _KINDS[self.use])


@dataclass(frozen=True, slots=True)
class NodeBlock:
    """A block that a node has taken: all of `network` but what was kept for static addresses.

    Attributes:
        uid: of the object, "" where there is none yet.
    """

    plane: str
    node: str
    network: IPNetwork
    static: tuple[AddressRange, ...] = ()
    uid: str = field(default="", compare=False)

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
        return new_block(Shape(self.plane, NODE, self.network, self.node), self.node, **spec)


def read_shape(obj: Mapping[str, Any]) -> Shape:
    """Read what an IPBlock is about. Nothing of it is enumerated, however wide it says to be.

    Raises:
        BadInput: it is none that we make: odd name or size, host bits, no owner.
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
        BadInput: it is none that we make.
    """
    shape = read_shape(obj)
    if shape.use != NODE:
        return None
    static = obj["spec"].get("static") or ()
    if not isinstance(static, list | tuple) or len(static) > _MOST_STATIC:
        raise BadInput("cannot read which static addresses the block leaves out")
    spans = tuple(parse_range(str(text)) for text in static)
    uid = str(obj["metadata"].get("uid") or "")
    return NodeBlock(shape.plane, shape.node, shape.network, spans, uid)


def grid_object(plane: str, region: IPNetwork, length: int, node: str = "") -> JsonObject:
    """Give the object that fixes the size of blocks in a region, as made by a node."""
    return new_block(Shape(plane, GRID, region), node, blockSize=length)


def read_grid(obj: Mapping[str, Any], region: IPNetwork) -> int:
    """Read the prefix length of blocks in a region.

    Raises:
        Internal: the object makes no sense.
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
    """Give a new object, made by a node; `more` goes into its spec."""
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
