"""Who holds static addresses, as an IPBlock of use `Static` has it.

`holders` maps an address to one text, `<node>|<JSON>`. It begins with the node so that a policy of
the API server can tell whose entry it is without parsing it: a node writes its own entries alone,
and the leader of the webhook takes out those of pods that are gone. `wanted` names the addresses
whose holder somebody has found dead, with the node that wants them.

Both are atomic maps: their managedFields say `f:holders`, whatever is in them.

Invariant: what cannot be read is held by somebody unknown, and written back as it was found; so an
entry that one node spoils costs its own address and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from planes.kube.ipblocks import STATIC, Shape, new_block, read_shape
from planes.model.addresses import IPAddress, IPNetwork, parse_address
from planes.model.errors import BadInput, Internal, JsonObject
from planes.model.names import (
    check_container_id,
    check_ifname,
    is_dns_label,
    is_dns_subdomain,
)
from planes.store.protocol import AddressOwner

_SEPARATOR: Final = "|"
_UID: Final = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_.:]{0,127}")
_FIELDS: Final = (
    ("containerID", "container_id"),
    ("interface", "interface"),
    ("namespace", "namespace"),
    ("pod", "pod"),
    ("uid", "uid"),
)


Identity = tuple[str, str, str]
"""Node, container and interface: a node can write what it likes behind its own name only."""


def identity_of(owner: AddressOwner) -> Identity:
    """Give what tells an attachment from all others of the cluster."""
    return owner.node, owner.container_id, owner.interface


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a static address, and since when (seconds since 1970).

    Attributes:
        text: the entry as it was read; None for a new one.
    """

    owner: AddressOwner
    since: int = 0
    text: str | None = field(default=None, compare=False)

    @property
    def identity(self) -> Identity:
        """What tells attachments apart."""
        return identity_of(self.owner)


Holders = dict[IPAddress, Holder]


@dataclass(frozen=True, slots=True)
class StaticBlock:
    """A static block as it was read.

    Attributes:
        wanted: nodes by the address they wait for, as text.
        odd: entries that no address of the block has; kept as they are.
    """

    shape: Shape
    holders: Holders
    wanted: Mapping[str, str]
    odd: Mapping[str, Any]


def read_static(obj: Mapping[str, Any]) -> StaticBlock:
    """Read a static block.

    Raises:
        Internal: it is none, so nothing in it may be handed out.
    """
    try:
        shape = read_shape(obj)
    except BadInput as error:
        raise _unfit(obj, error.message) from error
    if shape.use != STATIC:
        raise _unfit(obj, f"it is of use {shape.use}")
    holders: Holders = {}
    odd: dict[str, Any] = {}
    for key, text in _mapping(obj.get("holders")).items():
        address = _address_in(key, shape.network)
        if address is None or not isinstance(text, str):
            odd[key] = text
        else:
            holders[address] = _read_entry(text)
    return StaticBlock(shape, holders, _mapping(obj.get("wanted")), odd)


def static_object(
    plane: str, network: IPNetwork, holders: Mapping[IPAddress, Holder], node: str = ""
) -> JsonObject:
    """Give a new object for the holders of static addresses, as made by a node."""
    return {**new_block(Shape(plane, STATIC, network), node), "holders": write_holders(holders)}


def rewritten(
    obj: Mapping[str, Any],
    block: StaticBlock,
    holders: Mapping[IPAddress, Holder],
    wanted: Mapping[str, str],
) -> JsonObject:
    """Give an object as it was read, with other holders and wishes."""
    rest = {key: value for key, value in obj.items() if key not in {"holders", "wanted"}}
    rest["holders"] = {**block.odd, **write_holders(holders)}
    if wanted:
        rest["wanted"] = dict(wanted)
    return rest


def write_holders(holders: Mapping[IPAddress, Holder]) -> dict[str, str]:
    """Write the holders of static addresses; the same holders give the same texts."""
    return {str(address): _entry(holders[address]) for address in sorted(holders, key=int)}


def _entry(holder: Holder) -> str:
    if holder.text is not None:
        return holder.text
    facts: JsonObject = {key: getattr(holder.owner, name) for key, name in _FIELDS}
    return holder.owner.node + _SEPARATOR + orjson.dumps({**facts, "since": holder.since}).decode()


def _read_entry(text: str) -> Holder:
    node, _, rest = text.partition(_SEPARATOR)
    try:
        facts = orjson.loads(rest)
        values = {name: str(facts.get(key) or "") for key, name in _FIELDS}
        owner = _checked(AddressOwner(**values, node=node))
        return Holder(owner, int(facts.get("since") or 0), text)
    except (BadInput, AttributeError, TypeError, ValueError, OverflowError):
        return Holder(AddressOwner("", "", node=_shown(node)), 0, text)


def _checked(owner: AddressOwner) -> AddressOwner:
    """Give an owner back: its names become paths of requests and texts that people read.

    Raises:
        BadInput: some name is none.
    """
    check_container_id(owner.container_id)
    check_ifname(owner.interface)
    is_pod = not owner.pod or is_dns_subdomain(owner.pod)
    is_space = not owner.namespace or is_dns_label(owner.namespace)
    is_uid = not owner.uid or _UID.fullmatch(owner.uid) is not None
    if not (is_pod and is_space and is_uid and is_dns_subdomain(owner.node)):
        raise BadInput("cannot read the entry: it names no pod")
    return owner


def _shown(node: str) -> str:
    return node if is_dns_subdomain(node) else ""


def _address_in(key: str, network: IPNetwork) -> IPAddress | None:
    """Give the address that a key spells as we do, None for all else."""
    try:
        address = parse_address(key)
    except BadInput:
        return None
    is_inside = address.version == network.version and address in network
    return address if is_inside and str(address) == key else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _unfit(obj: Mapping[str, Any], cause: str) -> Internal:
    name = (obj.get("metadata") or {}).get("name")
    return Internal(
        f"cannot read who holds the static addresses of IPBlock {str(name)[:253]}: {cause}",
        remedy=f"have an administrator look at it and delete it: kubectl delete ipb {name!s:.253}",
    )


def drop(
    holders: Holders,
    identity: Identity,
    *,
    but: Sequence[IPAddress] = (),
    only: IPAddress | None = None,
) -> None:
    """Take an attachment out of a block's holders: except from some addresses, or from one only."""
    for address, holder in list(holders.items()):
        if holder.identity == identity and address not in but and only in {None, address}:
            del holders[address]


def put(holders: Holders, address: IPAddress, owner: AddressOwner, now: float) -> None:
    """Write an attachment down as the holder of an address, keeping since when it has it."""
    old = holders.get(address)
    if old is None or old.owner != owner:
        holders[address] = Holder(owner, int(now))
