"""The work of `netplane ip release --from-report`: release what is still as it was reported.

Invariants: what is released was looked at twice, a minute apart, and is the very object or entry
that the report names. Nothing of a node is released that does not count as off by the proofs of the
webhook's leader (`planes.model.state.fencing`). The report itself proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from planes.cli.addresses.evidence import (
    HELD,
    RELEASABLE,
    block_of,
    cluster_uid,
    evidence_in,
    evidence_now,
    read_block,
)
from planes.cli.addresses.report import BlockEvidence, MisfitReport, refuse_foreign
from planes.kube.addresses.claim_release import (
    SCAN_SECONDS,
    KeptAddress,
    is_over_now,
    list_claims,
    release_kept,
)
from planes.kube.addresses.cluster_audit import AuditEntry, Misfit
from planes.kube.addresses.holder_release import digest_of, remove_holder
from planes.kube.addresses.holders import StaticBlock, read_static
from planes.kube.addresses.node_look import look_at
from planes.kube.addresses.node_release import delete_block
from planes.kube.addresses.pod_fate import PodFate, fate_of_pod
from planes.kube.api import KubeApi, Query
from planes.kube.resources import PODS
from planes.model.addresses import parse_address
from planes.model.errors import Denied, Internal, JsonObject, NotFound, PlanesError
from planes.model.state.fencing import NodeSeen
from planes.run.clock import Clock

PAUSE_SECONDS: Final = SCAN_SECONDS
"""Between the two looks: longer than a Node object has to be missing."""


@dataclass(slots=True)
class ReleasedByReport:
    """What came of a report.

    Attributes:
        done: what was released, or would be.
        skipped: findings of which nothing can be released, and what is as it was no longer: in
            words.
    """

    done: list[AuditEntry] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def as_json(self) -> JsonObject:
        """Return it as it is printed."""
        return {"released": [entry.as_json() for entry in self.done], "skipped": self.skipped}


@dataclass(frozen=True, slots=True)
class _Item:
    """A finding of which something can be released."""

    entry: AuditEntry
    evidence: BlockEvidence

    def __str__(self) -> str:
        return _named(self.entry)


class ReportRelease:
    """One release by a report.

    Args:
        api: with the administrator's credentials.
        clock: for the time between the two looks.
        told: called with what stays although it is as reported, and why.
    """

    def __init__(self, api: KubeApi, clock: Clock, told: Callable[[str], None]) -> None:
        self._api = api
        self._clock = clock
        self._told = told
        self._nodes: dict[str, NodeSeen] = {}
        self._with_pods: set[str] = set()
        self._blocks: dict[str, JsonObject | None] = {}

    async def run(
        self, report: MisfitReport, *, is_dry_run: bool, any_age: bool
    ) -> ReleasedByReport:
        """Release what a report names.

        Args:
            report: read from a file.
            is_dry_run: look once, and only return what seems to be as reported.
            any_age: it may be older than a day.

        Raises:
            Denied: the report is not of this cluster, or too old.
            PlanesError: the API server cannot be read.
        """
        cluster, result = await cluster_uid(self._api), ReleasedByReport()
        refuse_foreign(report, cluster, self._clock.now(), any_age=any_age)
        await self._refuse_without_claims(report)
        items = []
        for found in report.findings:
            if found.evidence is None or found.entry.kind not in RELEASABLE:
                text = f"{_named(found.entry)}: nothing can be released of it"
                result.skipped.append(text)
            else:
                items.append(_Item(found.entry, found.evidence))
        items = await self._look(items, result, is_proof=False)
        if items and not is_dry_run:
            await self._clock.sleep(PAUSE_SECONDS)
            items = await self._look(items, result, is_proof=True)
            items = [one for one in items if await self._release(one, result)]
        result.done = [one.entry for one in items]
        return result

    async def _refuse_without_claims(self, report: MisfitReport) -> None:
        if not any(one.entry.kind is Misfit.KEPT and one.evidence for one in report.findings):
            return
        try:
            await list_claims(self._api, of=())
        except NotFound as error:
            raise NotFound(
                "cannot release addresses of IPAMClaims: the cluster does not have the kind, so "
                "nothing shows which claims are gone",
                remedy="bring the definition back (manifests/ipam-claim-kind.yaml)",
            ) from error

    async def _look(
        self, items: Sequence[_Item], result: ReleasedByReport, *, is_proof: bool
    ) -> list[_Item]:
        """Return what is still as it was reported; look at each node and block once."""
        self._blocks.clear()
        await self._look_at_nodes(items)
        found = []
        for one in items:
            if not await self._is_same(one):
                result.skipped.append(f"{one}: it is not as it was reported any more")
            elif reason := await self._reason_to_stay(one, is_proof=is_proof):
                self._told(f"{one} stays: {reason}")
            else:
                found.append(one)
        return found

    async def _look_at_nodes(self, items: Sequence[_Item]) -> None:
        orphaned = {one.entry.node for one in items if one.entry.kind is Misfit.ORPHANED}
        for node in dict.fromkeys(one.entry.node for one in items if one.entry.node):
            look = await look_at(self._api, self._clock, node)
            before = self._nodes.get(node)
            self._nodes[node] = NodeSeen.first(look) if before is None else before.after(look)
            if node in orphaned and await self._has_pods(node):
                self._with_pods.add(node)

    async def _is_same(self, one: _Item) -> bool:
        now = evidence_in(one.entry, await self._block(block_of(one.entry)))
        return now is not None and now.is_of_same(one.evidence)

    async def _block(self, name: str) -> JsonObject | None:
        """Return a block as this look has it; what is written is compared with a live read."""
        if name and name not in self._blocks:
            self._blocks[name] = await read_block(self._api, name)
        return self._blocks.get(name)

    async def _static_block(self, name: str) -> StaticBlock | None:
        obj = await self._block(name)
        try:
            return None if obj is None else read_static(obj)
        except Internal:
            return None

    async def _reason_to_stay(self, one: _Item, *, is_proof: bool) -> str:
        """Return why something is not to be released, "" where it is."""
        if one.entry.kind is Misfit.KEPT:
            kept = await self._kept(one)
            is_over = kept is not None and await is_over_now(self._api, kept)
            return "" if is_over else "its claim is there"
        if one.entry.kind in HELD and (reason := await self._pod_exists(one)):
            return reason
        return self._node_runs(one, is_proof=is_proof)

    def _node_runs(self, one: _Item, *, is_proof: bool) -> str:
        """Return why the node of something may run it, "" where it does not."""
        node = one.entry.node
        seen = self._nodes[node]
        if one.entry.kind is Misfit.ORPHANED and (seen.last.is_there or node in self._with_pods):
            return f"node {node} is there again, or pods are bound to it"
        if seen.last.is_there and not seen.last.is_out_of_service:
            return f"node {node} is there and not marked as out of service"
        if is_proof and seen.fence() is None:
            return f"node {node} may run: {seen.doubt()}"
        return ""

    async def _pod_exists(self, one: _Item) -> str:
        found = await self._static_block(one.evidence.block)
        holder = found and found.holders.get(parse_address(one.entry.what))
        if not holder:
            return "its block cannot be read"
        fate = await fate_of_pod(self._api, holder.owner)
        return "" if fate is PodFate.GONE else f"of its pod: {fate.value}"

    async def _has_pods(self, node: str) -> bool:
        query = Query(PODS, fields=f"spec.nodeName={node}", is_metadata_only=True)
        async for page in self._api.pages(query):
            if page.items:
                return True
        return False

    async def _kept(self, one: _Item) -> KeptAddress | None:
        """Return what the block keeps of the address, if it is what was reported."""
        found = await self._static_block(one.evidence.block)
        address = parse_address(one.entry.what)
        text = None if found is None else found.claims.get(address)
        if text is None or digest_of(text) != one.evidence.digest:
            return None
        return KeptAddress(one.evidence.block, one.entry.plane, address, text)

    async def _release(self, one: _Item, result: ReleasedByReport) -> bool:
        try:
            if await self._removed(one):
                return True
            result.skipped.append(f"{one}: it is not as it was reported any more")
        except PlanesError as error:
            self._told(f"{one} stays: {error.message}")
        return False

    async def _removed(self, one: _Item) -> bool:
        entry, evidence = one.entry, one.evidence
        if entry.kind is Misfit.KEPT:
            kept = await self._kept(one)
            return kept is not None and bool(await release_kept(self._api, kept.block, [kept]))
        make_sure = partial(self._refuse_running, entry.node)
        if entry.kind in HELD:
            address = parse_address(entry.what)
            return await remove_holder(
                self._api, evidence.block, address, evidence.digest, make_sure=make_sure
            )
        now = await evidence_now(self._api, entry)
        if now is None or not now.is_of_same(evidence):
            return False
        await make_sure()
        await delete_block(self._api, now.block, now.uid, now.version, now.digest)
        return True

    async def _refuse_running(self, node: str) -> None:
        """Refuse to release of a node that came back since the second look.

        Raises:
            Denied: it is not known to be off any more.
        """
        seen = self._nodes[node] = self._nodes[node].after(
            await look_at(self._api, self._clock, node)
        )
        if seen.fence() is None:
            raise Denied(f"node {node} may run", remedy="run this again when it is off")


def _named(entry: AuditEntry) -> str:
    return f"{entry.kind} {entry.what}" + (f" of plane {entry.plane}" if entry.plane else "")
