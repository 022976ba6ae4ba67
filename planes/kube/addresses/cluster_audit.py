"""Compare what blocks, pods and nodes say of planes' addresses, and name what does not fit.

Pure: callers read the objects. Nothing here frees anything. A `network-status` is written by a
node's daemon, but the author of a pod may write it, too: what rests on it alone is a hint.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice

from planes.kube.addresses.block_index import BlockIndex
from planes.kube.addresses.holders import StaticBlock, read_static
from planes.kube.addresses.ipblocks import NODE, STATIC, NodeBlock, read_node_block
from planes.model.addresses import IPAddress, parse_address
from planes.model.annotations.selection import read_selections
from planes.model.bounds import (
    MAX_CLAIMS_OF_NAMESPACE,
    MAX_SHOWN_IPS_OF_POD,
    MAX_STATUS_CHARACTERS,
)
from planes.model.errors import BadInput, Internal, JsonObject
from planes.model.names import DEFAULT_NETWORK_ANNOTATION, NETWORKS_ANNOTATION, STATUS_ANNOTATION
from planes.model.wire.status import parse_addresses
from planes.store.protocol import AddressOwner


class Misfit(StrEnum):
    """What does not fit."""

    LEAKED = "leaked"
    NO_POD = "holder-without-pod"
    DUPLICATE = "duplicate"
    ORPHANED = "orphaned-block"
    NO_HOLDER = "status-without-holder"
    IGNORED = "ignored-block"
    KEPT = "kept-without-claim"
    UNUSED = "claim-without-owner"
    OTHERS = "claim-held-by-other"
    STATUS = "claim-status"
    NO_RECORD = "attachment-without-record"
    STATUS_NO_POD = "status-without-pod"
    DAMAGED = "damaged-entry"
    UNREAD = "not-compared"


@dataclass(frozen=True, slots=True, order=True)
class AuditEntry:
    """One thing that does not fit.

    Attributes:
        what: an address, or the name of a block.
        text: why, in words.
    """

    kind: Misfit
    plane: str
    what: str
    node: str
    pod: str
    text: str

    def as_json(self) -> JsonObject:
        """Return it as it is printed."""
        return {
            "kind": str(self.kind),
            "plane": self.plane,
            "what": self.what,
            "node": self.node,
            "pod": self.pod,
            "text": self.text,
        }


@dataclass(slots=True)
class ClusterFacts:
    """What was read, in any order; pods that have ended are left out.

    Attributes:
        networks: planes with addresses of their own, by the network's name in a network-status.
        nodes: names of the Node objects.
        shown: the pods that show an address, `namespace/name`, by plane and address.
        pods: their UIDs, by `namespace/name`.
        named: names of the IPAMClaims that a pod names, by `namespace/name` of the pod.
        static: static blocks.
        blocks: blocks of nodes.
        ignored: an entry for each block that every reader ignores.
        counts: how many addresses of planes the pods of a namespace show, as far as they are read.
    """

    networks: Mapping[str, str]
    nodes: Collection[str]
    shown: dict[tuple[str, IPAddress], list[str]] = field(default_factory=dict)
    pods: dict[str, frozenset[str]] = field(default_factory=dict)
    named: dict[str, frozenset[str]] = field(default_factory=dict)
    static: list[StaticBlock] = field(default_factory=list)
    blocks: list[NodeBlock] = field(default_factory=list)
    ignored: list[AuditEntry] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def add_pod(self, obj: JsonObject, mirror_annotation: str) -> None:
        """Take a pod: its UIDs, its IPAMClaims, and the planes' addresses that it shows."""
        meta = obj["metadata"]
        pod = f"{meta.get('namespace', '')}/{meta['name']}"
        annotations = meta.get("annotations") or {}
        uids = (meta.get("uid"), annotations.get(mirror_annotation))
        self.pods[pod] = frozenset(str(uid) for uid in uids if uid)
        asked = (NETWORKS_ANNOTATION, DEFAULT_NETWORK_ANNOTATION)
        claims = _named(
            [str(annotations.get(key) or "") for key in asked], str(meta.get("namespace", ""))
        )
        if claims:
            self.named[pod] = claims
        # What a pod shows that ends may be released already, and taken by another one.
        if not meta.get("deletionTimestamp"):
            self._add_shown(pod, str(annotations.get(STATUS_ANNOTATION) or ""))

    def _add_shown(self, pod: str, status: str) -> None:
        space = pod.partition("/")[0]
        is_over = self.counts[space] > MAX_CLAIMS_OF_NAMESPACE
        if is_over or not status or len(status) > MAX_STATUS_CHARACTERS:
            return
        try:
            elements = parse_addresses(status)
        except BadInput:
            return
        named = ((self.networks.get(network), texts) for network, texts in elements)
        shown = ((plane, a) for plane, texts in named if plane for a in _addresses(texts))
        for one in islice(shown, MAX_SHOWN_IPS_OF_POD):
            self.counts[space] += 1
            if self.counts[space] <= MAX_CLAIMS_OF_NAMESPACE:
                self.shown.setdefault(one, []).append(pod)

    def add_block(self, obj: JsonObject) -> None:
        """Take an IPBlock; one that every reader ignores is a misfit."""
        name = str(obj["metadata"]["name"])
        use = (obj.get("spec") or {}).get("use")
        try:
            if use == STATIC:
                self.static.append(read_static(obj))
            elif use == NODE and (block := read_node_block(obj)) is not None:
                self.blocks.append(block)
        except (BadInput, Internal) as error:
            plane = str((obj.get("spec") or {}).get("plane", ""))
            self.ignored.append(AuditEntry(Misfit.IGNORED, plane, name, "", "", error.message))


