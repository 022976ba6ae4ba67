"""Who has which address of planes: on a cluster by blocks and pods, on one machine by its records.

A holder in a block, and a record of this machine, are proof. A pod's network-status is a hint: the
author of a pod may write it. It is read where nothing better is known, for what nodes hand out of
their blocks is written down on their disks alone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from planes.cli.reading.place import Place
from planes.kube.addresses.holders import StaticBlock, read_static
from planes.kube.addresses.ipblocks import NODE, STATIC, NodeBlock, read_node_block
from planes.kube.api import Query, ReadApi
from planes.kube.resources import IPBLOCKS, PLANES, PODS
from planes.kube.store.pod_views import POD_FIELDS
from planes.model.addresses import IPAddress, parse_address
from planes.model.bounds import MAX_STATUS_CHARACTERS
from planes.model.errors import BadInput, Internal, JsonObject, PlanesError
from planes.model.names import STATUS_ANNOTATION
from planes.model.spec.plane import parse_plane, parse_stored_plane
from planes.model.spec.plane_spec import Plane
from planes.model.wire.status import parse_addresses
from planes.run.clock import rfc3339
from planes.run.jobs import start
from planes.store.address_files import AddressFiles, plane_directory
from planes.store.used_addresses import ADDRESSES


class Proof(StrEnum):
    """What says that somebody has an address."""

    HOLDER = "holder"
    RECORD = "record"
    CLAIM = "claim"
    STATUS = "network-status"


@dataclass(frozen=True, slots=True, order=True)
class AddressUse:
    """Somebody who has an address.

    Attributes:
        pod: `namespace/name`; "" where only an IPAMClaim has it, or the record is torn.
        since: RFC 3339 in UTC, of the holder, or of the pod's creation; "" where it is not known.
        claim: the IPAMClaim that keeps it, as text.
    """

    proof: Proof
    pod: str = ""
    uid: str = ""
    node: str = ""
    since: str = ""
    claim: str = ""


@dataclass(slots=True)
class PlaneUse:
    """A plane, and who has its addresses.

    Attributes:
        obj: the plane as it is stored; its status has the leader's counts.
        uses: of each address that somebody has; several only where something is wrong.
        cooling: addresses that rest; on a cluster only nodes know them.
        blocks: of nodes.
        static: blocks of static addresses.
    """

    plane: Plane
    obj: JsonObject
    uses: dict[IPAddress, list[AddressUse]] = field(default_factory=dict)
    cooling: set[IPAddress] = field(default_factory=set)
    blocks: list[NodeBlock] = field(default_factory=list)
    static: list[StaticBlock] = field(default_factory=list)

    def node_of(self, address: IPAddress) -> str:
        """Return the node whose block hands an address out; "" where there is none."""
        return next((block.node for block in self.blocks if block.gives(address)), "")

    def add(self, address: IPAddress, use: AddressUse) -> None:
        """Take that somebody has an address."""
        self.uses.setdefault(address, []).append(use)


async def plane_uses(place: Place, only: Collection[str] = ()) -> Mapping[str, PlaneUse]:
    """Return who has which address of planes, by the plane's name, in the order of names.

    Args:
        place: where to read.
        only: names of planes; () for all.

    Raises:
        PlanesError: something cannot be read.
    """
    found = {use.plane.name: use async for use in _planes(place, only)}
    if place.state_dir is not None:
        root, now = place.state_dir / ADDRESSES, place.clock.now()
        await start(lambda: _add_records(root, now, found.values()), None)
    else:
        # Pods before blocks: what a pod shows was written after its holder.
        pods = [pod async for pod in _shown(place.api, found)]
        await _add_blocks(place.api, found)
        _add_shown(found, pods)
    return dict(sorted(found.items()))


async def _planes(place: Place, only: Collection[str]) -> AsyncIterator[PlaneUse]:
    parse = parse_stored_plane if place.is_cluster else parse_plane
    async for page in place.api.pages(Query(PLANES)):
        for obj in page.items:
            if only and obj["metadata"]["name"] not in only:
                continue
            try:
                yield PlaneUse(parse(obj), obj)
            except PlanesError:  # no plane that anybody follows: `netplane status` tells of it
                continue


@dataclass(frozen=True, slots=True)
class _ShownAddress:
    plane: str
    address: IPAddress
    pod: str
    uid: str
    created: str


async def _shown(api: ReadApi, planes: Mapping[str, PlaneUse]) -> AsyncIterator[_ShownAddress]:
    """Yield what pods show of addresses of planes."""
    networks = {str(use.plane.ref): name for name, use in planes.items()}
    async for page in api.pages(Query(PODS, fields=POD_FIELDS, is_metadata_only=True)):
        for obj in page.items:
            meta = obj["metadata"]
            pod, uid = f"{meta.get('namespace', '')}/{meta['name']}", str(meta.get("uid") or "")
            created = str(meta.get("creationTimestamp") or "")
            for network, address in _addresses(meta):
                if network in networks:
                    yield _ShownAddress(networks[network], address, pod, uid, created)


def _addresses(meta: JsonObject) -> Iterator[tuple[str, IPAddress]]:
    status = str((meta.get("annotations") or {}).get(STATUS_ANNOTATION) or "")
    if not status or len(status) > MAX_STATUS_CHARACTERS:
        return
    try:
        elements = parse_addresses(status)
    except BadInput:
        return
    for network, texts in elements:
        for text in texts:
            try:
                yield network, parse_address(text)
            except BadInput:
                continue


async def _add_blocks(api: ReadApi, planes: Mapping[str, PlaneUse]) -> None:
    async for page in api.pages(Query(IPBLOCKS)):
        for obj in page.items:
            spec = obj.get("spec") or {}
            use = planes.get(str(spec.get("plane") or ""))
            if use is None:
                continue
            try:
                if spec.get("use") == STATIC:
                    _add_static(use, read_static(obj))
                elif spec.get("use") == NODE and (block := read_node_block(obj)) is not None:
                    use.blocks.append(block)
            except (BadInput, Internal):  # nobody follows it: `netplane ip check` tells of it
                continue
    for use in planes.values():
        use.blocks.sort(key=lambda block: (block.network.version, block.network.network_address))


def _add_static(use: PlaneUse, block: StaticBlock) -> None:
    use.static.append(block)
    for address, holder in block.holders.items():
        owner, claim = holder.owner, block.claims.get(address, "")
        pod = f"{owner.namespace}/{owner.pod}" if owner.pod else ""
        since = rfc3339(holder.since) if holder.since > 0 else ""
        use.add(address, AddressUse(Proof.HOLDER, pod, owner.uid, owner.node, since, claim))
    for address, claim in block.claims.items():
        if address not in block.holders:
            use.add(address, AddressUse(Proof.CLAIM, claim=claim))


def _add_shown(planes: Mapping[str, PlaneUse], shown: Iterable[_ShownAddress]) -> None:
    """Take what pods show; nothing new is known where the holder is that pod."""
    for one in shown:
        use = planes[one.plane]
        known = use.uses.get(one.address, ())
        if not any(each.pod == one.pod and each.proof is Proof.HOLDER for each in known):
            node = use.node_of(one.address)
            use.add(one.address, AddressUse(Proof.STATUS, one.pod, one.uid, node, one.created))


def _add_records(root: Path, now: float, planes: Iterable[PlaneUse]) -> None:
    """Take the records of this machine's address book.

    Raises:
        Unavailable: a directory cannot be read.
    """
    for use in planes:
        files = AddressFiles(plane_directory(root, use.plane.name))
        for address, owner in files.holders().items():
            pod = f"{owner.namespace}/{owner.pod}" if owner.pod else ""
            use.add(address, AddressUse(Proof.RECORD, pod, owner.uid, owner.node))
        use.cooling |= files.resting(now, use.plane.cooldown_seconds)
