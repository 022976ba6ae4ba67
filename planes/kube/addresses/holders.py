"""Holders of static addresses in an IPBlock of use `Static`.

`holders` maps an address to one text, `<node>|<JSON>`. It begins with the node so that an admission
policy can compare the node without parsing the rest: a node writes its own entries alone, and the
webhook's leader removes those of pods that are gone. `wanted` maps an address whose pod is gone to
the node that waits for it. `claims` maps an address to the IPAMClaim that it is kept for, whether a
pod has it or not; a node adds an entry to an address that it holds, only the leader removes one.

All are atomic maps: their managedFields have `f:holders`, whatever is in them.

Invariant: an entry that cannot be read has an unknown holder, and is written back as it was found.
So an entry that a node damages costs its own address and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from socket import AF_INET, AF_INET6, inet_pton
from typing import Any, Final

import orjson

from planes.kube.addresses.ipblocks import STATIC, Shape, new_block, read_shape
from planes.model.addresses import IPAddress, IPNetwork
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
"""Node, container and interface: a node can write only entries that begin with its own name."""


def identity_of(owner: AddressOwner) -> Identity:
    """Return what identifies an attachment in the cluster."""
    return owner.node, owner.container_id, owner.interface


@dataclass(frozen=True, slots=True)
class Holder:
    """The holder of a static address, and since when (seconds since 1970).

    Attributes:
        text: the entry as it was read; None for a new one.
    """

    owner: AddressOwner
    since: int = 0
    text: str | None = field(default=None, compare=False)

    @property
    def identity(self) -> Identity:
        """What identifies the attachment."""
        return identity_of(self.owner)


Holders = dict[IPAddress, Holder]
KeptFor = dict[IPAddress, str]
"""The IPAMClaim that an address is kept for, as text, see `planes.model.spec.ipam_claim`."""


@dataclass(frozen=True, slots=True)
class StaticBlock:
    """A static block as it was read.

    Attributes:
        wanted: nodes by the address they wait for, as text.
        odd: entries whose key is no address of the block; kept as they are.
        claims: the claims that addresses are kept for.
    """

    shape: Shape
    holders: Holders
    wanted: Mapping[str, str]
    odd: Mapping[str, Any]
    claims: KeptFor = field(default_factory=dict)

    @property
    def taken(self) -> Holders:
        """The holders, and an unknown one of each address that is kept for a claim only."""
        kept = {a: Holder(AddressOwner("", "")) for a in self.claims if a not in self.holders}
        return {**self.holders, **kept}


def read_static(obj: Mapping[str, Any]) -> StaticBlock:
    """Read a static block.

    Raises:
        Internal: it is no static block, so no address of it may be handed out.
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
    claims = {
        address: str(text)
        for key, text in _mapping(obj.get("claims")).items()
        if (address := _address_in(key, shape.network)) is not None
    }
    return StaticBlock(shape, holders, _mapping(obj.get("wanted")), odd, claims)


def held_in(obj: Mapping[str, Any], network: IPNetwork) -> dict[IPAddress, str]:
    """Return what is held or kept in a static block, each with the node that holds it, or "".

    Nothing else of the entries is read: for many blocks of a node that makes them without end.
    """
    found = {a: "" for key in _mapping(obj.get("claims")) if (a := _address_in(key, network))}
    for key, text in _mapping(obj.get("holders")).items():
        address = _address_in(key, network)
        if address is not None and isinstance(text, str):
            found[address] = _shown(text.partition(_SEPARATOR)[0])
    return found


def nodes_of_holders(obj: Mapping[str, Any]) -> frozenset[str]:
    """Return the nodes that hold addresses in a static block; nothing else of it is read."""
    texts = _mapping(obj.get("holders")).values()
    names = {text.partition(_SEPARATOR)[0] for text in texts if isinstance(text, str)}
    return frozenset(filter(is_dns_subdomain, names))


def without_node(block: StaticBlock, node: str) -> tuple[Holders, Mapping[str, str]]:
    """Return a block's `holders` and `wanted` without what a node holds and waits for.

    What of it cannot be read is left out, too: each entry begins with its node. What others wait
    for is left out where nobody holds it any more.
    """
    holders = {a: held for a, held in block.holders.items() if held.owner.node != node}
    held = set(map(str, holders))
    wanted = {a: waits for a, waits in block.wanted.items() if a in held and waits != node}
    return holders, wanted


def static_object(
    plane: str, network: IPNetwork, holders: Mapping[IPAddress, Holder], node: str = ""
) -> JsonObject:
    """Return a new object with holders of static addresses, made by a node."""
    return {**new_block(Shape(plane, STATIC, network), node), "holders": write_holders(holders)}


def rewritten(
    obj: Mapping[str, Any],
    block: StaticBlock,
    holders: Mapping[IPAddress, Holder],
    wanted: Mapping[str, str],
    claims: KeptFor | None = None,
) -> JsonObject:
    """Return an object as it was read, with other `holders`, `wanted` and, if given, `claims`."""
    rest = {key: value for key, value in obj.items() if key not in {"holders", "wanted"}}
    rest["holders"] = {**block.odd, **write_holders(holders)}
    if wanted:
        rest["wanted"] = dict(wanted)
    if claims is not None and claims != block.claims:
        rest["claims"] = {str(address): claims[address] for address in sorted(claims, key=int)}
        if not claims:
            del rest["claims"]
    return rest


def write_holders(holders: Mapping[IPAddress, Holder]) -> dict[str, str]:
    """Return `holders` as it is written; the same holders have the same texts."""
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
    """Return an owner whose names are valid: they become paths of requests and texts.

    Raises:
        BadInput: a name is not valid.
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
    """Return the address that a key is in its canonical form, None for any other key."""
    try:
        number = int.from_bytes(inet_pton(AF_INET if network.version == 4 else AF_INET6, key))
    except (OSError, ValueError):
        return None
    first = int(network.network_address)
    if not first <= number < first + network.num_addresses:
        return None
    address = type(network.network_address)(number)
    return address if str(address) == key else None


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
    """Remove an attachment from a block's holders: all but some addresses, or one only."""
    for address, holder in list(holders.items()):
        if holder.identity == identity and address not in but and only in {None, address}:
            del holders[address]


def put(
    holders: Holders,
    address: IPAddress,
    owner: AddressOwner,
    now: float,
    *,
    is_settled: bool = False,
) -> None:
    """Make an attachment the holder of an address.

    Args:
        holders: of its block; changed.
        address: the address.
        owner: the attachment.
        now: seconds since 1970.
        is_settled: the attachment is known to hold it, and no release of it was ever sent. Else the
            entry is written anew, with a later `since`: so a release that is late fails.
    """
    old = holders.get(address)
    if old is None or old.owner != owner:
        holders[address] = Holder(owner, int(now))
    elif not is_settled:
        holders[address] = Holder(owner, max(int(now), old.since + 1))