def audit(facts: ClusterFacts) -> Iterator[AuditEntry]:
    """Yield what does not fit; a holder without pod is to be judged by its node (see `judged`)."""
    yield from facts.ignored
    yield from _damaged(facts)
    yield from _orphaned(facts)
    yield from _overlapping(facts)
    yield from _shown_twice(facts)
    yield from _unheld(facts)


def without_pod(facts: ClusterFacts) -> Iterator[tuple[str, IPAddress, AddressOwner]]:
    """Yield plane, address and owner of static holders whose pod is not among those read."""
    for block in facts.static:
        for address, holder in block.holders.items():
            owner = holder.owner
            uids = facts.pods.get(f"{owner.namespace}/{owner.pod}", frozenset())
            if owner.pod and owner.uid not in uids:
                yield block.shape.plane, address, owner


def judged(plane: str, address: IPAddress, owner: AddressOwner, off: str) -> AuditEntry:
    """Return the entry of a holder whose pod is gone.

    Args:
        plane: the plane.
        address: what is held.
        owner: the holder.
        off: why its node runs no pods; "" where that is not known.
    """
    pod = f"{owner.namespace}/{owner.pod}"
    if off:
        text = f"its pod is gone, and node {owner.node} runs none: {off}"
        return AuditEntry(Misfit.LEAKED, plane, str(address), owner.node, pod, text)
    text = f"its pod is gone, but node {owner.node} may still run it"
    return AuditEntry(Misfit.NO_POD, plane, str(address), owner.node, pod, text)


def _orphaned(facts: ClusterFacts) -> Iterator[AuditEntry]:
    for block in facts.blocks:
        if block.node not in facts.nodes:
            text = f"there is no node {block.node}"
            yield AuditEntry(Misfit.ORPHANED, block.plane, block.name, block.node, "", text)


def _damaged(facts: ClusterFacts) -> Iterator[AuditEntry]:
    for block in facts.static:
        plane, name = block.shape.plane, block.shape.name
        for address, holder in block.holders.items():
            if not holder.owner.container_id:
                text = f"its entry in {name} cannot be read, so nobody can have it"
                node = holder.owner.node
                yield AuditEntry(Misfit.DAMAGED, plane, str(address), node, "", text)
        if block.odd:
            text = f"holders in it are of no address of it: {len(block.odd)}"
            yield AuditEntry(Misfit.DAMAGED, plane, name, "", "", text)


def _overlapping(facts: ClusterFacts) -> Iterator[AuditEntry]:
    """Yield each block within another one: networks are nested, or have nothing in common."""

    def place(block: NodeBlock) -> tuple[str, int, int, int]:
        first = int(block.network.network_address)
        return block.plane, block.network.version, first, block.network.prefixlen

    wide: NodeBlock | None = None
    for block in sorted(facts.blocks, key=place):
        is_within = (
            wide is not None
            and (wide.plane, wide.network.version) == (block.plane, block.network.version)
            and wide.network.overlaps(block.network)
        )
        if wide is None or not is_within:
            wide = block
            continue
        text = f"it shares addresses with {wide.name} of node {wide.node}"
        yield AuditEntry(Misfit.DUPLICATE, block.plane, block.name, block.node, "", text)


def _shown_twice(facts: ClusterFacts) -> Iterator[AuditEntry]:
    for (plane, address), pods in facts.shown.items():
        if len(others := sorted(set(pods))) > 1:
            text = f"also pod {', '.join(others[1:4])} shows it"
            yield AuditEntry(Misfit.DUPLICATE, plane, str(address), "", others[0], text)


def _unheld(facts: ClusterFacts) -> Iterator[AuditEntry]:
    """Yield addresses that pods show and no block gives them."""
    held = {
        (block.shape.plane, address): holder.owner
        for block in facts.static
        for address, holder in block.holders.items()
    }
    by_plane: dict[str, list[NodeBlock]] = {}
    for block in facts.blocks:
        by_plane.setdefault(block.plane, []).append(block)
    indexes = {plane: BlockIndex(blocks) for plane, blocks in by_plane.items()}
    none = BlockIndex(())
    for (plane, address), pods in facts.shown.items():
        owner = held.get((plane, address))
        if owner is not None:
            pod = f"{owner.namespace}/{owner.pod}"
            if owner.pod and pod not in pods:
                text = f"it is held by pod {pod} on node {owner.node}"
                yield AuditEntry(Misfit.DUPLICATE, plane, str(address), "", pods[0], text)
        elif indexes.get(plane, none).giving(address) is None:
            text = "a pod shows it, but no block hands it out and nobody holds it"
            yield AuditEntry(Misfit.NO_HOLDER, plane, str(address), "", pods[0], text)


def _named(texts: Iterable[str], namespace: str) -> frozenset[str]:
    """Return the IPAMClaims that annotations of a pod name."""
    asking = [text for text in texts if "ipam-claim-reference" in text]
    selections = [one for text in asking for one in read_selections(text, namespace).selections]
    return frozenset(one.ipam_claim_reference for one in selections)


def _addresses(texts: Iterable[str]) -> Iterator[IPAddress]:
    for text in texts:
        try:
            yield parse_address(text)
        except BadInput:
            continue
