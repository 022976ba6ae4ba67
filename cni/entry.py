"""One journal entry: what one ADD call attaches, and its bytes on disk.

The bytes are one JSON document `{"version":1,"sha256":"…","entry":{…}}` whose checksum covers the
exact bytes of `entry`. Invariant: `decode(encode(entry)) == entry`, and bytes that were cut,
mixed or altered never decode to an entry.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from cni.attachment import PlannedAttachment
from cni.plugin import Call
from planes.model.decode import Fields, loads
from planes.model.encode import dumps
from planes.model.errors import CniCode, Internal, JsonObject, PlanesError
from planes.model.names import check_container_id, check_ifname
from planes.model.wire.netconf import ConfList, parse_conflist
from planes.model.wire.result import parse_result
from planes.store.protocol import AddressOwner

VERSION: Final = 1

_ENVELOPE: Final = re.compile(
    rb'\{"version":(\d{1,9}),"sha256":"([0-9a-f]{64})","entry":(.*)\}\n', re.DOTALL
)
_IFNAME: Final = re.compile(rb'"ifname":"([^"\\/:%\s]{1,15})"')
_CALL: Final = re.compile(rb'"callIfname":"([^"\\/:%\s]{1,15})"')
_CONTAINER: Final = re.compile(rb'"containerID":"([\w.\-]+)"')
_NETNS: Final = re.compile(rb'"netns":"(/[^"\\]+)"')
_DATA_DIR: Final = re.compile(rb'\\"dataDir\\":\\"(/[^"\\]+)\\"')

Key = tuple[str, str]


class Stage(StrEnum):
    """How far a call has come."""

    BEGUN = "begun"
    ATTACHED = "attached"
    LEAVING = "leaving"


@dataclass(frozen=True, slots=True)
class Entry:
    """What one ADD call (containerID, ifname) attaches.

    Attributes:
        container_id: the sandbox.
        ifname: the CNI_IFNAME of the call.
        netns: path of the sandbox's network namespace.
        netns_inode: which namespace that was; 0 where unknown.
        network: the `name` of the netconf the call came with.
        cni_path: directories plugins were looked up in.
        namespace: the pod's, "" where there is none.
        pod: the pod's name.
        uid: the pod's uid.
        node: the name of this node.
        attachments: in the order that numbering, status and results follow.
        stage: begun (never answered), attached (answered), leaving (DEL left something undone).
        attempts: how often tearing down has failed.
        boot: which start of the machine it was begun in; "" where unknown.
    """

    container_id: str
    ifname: str
    netns: str
    netns_inode: int
    network: str
    cni_path: tuple[str, ...]
    namespace: str
    pod: str
    uid: str
    node: str
    attachments: tuple[PlannedAttachment, ...]
    stage: Stage = Stage.BEGUN
    attempts: int = 0
    boot: str = ""

    @property
    def key(self) -> Key:
        """The identity of the call."""
        return self.container_id, self.ifname

    def call(self, attachment: PlannedAttachment, netns: str) -> Call:
        """Give what the plugins of one of its attachments are told beside their netconf."""
        return Call(
            container_id=self.container_id,
            netns=netns,
            ifname=attachment.ifname,
            cni_args=attachment.cni_args,
            cni_path=self.cni_path,
            owner=AddressOwner(
                self.container_id,
                attachment.ifname,
                self.namespace,
                self.pod,
                self.uid,
                self.node,
            ),
            plane=attachment.plane,
            ips=attachment.ips,
            candidates=attachment.candidates,
            is_confined=attachment.is_confined,
            is_cluster_network=attachment.is_cluster_network,
        )


@dataclass(frozen=True, slots=True)
class Damaged:
    """An entry whose bytes are not what was written: what they still tell may be wrong.

    Attributes:
        container_id: the sandbox, "" where nothing tells.
        ifname: the CNI_IFNAME of the call, "" where nothing tells.
        netns: path of its namespace, "" where nothing tells.
        ifnames: interfaces of its attachments.
        data_dirs: where host-local kept addresses of it.
        reason: what is wrong with the bytes.
        kept: where they were put aside.
    """

    container_id: str = ""
    ifname: str = ""
    netns: str = ""
    ifnames: tuple[str, ...] = ()
    data_dirs: tuple[str, ...] = ()
    reason: str = ""
    kept: str = ""

    @property
    def key(self) -> Key:
        """The identity of the call."""
        return self.container_id, self.ifname


def facts_of(entry: Entry) -> JsonObject:
    """Give what a log line says of an entry: whose it is, interfaces, networks and addresses."""
    attachments = {
        one.ifname: {
            "network": one.network,
            "ips": [] if one.result is None else [ip.address for ip in one.result.ips],
        }
        for one in entry.attachments
    }
    return {**_pod(entry), "attachments": attachments}


def whose(entry: Entry) -> dict[str, str]:
    """Give what every log line about an entry says outside its call: which call, and whose."""
    return {"container_id": entry.container_id, "ifname": entry.ifname, **_pod(entry)}


def _pod(entry: Entry) -> dict[str, str]:
    if not entry.pod:
        return {}
    return {"pod": f"{entry.namespace}/{entry.pod}", "uid": entry.uid}


def encode(entry: Entry) -> bytes:
    """Give an entry's bytes."""
    body = dumps(
        {
            "containerID": entry.container_id,
            "callIfname": entry.ifname,
            "netns": entry.netns,
            "netnsInode": entry.netns_inode,
            "network": entry.network,
            "cniPath": list(entry.cni_path),
            "namespace": entry.namespace,
            "pod": entry.pod,
            "uid": entry.uid,
            "node": entry.node,
            "stage": entry.stage.value,
            "attempts": entry.attempts,
            "boot": entry.boot,
            "attachments": [attachment.to_json() for attachment in entry.attachments],
        },
        "the journal entry",
    )
    checksum = hashlib.sha256(body).hexdigest().encode()
    return b'{"version":%d,"sha256":"%s","entry":%s}\n' % (VERSION, checksum, body)


