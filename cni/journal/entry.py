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

from cni.call import CniRequest, PodIdentity
from cni.journal.attachment_form import read_attachment
from cni.plugins.attachment import PlannedAttachment
from cni.plugins.plugin import Call
from planes.model.decode import Fields, loads
from planes.model.encode import dumps
from planes.model.errors import CniCode, Internal, JsonObject, PlanesError
from planes.model.names import check_container_id, check_ifname
from planes.model.wire.netconf import ConfList
from planes.store.protocol import AddressOwner

VERSION: Final = 1
FAULT_LENGTH: Final = 500
FAULT_SEPARATOR: Final = " | "
"""Separates the errors of several attachments in `Entry.fault`."""

_ENVELOPE: Final = re.compile(
    rb'\{"version":(\d{1,9}),"sha256":"([0-9a-f]{64})","entry":(.*)\}\n', re.DOTALL
)
Key = tuple[str, str]


class Stage(StrEnum):
    """The stage of a call, as journaled.

    BEGUN: an ADD that has not returned. ATTACHED: an ADD that succeeded. LEAVING: a call whose
    teardown failed, or a sandbox attached before us that is to be torn down.
    """

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
        netns_inode: inode of that namespace; 0 where unknown.
        network: the `name` of the netconf the call came with.
        cni_path: the directories of plugin binaries.
        namespace: the pod's, "" where there is none.
        pod: the pod's name.
        uid: the pod's uid.
        node: the name of this node.
        attachments: in the order of the selection, which numbering, status and results follow.
        stage: see `Stage`.
        attempts: the number of failed teardowns.
        boot: boot ID of the machine at ADD; "" where unknown.
        failed_since: time of the first failed teardown, in seconds since 1970; 0 for none.
        fault: errors of the last failed teardown, at most `FAULT_LENGTH` characters.
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
    failed_since: float = 0.0
    fault: str = ""

    @property
    def key(self) -> Key:
        """The identity of the call: container ID and CNI_IFNAME."""
        return self.container_id, self.ifname

    def call(self, attachment: PlannedAttachment, netns: str) -> Call:
        """Return the CNI parameters for the plugins of one of its attachments."""
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
            claim=attachment.claim,
            is_confined=attachment.is_confined,
            is_cluster_network=attachment.is_cluster_network,
        )


def entry_of(
    request: CniRequest,
    pod: PodIdentity,
    node: str,
    attachments: tuple[PlannedAttachment, ...],
    *,
    netns_inode: int = 0,
    network: str | None = None,
    stage: Stage = Stage.BEGUN,
) -> Entry:
    """Return the entry of a call.

    Args:
        request: the call, with all directories that its plugins are looked up in.
        pod: the pod the sandbox is for.
        node: the name of this node.
        attachments: what is attached, or was.
        netns_inode: which namespace it is; 0 where unknown.
        network: the name of the netconf that the sandbox was attached with; None for the call's.
        stage: how far the call has come.
    """
    return Entry(
        container_id=request.container_id,
        ifname=request.ifname,
        netns=request.netns,
        netns_inode=netns_inode,
        network=request.network if network is None else network,
        cni_path=request.cni_path,
        namespace=pod.namespace,
        pod=pod.name,
        uid=pod.uid,
        node=node,
        attachments=attachments,
        stage=stage,
    )


def facts_of(entry: Entry) -> JsonObject:
    """Return what a log line says of an entry: whose it is, interfaces, networks and addresses."""
    attachments = {
        one.ifname: {
            "network": one.network,
            "ips": [] if one.result is None else [ip.address for ip in one.result.ips],
        }
        for one in entry.attachments
    }
    return {**_pod(entry), "attachments": attachments}


def log_fields(entry: Entry) -> dict[str, str]:
    """Return the log fields of a line outside the entry's own call: sandbox, interface, pod."""
    return {"container_id": entry.container_id, "ifname": entry.ifname, **_pod(entry)}


def _pod(entry: Entry) -> dict[str, str]:
    if not entry.pod:
        return {}
    return {"pod": f"{entry.namespace}/{entry.pod}", "uid": entry.uid}


def encode(entry: Entry) -> bytes:
    """Return an entry's bytes."""
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
            "failedSince": entry.failed_since,
            "fault": entry.fault,
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
        known: parsed configurations by their text, shared by entries that are read together.

    Raises:
        Internal: they are no journal entry, of another version, truncated or altered.
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


def _entry(obj: Any, known: dict[str, ConfList]) -> Entry:
    """Read an entry; types are checked, since another program may have written the file."""
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
        attachments=tuple(read_attachment(one, known) for one in fields.children("attachments")),
        stage=Stage(fields.string("stage")),
        attempts=fields.integer("attempts"),
        boot=fields.string("boot"),
        failed_since=_seconds(fields),
        fault=fields.string("fault"),
    )


def _seconds(fields: Fields) -> float:
    value = fields.raw("failedSince") or 0
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise fields.wrong("failedSince", "a number", value)
    return float(value)
