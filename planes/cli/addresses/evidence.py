"""What of a cluster's misfits can be released, and what a release compares before it does.

Three kinds can: holders whose pod is gone, blocks of nodes that are gone, and what is kept for
claims that are gone. Each block is read once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from planes.cli.addresses.report import BlockEvidence, ReportedMisfit
from planes.kube.addresses.cluster_audit import AuditEntry, Misfit
from planes.kube.addresses.holder_release import digest_of, entry_digest
from planes.kube.addresses.holders import read_static
from planes.kube.addresses.node_release import written_by_owner
from planes.kube.api import ReadApi
from planes.kube.resources import IPBLOCKS, NAMESPACES
from planes.model.addresses import IPAddress, parse_address
from planes.model.errors import BadInput, Internal, JsonObject, NotFound
from planes.model.names import is_dns_label, is_dns_subdomain
from planes.model.spec.block_sizes import STATIC_BLOCK, network_around
from planes.model.spec.blocks import block_name

HELD: Final = frozenset({Misfit.LEAKED, Misfit.NO_POD})
RELEASABLE: Final = HELD | {Misfit.ORPHANED, Misfit.KEPT}
"""Kinds of which something can be released."""


async def cluster_uid(api: ReadApi) -> str:
    """Return what tells a cluster from others: the UID of its namespace kube-system.

    Raises:
        PlanesError: it cannot be read.
    """
    obj = await api.get(NAMESPACES, "kube-system", is_metadata_only=True)
    return str(obj["metadata"]["uid"])


async def with_evidence(api: ReadApi, entries: Iterable[AuditEntry]) -> list[ReportedMisfit]:
    """Return misfits with what a release of them compares.

    Raises:
        PlanesError: the API server cannot be read.
    """
    blocks: dict[str, JsonObject | None] = {}
    found = []
    for entry in entries:
        name = block_of(entry)
        if name and name not in blocks:
            blocks[name] = await read_block(api, name)
        found.append(ReportedMisfit(entry, evidence_in(entry, blocks.get(name))))
    return found


async def evidence_now(api: ReadApi, entry: AuditEntry) -> BlockEvidence | None:
    """Return what a release of a misfit compares, read live; None where there is nothing.

    Raises:
        PlanesError: the API server cannot be read.
    """
    name = block_of(entry)
    return evidence_in(entry, await read_block(api, name)) if name else None


def block_of(entry: AuditEntry) -> str:
    """Return the name of the block that a misfit is about, "" where nothing can be released."""
    if entry.kind not in RELEASABLE or not is_dns_label(entry.plane):
        return ""
    if entry.kind is not Misfit.KEPT and not is_dns_subdomain(entry.node):
        return ""
    if entry.kind is Misfit.ORPHANED:
        return entry.what if is_dns_subdomain(entry.what) else ""
    try:
        address = parse_address(entry.what)
    except BadInput:
        return ""
    network = network_around(address, STATIC_BLOCK[address.version])
    return block_name(entry.plane, network, "static")


def evidence_in(entry: AuditEntry, obj: JsonObject | None) -> BlockEvidence | None:
    """Return what an object says of a misfit, None where it says nothing of it."""
    if obj is None:
        return None
    meta = obj["metadata"]
    if entry.kind is Misfit.ORPHANED:
        spec = obj.get("spec") or {}
        is_same = (spec.get("plane"), spec.get("node")) == (entry.plane, entry.node)
        digest = written_by_owner(obj) if is_same else ""
    else:
        digest = _entry_digest(entry, obj)
    if not digest:
        return None
    name, uid, version = (str(meta.get(key) or "") for key in ("name", "uid", "resourceVersion"))
    return BlockEvidence(name, uid, version, digest)


def _entry_digest(entry: AuditEntry, obj: JsonObject) -> str:
    """Return the digest of a static block's entry that a misfit is about, "" for none."""
    address: IPAddress = parse_address(entry.what)
    try:
        block = read_static(obj)
    except Internal:
        return ""
    if entry.kind is Misfit.KEPT:
        return digest_of(block.claims[address]) if address in block.claims else ""
    holder = block.holders.get(address)
    if holder is None or holder.owner.node != entry.node:
        return ""
    pod = f"{holder.owner.namespace}/{holder.owner.pod}"
    return entry_digest(block, address) if pod == entry.pod else ""


async def read_block(api: ReadApi, name: str) -> JsonObject | None:
    """Read an IPBlock, live; None where there is none.

    Raises:
        PlanesError: the API server cannot be read.
    """
    try:
        return await api.get(IPBLOCKS, name)
    except NotFound:
        return None
