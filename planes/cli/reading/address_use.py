"""Who has which address of planes: on a cluster by blocks and pods, on one machine by its records.

A holder in a block, and a record of this machine, are proof. A pod's network-status is a hint: the
author of a pod may write it. It is read where nothing better is known, for what nodes hand out of
their blocks is written down on their disks alone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Final

from planes.cli.reading.place import Place
from planes.cli.reading.shown_addresses import (
    LONGEST_TEXT,
    ShownAddress,
    addresses_of_pods,
)
from planes.kube.addresses.block_index import BlockIndex
from planes.kube.addresses.holders import StaticBlock, read_static
from planes.kube.addresses.ipblocks import (
    NODE,
    STATIC,
    NodeBlock,
    read_node_block,
    read_shape,
)
from planes.kube.api import Query, ReadApi
from planes.kube.resources import IPBLOCKS, PLANES
from planes.model.addresses import IPAddress
from planes.model.errors import BadInput, Internal, JsonObject, PlanesError
from planes.model.lines import one_line
from planes.model.spec.address_policy import with_static_apart
from planes.model.spec.plane import parse_plane, parse_stored_plane
from planes.model.spec.plane_spec import Plane
from planes.run.clock import rfc3339
from planes.run.jobs import start
from planes.store.address_files import AddressFiles, plane_directory
from planes.store.used_addresses import ADDRESSES

_LONGEST_WARNING: Final = 300


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


@dataclass
class PlaneUse:
    """A plane, and who has its addresses.

    Attributes:
        obj: the plane as it is stored; its status has the leader's counts.
        uses: of each address that somebody has; several only where something is wrong.
        cooling: addresses that rest; on a cluster only nodes know them.
        blocks: of nodes.
        static: blocks of static addresses.
        cut: namespaces whose pods show more addresses of planes than are read.
    """

    plane: Plane
    obj: JsonObject
    uses: dict[IPAddress, list[AddressUse]] = field(default_factory=dict)
    cooling: set[IPAddress] = field(default_factory=set)
    blocks: list[NodeBlock] = field(default_factory=list)
    static: list[StaticBlock] = field(default_factory=list)
    cut: set[str] = field(default_factory=set)

    @cached_property
    def index(self) -> BlockIndex:
        """The blocks of nodes, once all are read."""
        return BlockIndex(self.blocks)

    def node_of(self, address: IPAddress) -> str:
        """Return the node whose block hands an address out; "" where there is none."""
        block = self.index.giving(address)
        return "" if block is None else one_line(block.node, LONGEST_TEXT)

    def add(self, address: IPAddress, use: AddressUse) -> None:
        """Take that somebody has an address."""
        self.uses.setdefault(address, []).append(use)


async def plane_uses(
    place: Place,
    only: Collection[str] = (),
    *,
    address: IPAddress | None = None,
    reads_pods: bool = True,
    warn: Callable[[str], None] = lambda _: None,
) -> Mapping[str, PlaneUse]:
    """Return who has which address of planes, by the plane's name, in the order of names.

    Args:
        place: where to read.
        only: names of planes; () for all.
        address: this one alone, also where it is in no subnet of a plane, and no blocks but those
            around it; None for all that are in subnets.
        reads_pods: on a cluster, also what pods show, which is known of no other place for
            addresses that nodes hand out of their blocks.
        warn: called with one line for each plane that is left out, and why: it is not valid.

    Raises:
        PlanesError: something cannot be read.
    """
    found = {use.plane.name: use async for use in _planes(place, only, warn)}
    if place.state_dir is not None:
        root, now = place.state_dir / ADDRESSES, place.clock.now()
        await start(lambda: _add_records(root, now, found.values(), address), None)
    else:
        # Pods before blocks: what a pod shows was written after its holder.
        pods = await _shown(place.api, found, address) if reads_pods else []
        await _add_blocks(place.api, found, address)
        _add_shown(found, pods)
    return dict(sorted(found.items()))


def plane_in_force(place: Place, obj: JsonObject) -> Plane:
    """Return a stored plane as it is in force: on a cluster no dynamic address can be asked for.

    Raises:
        PlanesError: it is not valid.
    """
    return with_static_apart(parse_stored_plane(obj)) if place.is_cluster else parse_plane(obj)


async def _planes(
    place: Place, only: Collection[str], warn: Callable[[str], None]
) -> AsyncIterator[PlaneUse]:
    async for page in place.api.pages(Query(PLANES)):
        for obj in page.items:
            if only and obj["metadata"]["name"] not in only:
                continue
            try:
                yield PlaneUse(plane_in_force(place, obj), obj)
            except PlanesError as error:  # no plane that anybody follows
                warn(one_line(f"left out: {error.message}", _LONGEST_WARNING))


async def _shown(
    api: ReadApi, planes: Mapping[str, PlaneUse], only: IPAddress | None
) -> list[ShownAddress]:
    def cut(plane: str, namespace: str) -> None:
        planes[plane].cut.add(namespace)

    pods = addresses_of_pods(api, [use.plane for use in planes.values()], only=only, cut=cut)
    return [one async for one in pods]


async def _add_blocks(api: ReadApi, planes: Mapping[str, PlaneUse], only: IPAddress | None) -> None:
    fields = f"spec.plane={next(iter(planes))}" if len(planes) == 1 else ""
    async for page in api.pages(Query(IPBLOCKS, fields=fields)):
        for obj in page.items:
            spec = obj.get("spec") or {}
            use = planes.get(str(spec.get("plane") or ""))
            if use is None:
                continue
            try:
                if only is not None and only not in read_shape(obj).network:
                    continue
                if spec.get("use") == STATIC:
                    _add_static(use, read_static(obj), only)
                elif spec.get("use") == NODE and (block := read_node_block(obj)) is not None:
                    use.blocks.append(block)
            except (BadInput, Internal):  # nobody follows it: `netplane ip check` tells of it
                continue
    for use in planes.values():
        use.blocks.sort(key=lambda block: (block.network.version, block.network.network_address))


def _add_static(use: PlaneUse, block: StaticBlock, only: IPAddress | None) -> None:
    use.static.append(block)
    for address, holder in block.holders.items():
        if only in {None, address}:
            owner, claim = holder.owner, one_line(block.claims.get(address, ""), LONGEST_TEXT)
            pod = f"{owner.namespace}/{owner.pod}" if owner.pod else ""
            since = _time(holder.since)
            use.add(address, AddressUse(Proof.HOLDER, pod, owner.uid, owner.node, since, claim))
    for address, claim in block.claims.items():
        if address not in block.holders and only in {None, address}:
            use.add(address, AddressUse(Proof.CLAIM, claim=one_line(claim, LONGEST_TEXT)))


def _time(since: int) -> str:
    """Return when an entry was written; "" where a node wrote a time that is none."""
    try:
        return rfc3339(since) if since > 0 else ""
    except (OverflowError, ValueError, OSError):
        return ""


def _add_shown(planes: Mapping[str, PlaneUse], shown: Iterable[ShownAddress]) -> None:
    """Take what pods show; nothing new is known where the holder is that pod."""
    for one in shown:
        use = planes[one.plane]
        # An address has one holder, which comes first. Any number of pods may show it.
        first = next(iter(use.uses.get(one.address, ())), None)
        if first is None or (first.proof, first.pod) != (Proof.HOLDER, one.pod):
            node = use.node_of(one.address)
            use.add(one.address, AddressUse(Proof.STATUS, one.pod, one.uid, node, one.created))


def _add_records(
    root: Path, now: float, planes: Iterable[PlaneUse], only: IPAddress | None
) -> None:
    """Take the records of this machine's address book.

    Raises:
        Unavailable: a directory cannot be read.
    """
    for use in planes:
        files = AddressFiles(plane_directory(root, use.plane.name))
        for address, owner in files.holders().items():
            if only in {None, address}:
                pod = f"{owner.namespace}/{owner.pod}" if owner.pod else ""
                texts = (one_line(text, LONGEST_TEXT) for text in (pod, owner.uid, owner.node))
                use.add(address, AddressUse(Proof.RECORD, *texts))
        use.cooling |= files.resting(now, use.plane.cooldown_seconds)
