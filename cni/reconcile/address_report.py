"""The report of `netplane-cni check-addresses`: all findings about addresses of this node.

Nothing is changed. A finding is what one look sees: an ADD or DEL at work may cause one that the
next look has no more.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from cni.net.live_addresses import Live
from cni.reconcile.address_check import AddressCheck
from cni.reconcile.address_findings import AddressFinding, FindingKind
from cni.reconcile.addresses_in_use import AddressesInUse
from cni.reconcile.lost_records import LostRecords
from cni.reconcile.orphans import GRACE_SECONDS, Orphans
from cni.reconcile.shown_addresses import ShownAddresses
from planes.model.addresses import IPAddress
from planes.model.decide.adoption import Fact, Source, Verdict, is_adopted
from planes.model.errors import JsonObject
from planes.model.spec.plane_spec import IpamMode
from planes.store.plane_addresses import describe
from planes.store.protocol import Held, Store

CHECK_ADDRESSES: Final = "check-addresses"
"""The name of the command, and of its path at the daemon."""
MOST: Final = 4096
"""Findings in one report."""


class AddressReport:
    """Collects findings of all parts.

    Args:
        check: compares the journal with records.
        orphans: has the records without an attachment.
        lost: compares addresses in use with records.
        in_use: the addresses in use.
        live: lists the addresses of all interfaces.
        shown: reports whether network-status of a pod has an address.
        store: the planes.
    """

    def __init__(
        self,
        check: AddressCheck,
        orphans: Orphans,
        lost: LostRecords,
        *,
        in_use: AddressesInUse,
        live: Live,
        shown: ShownAddresses,
        store: Store,
    ) -> None:
        self._check = check
        self._orphans = orphans
        self._lost = lost
        self._in_use = in_use
        self._live = live
        self._shown = shown
        self._store = store

    async def answer(self, _request: JsonObject) -> JsonObject:
        """Answer the command's request.

        Raises:
            PlanesError: see `findings`.
        """
        return {"findings": await self.findings()}

    async def findings(self) -> list[JsonObject]:
        """Return all findings, at most `MOST`.

        Raises:
            PlanesError: records or namespaces cannot be read.
        """
        facts = await self._in_use.facts()
        leaked, unrecorded = await self._leaked(facts), await self._unrecorded(facts)
        found = [*await self._check.findings(), *leaked, *unrecorded]
        return [one.to_json() for one in found[:MOST]]

    async def _leaked(self, facts: Sequence[Fact]) -> list[AddressFinding]:
        """List records without an attachment.

        One that was taken over from another IPAM has none, as it should be: it is not listed while
        an interface of its sandbox has the address, or any interface where that is not known.
        """
        suspects = await self._orphans.suspects()
        live = await self._live.addresses(self._in_use.hints()) if suspects else frozenset()
        used = {(f.user.identity, f.address) for f in facts if f.source is Source.SANDBOX}
        return [
            AddressFinding(
                FindingKind.LEAKED,
                held.plane,
                ", ".join(map(str, held.addresses)) or "-",
                describe(held.owner),
                await self._outlook(held, live, seconds),
            )
            for held, seconds in suspects
            if not _is_used(held, live, used)
        ]

    async def _outlook(self, held: Held, live: frozenset[IPAddress], seconds: float) -> str:
        if not live.isdisjoint(held.addresses):
            return "kept: an interface of this node has it"
        if await self._shown.may_have(held):
            return "kept: network-status of a pod has it, or cannot be read now"
        return f"released in {max(0.0, GRACE_SECONDS - seconds):.0f} s unless it is in use by then"

    async def _unrecorded(self, facts: Sequence[Fact]) -> list[AddressFinding]:
        found = []
        for plane in self._store.catalog.planes:
            if plane.ipam_mode is not IpamMode.PLANE:
                continue
            for one in await self._lost.plan(plane, facts):
                if one.verdict is Verdict.HOLD and Source.JOURNAL not in one.sources:
                    by = " and ".join(one.sources)
                    outlook = f"netplane-cni adopt holds it; known from {by}"
                    found.append(
                        AddressFinding(
                            FindingKind.UNRECORDED,
                            plane.name,
                            str(one.address),
                            str(one.user),
                            outlook,
                        )
                    )
        return found


def _is_used(
    held: Held, live: frozenset[IPAddress], used: Collection[tuple[str, IPAddress]]
) -> bool:
    """Report whether the holder of a record has its addresses on its interfaces."""
    if not held.addresses:
        return False
    if is_adopted(held.owner.container_id):
        return live.issuperset(held.addresses)
    return all((held.owner.container_id, address) in used for address in held.addresses)