def decode(data: bytes, known: dict[str, ConfList] | None = None) -> Entry:
    """Read an entry's bytes.

    Args:
        data: the bytes.
        known: configurations by their texts, for entries that are read together: those of one
            network share what was read of it, as they did when they were made.

    Raises:
        Internal: they are no journal entry, of another version, cut or altered.
    """
    match = _ENVELOPE.fullmatch(data)
    if match is None:
        raise Internal("cannot read the journal entry: it is cut or no journal entry at all")
    if int(match[1]) != VERSION:
        raise Internal(
            f"cannot read the journal entry: it is of version {int(match[1])}",
            remedy=f"this release reads version {VERSION}",
        )
    if hashlib.sha256(match[3]).hexdigest().encode() != match[2]:
        raise Internal("cannot read the journal entry: its checksum does not match")
    try:
        return _entry(loads(match[3], "the journal entry"), {} if known is None else known)
    except (PlanesError, ValueError, RecursionError) as error:
        raise Internal(f"cannot read the journal entry: {error}", code=CniCode.DECODE) from error


def salvage(data: bytes) -> Damaged:
    """Give what can still be read out of damaged bytes."""
    return Damaged(
        container_id=_first(_CONTAINER, data),
        ifname=_first(_CALL, data),
        netns=_first(_NETNS, data),
        ifnames=_all(_IFNAME, data),
        data_dirs=_all(_DATA_DIR, data),
    )


def _all(pattern: re.Pattern[bytes], data: bytes) -> tuple[str, ...]:
    return tuple(sorted({found.decode(errors="replace") for found in pattern.findall(data)}))


def _first(pattern: re.Pattern[bytes], data: bytes) -> str:
    found = pattern.search(data)
    return "" if found is None else found[1].decode(errors="replace")


def _entry(obj: Any, known: dict[str, ConfList]) -> Entry:
    """Read an entry; a checksum that matches says nothing of the types (another program wrote)."""
    if not isinstance(obj, dict):
        raise Internal("it is no object")
    fields = Fields(obj, "it")
    return Entry(
        container_id=check_container_id(fields.string("containerID")),
        ifname=check_ifname(fields.string("callIfname")),
        netns=fields.string("netns"),
        netns_inode=fields.integer("netnsInode"),
        network=fields.string("network"),
        cni_path=fields.strings("cniPath"),
        namespace=fields.string("namespace"),
        pod=fields.string("pod"),
        uid=fields.string("uid"),
        node=fields.string("node"),
        attachments=tuple(_attachment(one, known) for one in fields.children("attachments")),
        stage=Stage(fields.string("stage")),
        attempts=fields.integer("attempts"),
        boot=fields.string("boot"),
    )


def _attachment(fields: Fields, known: dict[str, ConfList]) -> PlannedAttachment:
    result, config = fields.object("result"), fields.string("config")
    conflist = known.get(config)
    if conflist is None:
        conflist = known[config] = parse_conflist(config, what="the journaled configuration")
    return PlannedAttachment(
        network=fields.string("network"),
        conflist=conflist,
        ifname=fields.string("ifname"),
        cni_args=_pairs(fields),
        capability_args=fields.object("capabilityArgs") or {},
        args=fields.object("args") or {},
        candidates=fields.strings("candidates"),
        ips=fields.strings("ips"),
        default_route=fields.strings("defaultRoute"),
        plane=fields.string("plane"),
        holds=_holds(fields),
        is_default=fields.boolean("default"),
        result=parse_result(result, default_version="1.1.0") if result is not None else None,
    )


def _holds(fields: Fields) -> dict[str, tuple[str, ...]]:
    holds = fields.child("holds")
    return {} if holds is None else {name: holds.strings(name) for name in holds.names()}


def _pairs(fields: Fields) -> tuple[tuple[str, str], ...]:
    pairs = []
    listed = fields.raw("cniArgs") or []
    for pair in listed if isinstance(listed, list) else [listed]:
        match pair:
            case [str(key), str(value)]:
                pairs.append((key, value))
            case _:
                raise fields.wrong("cniArgs", "a list of pairs", pair)
    return tuple(pairs)
