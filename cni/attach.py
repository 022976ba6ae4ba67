"""Carrying out a plan: journal, default network, planes at once, commit and report.

Invariant: whatever ends it early (a plugin, a full disk, a cancellation at any await), everything
begun is torn down in reverse before the caller hears of it, and the journal entry goes last; what
cannot be torn down now stays in the journal for recovery.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from ipaddress import ip_interface
from typing import Final

from cni.attachment import PlannedAttachment, waves
from cni.chain import Chains
from cni.collecting import Collecting
from cni.completion import complete
from cni.default_route import settled, takers
from cni.entry import Entry, Stage
from cni.holds import Holds, check_result
from cni.journal import Journal
from cni.leave import Leaver
from cni.ports import Ports
from cni.probe import Probe
from cni.sandbox import Sandboxes
from cni.tenant_bridges import TenantBridges
from cni.undo import Undo
from planes.model.errors import CniCode, Conflict
from planes.model.wire.result import Result

# Whoever asked has waited long already, and what hung may hang again: the journal has the rest.
UNDO_SECONDS: Final = 20.0

Report = Callable[[Entry], Awaitable[None]]


class Attacher:
    """Turns a planned entry into an attached one, or into nothing.

    Args:
        bridges: looks after bridges that tenants' networks make; None: they stay.
    """

    def __init__(
        self,
        *,
        chains: Chains,
        holds: Holds,
        leaver: Leaver,
        journal: Journal,
        sandboxes: Sandboxes,
        ports: Ports,
        probe: Probe,
        collecting: Collecting,
        bridges: TenantBridges | None = None,
    ) -> None:
        self._bridges = bridges
        self._collecting = collecting
        self._chains = chains
        self._holds = holds
        self._leaver = leaver
        self._journal = journal
        self._sandboxes = sandboxes
        self._ports = ports
        self._probe = probe

    async def attach(self, entry: Entry, report: Report) -> Entry:
        """Carry out a plan; the entry with its results.

        Args:
            entry: the plan, with a namespace that exists.
            report: publishes the outcome; its failure undoes everything.

        Raises:
            PlanesError: the first failure; nothing is left of the call, or recovery has it.
        """
        undo = Undo()
        begun: list[PlannedAttachment] = []
        try:
            await self._admit(entry)
            undo.push("attach", lambda: self._tear_down(entry, begun))
            await self._journal.begin(entry)
            self._probe.reached("journal.begun")
            results: dict[str, Result] = {}
            for wave in waves(entry.attachments):
                begun.extend(wave)
                await self._attach_wave(entry, wave, results)
            results = await self._settle_routes(entry, results)
            done = replace(
                entry,
                stage=Stage.ATTACHED,
                attachments=tuple(
                    replace(one, result=results[one.ifname]) for one in entry.attachments
                ),
            )
            await self._commit(done, report)
        except BaseException:
            self._probe.reached("undo")
            await complete(undo.unwind())
            raise
        return done

    async def _admit(self, entry: Entry) -> None:
        """Wait for GC of the entry's networks, and check its ports.

        Nothing may be awaited between this and the journal: what that then holds, GC spares, and
        nobody else's port can be.
        """
        names = frozenset(one.conflist.name for one in entry.attachments)
        await self._ports.check(entry)
        while self._collecting.is_one_of(names):
            await self._collecting.give_way(names)
            await self._ports.check(entry)

    async def _settle_routes(self, entry: Entry, results: dict[str, Result]) -> dict[str, Result]:
        """Give the default route to who takes it, in the kernel and in the results."""
        taken = takers(entry.attachments)
        if not taken:
            return results
        for ifname, gateways in taken.items():
            await self._sandboxes.set_default_route(entry.netns, ifname, gateways)
        self._probe.reached("routes")
        return settled(results, taken)

    async def _commit(self, done: Entry, report: Report) -> None:
        """Commit and report at once: each is a write elsewhere, and either's failure undoes all."""
        self._probe.reached("attached")
        await _all(self._journal.update(done), report(done))
        self._probe.reached("committed")
        # A cancellation that came during the last step is seen here, where it can be undone.
        await asyncio.sleep(0)

    async def _attach_wave(
        self, entry: Entry, wave: tuple[PlannedAttachment, ...], results: dict[str, Result]
    ) -> None:
        self._probe.reached("wave")
        if len(wave) == 1:
            await self._attach_one(entry, wave[0], results)
        else:
            await _all(*(self._attach_one(entry, one, results) for one in wave))

    async def _attach_one(
        self, entry: Entry, attachment: PlannedAttachment, results: dict[str, Result]
    ) -> None:
        call = entry.call(attachment, entry.netns)
        await self._holds.take(call, attachment)
        if self._bridges is None:
            result = await self._chains.add(call, attachment)
        else:
            async with self._bridges.watched(attachment):
                result = await self._chains.add(call, attachment)
        _verify(attachment, result)
        check_result(attachment, result)
        results[attachment.ifname] = result

    async def _tear_down(self, entry: Entry, begun: list[PlannedAttachment]) -> None:
        begun_only = replace(entry, attachments=tuple(begun))
        await self._leaver.leave(begun_only, entry.netns, within=UNDO_SECONDS)
        self._probe.reached("undone")


def _verify(attachment: PlannedAttachment, result: Result) -> None:
    """Refuse a plane's attachment that came out with other addresses than policy decided.

    Outside planes a plugin may ignore `ips`, as under Multus.
    """
    if not attachment.plane or not attachment.ips:
        return
    given = {ip_interface(ip.address).ip for ip in result.ips}
    missing = [ip for ip in attachment.ips if ip_interface(ip).ip not in given]
    if missing:
        got = ", ".join(ip.address for ip in result.ips)
        raise Conflict(
            f"cannot attach {attachment.ifname} to {attachment.network}: its plugin gave "
            f"{got or 'no address'} instead of {', '.join(missing)}",
            remedy="use an IPAM that honours requested addresses, e.g. ipam.mode Plane",
            code=CniCode.CONFLICT,
        )


async def _all(*works: Awaitable[None]) -> None:
    """Await all; on the first failure cancel the others and await their end."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await complete(asyncio.gather(*tasks, return_exceptions=True))
        raise
