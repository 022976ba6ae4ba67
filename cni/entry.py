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
from typing import Final

from cni.attachment import PlannedAttachment
from cni.plugin import Call
from planes.model.decode import Fields, loads
from planes.model.encode import dumps
from planes.model.errors import CniCode, Internal, JsonObject, PlanesError
from planes.model.wire.netconf import parse_conflist
from planes.model.wire.result import parse_result
from planes.store.protocol import AddressOwner

VERSION: Final = 1

_ENVELOPE: Final = re.compile(
    rb'\{"version":(\d{1,9}),"sha256":"([0-9a-f]{64})","entry":(.*)\}\n', re.DOTALL
)
_IFNAME: Final = re.compile(rb'"ifname":"([^"\\/:\s]{1,15})"')

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
            is_cluster_network=attachment.is_cluster_network,
        )


@dataclass(frozen=True, slots=True)
class Damaged:
    """An entry whose bytes are not what was written.

    Attributes:
        reason: what is wrong with them.
        ifnames: the interfaces that can still be read out of them.
        kept: where the bytes were put aside.
    """

    reason: str
    ifnames: tuple[str, ...]
    kept: str = ""


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
            "attachments": [attachment.to_json() for attachment in entry.attachments],
        },
        "the journal entry",
    )
    checksum = hashlib.sha256(body).hexdigest().encode()
    return b'{"version":%d,"sha256":"%s","entry":%s}\n' % (VERSION, checksum, body)


def decode(data: bytes) -> Entry:
    """Read an entry's bytes.

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
        return _entry(loads(match[3], "the journal entry"))
    except (KeyError, TypeError, ValueError, PlanesError) as error:
        raise Internal(f"cannot read the journal entry: {error}", code=CniCode.DECODE) from error


def salvage(data: bytes) -> tuple[str, ...]:
    """Give the interface names that can still be read out of damaged bytes."""
    names = {name.decode(errors="replace") for name in _IFNAME.findall(data)}
    return tuple(sorted(names))


def _entry(obj: JsonObject) -> Entry:
    return Entry(
        container_id=obj["containerID"],
        ifname=obj["callIfname"],
        netns=obj["netns"],
        netns_inode=obj["netnsInode"],
        network=obj["network"],
        cni_path=tuple(obj["cniPath"]),
        namespace=obj["namespace"],
        pod=obj["pod"],
        uid=obj["uid"],
        node=obj["node"],
        attachments=tuple(_attachment(one) for one in obj["attachments"]),
        stage=Stage(obj["stage"]),
        attempts=obj["attempts"],
    )


def _attachment(obj: JsonObject) -> PlannedAttachment:
    fields = Fields(obj, "the journaled attachment")
    result = fields.object("result")
    return PlannedAttachment(
        network=obj["network"],
        conflist=parse_conflist(obj["config"], what="the journaled configuration"),
        ifname=obj["ifname"],
        cni_args=tuple((key, value) for key, value in obj["cniArgs"]),
        capability_args=obj["capabilityArgs"],
        args=obj["args"],
        candidates=tuple(obj["candidates"]),
        ips=tuple(obj["ips"]),
        default_route=tuple(obj["defaultRoute"]),
        plane=obj["plane"],
        holds={name: tuple(held) for name, held in obj.get("holds", {}).items()},
        is_default=obj["default"],
        result=parse_result(result, default_version="1.1.0") if result is not None else None,
    )
