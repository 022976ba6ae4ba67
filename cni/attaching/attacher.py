"""Attach a sandbox as planned: write the journal, claim addresses, run the plugins, report.

Networks are attached as if one after the other, in the order of the plan, since a pod can see that
order; what is native is one job of one kernel thread. Plane addresses are claimed for all networks
at once before that: a pod cannot see it, and one claim may need a request to the API server.

Invariant: if any step fails or is cancelled, every attachment begun is torn down in reverse order
before `attach` raises, and the journal entry is removed last. What cannot be torn down then stays
in the journal, and reconcile tries again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final

from cni.attaching.attachment_steps import AttachmentSteps
from cni.attaching.collecting_networks import CollectingNetworks
from cni.attaching.default_route import gateways_of, with_default_routes
from cni.attaching.device_files import DeviceFiles
from cni.attaching.durability import Durability
from cni.attaching.held_addresses import HeldAddresses
from cni.attaching.pod_transaction import AttachFailures, PodTransaction, with_results
from cni.attaching.teardown import Teardown
from cni.attaching.tenant_bridges import TenantBridges
from cni.journal.causes import Causes
from cni.journal.entry import Entry
from cni.journal.error_subject import errors_about
from cni.journal.held_devices import check_held_devices
from cni.journal.held_macs import check_held_macs
from cni.journal.journal import Journal
from cni.journal.undetached import check_undetached
from cni.native.engine import Engine
from cni.net.sandboxes import Sandboxes
from cni.planning.host_ports import Ports
from cni.planning.plane_health import PlaneHealth
from cni.plugins.attachment import PlannedAttachment
from cni.plugins.chain import Chains, plane_plugins
from cni.plugins.plugin import Call
from cni.plugins.probe import Probe
from planes.model.errors import PlanesError
from planes.run.rollback import Rollback
from planes.run.shielded import shielded

_log = logging.getLogger(__name__)

# The caller has waited long already, and a plugin that hung may hang again; reconcile retries.
_ROLLBACK_SECONDS: Final = 20.0

Report = Callable[[Entry], Awaitable[None]]


class Attacher:
    """Carry out the plan of one ADD, or roll it back.

    Args:
        health: records per plane whether attaching succeeds.
        devices: the device information files.
        bridges: removes idle bridges of tenants' networks; None keeps them.
        is_tenant: whether errors in a namespace must not name devices of the node.
    """

    def __init__(
        self,
        *,
        chains: Chains,
        engine: Engine,
        durability: Durability,
        holds: HeldAddresses,
        teardown: Teardown,
        journal: Journal,
        sandboxes: Sandboxes,
        ports: Ports,
        probe: Probe,
        collecting: CollectingNetworks,
        health: PlaneHealth,
        devices: DeviceFiles,
        bridges: TenantBridges | None = None,
        is_tenant: Callable[[str], bool] = lambda _namespace: False,
    ) -> None:
        self._causes = Causes(journal, is_tenant)
        self._collecting = collecting
        self._health = health
        self._devices = devices
        self._chains = chains
        self._transaction = PodTransaction(
            engine,
            AttachmentSteps(chains, probe),
            journal,
            bridges,
            failures=AttachFailures(self._causes, health),
            probe=probe,
        )
        self._durability = durability
        self._holds = holds
        self._teardown = teardown
        self._journal = journal
        self._sandboxes = sandboxes
        self._ports = ports
        self._probe = probe

    async def attach(self, entry: Entry, report: Report) -> Entry:
        """Carry out a plan; return the entry with its results.

        Args:
            entry: the plan; its network namespace exists.
            report: publishes the outcome; where it fails, everything is rolled back.

        Raises:
            PlanesError: the first failure; nothing of the call is left, or it is in the journal.
        """
        begun: set[str] = set()
        claimed: set[str] = set()
        async with Rollback() as rollback:
            await self._admit(entry)
            rollback.push("attach", lambda: self._tear_down(entry, begun, claimed - begun))
            bound = self._chains.bind_for_add(entry.attachments)
            is_synced = self._durability.outlives_power_cut(entry.attachments, bound)
            due = self._to_claim(entry)
            writes: Callable[[], None] | None = None
            if is_synced or due or self._devices.has_files(entry):
                await self._journal.begin(entry, is_synced=is_synced)
                self._probe.reached("journal.begun")
                await self._devices.prepare(entry)
            else:
                writes = self._journal.beginning(entry)
            calls = await self._claim(entry, due, claimed)
            attached = await self._transaction.attach(entry, calls, begun, writes, bound)
            done = await self._devices.with_information(await self._settle_routes(attached))
            is_written = writes is not None and done is attached
            await self._commit(done, report, is_synced=is_synced, is_written=is_written)
        self._health.attached(done.attachments)
        return done

    async def _admit(self, entry: Entry) -> None:
        """Wait for GC of the entry's networks; check its host ports and its namespace's leftovers.

        The journal must be written right after this, without an await in between: GC keeps what
        is in the journal, and a host port in it is taken.
        """
        check_undetached(entry, self._journal)
        names = frozenset(one.conflist.name for one in entry.attachments)
        await self._ports.check(entry)
        while self._collecting.is_collecting(names):
            await self._collecting.wait(names)
            await self._ports.check(entry)
        check_held_devices(entry, self._journal)
        check_held_macs(entry, self._journal)

    async def _settle_routes(self, entry: Entry) -> Entry:
        """Set the default route in the kernel and in the results; return the entry with them."""
        gateways = gateways_of(entry.attachments)
        if not gateways:
            return entry
        for one in entry.attachments:
            if one.ifname in gateways:
                with errors_about(one, entry, self._causes):
                    await self._sandboxes.set_default_route(
                        entry.netns, one.ifname, gateways[one.ifname]
                    )
        self._probe.reached("routes")
        results = {one.ifname: one.result for one in entry.attachments if one.result is not None}
        return with_results(entry, with_default_routes(results, gateways))

    async def _commit(
        self, done: Entry, report: Report, *, is_synced: bool, is_written: bool
    ) -> None:
        """Write the journal, unless that is done, and report; a failure of either fails the ADD."""
        self._probe.reached("attached")
        if is_written:
            await report(done)
        else:
            await _all(self._journal.update(done, is_synced=is_synced), report(done))
        self._probe.reached("committed")
        # A cancellation during the last step is raised here, where it still rolls back.
        await asyncio.sleep(0)

    def _to_claim(self, entry: Entry) -> list[PlannedAttachment]:
        return [one for one in entry.attachments if one.holds or plane_plugins(one)]

    async def _claim(
        self, entry: Entry, due: Sequence[PlannedAttachment], claimed: set[str]
    ) -> dict[str, Call]:
        """Claim all plane addresses; return the calls of the attachments, by interface.

        Args:
            entry: the plan.
            due: the attachments with addresses to claim.
            claimed: is filled with the interfaces that addresses may be claimed for.
        """
        calls = {one.ifname: entry.call(one, entry.netns) for one in entry.attachments}

        async def claim(one: PlannedAttachment) -> None:
            call = calls[one.ifname]
            with errors_about(one, entry, self._causes), self._health.watched(one):
                held = await self._holds.claim(call, one)
                calls[one.ifname] = await self._chains.claim(held, one)

        claimed.update(one.ifname for one in due)
        if due:
            await _all(*map(claim, due))
            self._probe.reached("claimed")
        return calls

    async def _tear_down(self, entry: Entry, begun: set[str], claimed: set[str]) -> None:
        """Tear down the attachments begun; only release the addresses of those claimed.

        Args:
            entry: the plan.
            begun: interfaces whose first plugin may have run: they get a DEL.
            claimed: interfaces that may have addresses only. Some plugins refuse a DEL without
                an ADD (host-device), and it would be retried as long as the sandbox exists.
        """
        self._probe.reached("undo")
        kept = set(begun)
        for one in reversed(entry.attachments):
            if one.ifname in claimed and not await self._is_released(entry, one):
                kept.add(one.ifname)
        await self._devices.remove(entry, kept)
        attachments = tuple(one for one in entry.attachments if one.ifname in kept)
        begun_only = replace(entry, attachments=attachments)
        await self._teardown.tear_down(begun_only, entry.netns, within=_ROLLBACK_SECONDS)
        self._probe.reached("undone")

    async def _is_released(self, entry: Entry, attachment: PlannedAttachment) -> bool:
        """Release claimed addresses; return False where that failed and the journal keeps them."""
        call = entry.call(attachment, entry.netns)
        try:
            await self._chains.release(call, attachment)
            await self._holds.release(call, attachment)
        except PlanesError as error:
            facts = {"ifname": attachment.ifname, "error": str(error)}
            _log.warning("cannot give back addresses yet", extra=facts)
            return False
        return True


async def _all(*works: Awaitable[None]) -> None:
    """Await all; where one fails, cancel the others, await their end and raise its error."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await shielded(asyncio.gather(*tasks, return_exceptions=True))
        raise
