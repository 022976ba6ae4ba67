"""Giving back what no journal entry accounts for: entries get damaged, and records too.

Plane addresses that records of this machine hold, and addresses of host-local, are compared with
the journal and with the sandboxes, at start and on a timer. Invariant: nothing is given back that
an interface in any namespace of the machine still has, nor what was not seen twice with time
between; a sandbox whose entry is damaged, but whose namespace lives, keeps what it has until its
DEL.
"""

from __future__ import annotations

import logging
from collections.abc import Hashable, Iterable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Final

from cni.detach import Links
from cni.entry import Damaged
from cni.gate import Gate
from cni.ipam.kept import Kept, KeptAddresses
from cni.journal import Journal
from cni.leave import Leaver
from cni.live import Live
from planes.model.addresses import IPAddress
from planes.model.errors import PlanesError
from planes.run.clock import Clock
from planes.run.jobs import ended, start
from planes.store.plane_addresses import describe
from planes.store.protocol import AddressBook, Held

_log = logging.getLogger(__name__)

INTERVAL: Final = 30.0
GRACE_SECONDS: Final = 60.0


class Orphans:
    """Looks for what nobody has.

    Args:
        journal: accounts for what is attached.
        addresses: the plane addresses.
        kept: the addresses of host-local.
        live: tells what interfaces have.
        leaver: tells whether a namespace lives.
        kernel: removes links.
        node: the name of this node; records of other nodes are theirs.
        shares_addresses: whether other daemons keep plane addresses in the same directory: then
            nobody knows whose a record is that cannot be read.
        files: where files are searched; None = the event loop's own threads.
        interval: seconds between two looks.
    """

    def __init__(
        self,
        *,
        journal: Journal,
        addresses: AddressBook,
        kept: KeptAddresses,
        live: Live,
        leaver: Leaver,
        kernel: Links,
        gate: Gate,
        clock: Clock,
        node: str,
        shares_addresses: bool = False,
        files: Executor | None = None,
        interval: float = INTERVAL,
    ) -> None:
        self._journal = journal
        self._addresses = addresses
        self._kept = kept
        self._live = live
        self._leaver = leaver
        self._kernel = kernel
        self._gate = gate
        self._clock = clock
        self._node = node
        self._shares_addresses = shares_addresses
        self._files = files
        self._interval = interval
        self._since: dict[Hashable, float] = {}

    async def run(self) -> None:
        """Look again and again until cancelled."""
        while True:
            try:
                await self.look()
            except PlanesError as error:
                _log.warning("cannot look for what nobody has", extra={"error": str(error)})
            await self._clock.sleep(self._interval)

    async def look(self) -> None:
        """Look once; give back what was seen before already and nobody has.

        Raises:
            PlanesError: records or namespaces cannot be read; nothing was given back.
        """
        held = {(one.plane, one.record, one.owner): one for one in await self._unaccounted()}
        damaged = {one.kept: one for one in self._journal.damaged() if one.container_id}
        now = self._clock.monotonic()
        keys: tuple[Hashable, ...] = (*held, *damaged)
        self._since = {key: self._since.get(key, now) for key in keys}
        due = {key for key, since in self._since.items() if now - since >= GRACE_SECONDS}
        if not due:
            return
        live = await self._live.addresses(self._namespaces())
        living = {
            one.container_id for one in damaged.values() if await self._leaver.is_alive(one.netns)
        }
        for key, one in held.items():
            if key in due and one.owner.container_id not in living:
                await self._give_back(one, live)
        for kept, entry in damaged.items():
            if kept in due and entry.container_id not in living:
                await self._settle(entry, live)

    async def release(self, damaged: Damaged, netns: str, *, is_alone: bool) -> None:
        """Take out a sandbox whose entry is damaged, for its DEL, as far as anything tells.

        Args:
            damaged: what is known of its entry.
            netns: its namespace, "" where there is none any more.
            is_alone: the call is about its own interface only: the sandbox lives on.

        Raises:
            PlanesError: something could not be taken out; the DEL must be repeated.
        """
        only = {damaged.ifname} if is_alone else None
        held = [
            one
            for one in await self._unaccounted()
            if one.owner.container_id == damaged.container_id
            and (only is None or one.owner.interface in only)
        ]
        kept = [one for one in await self._search(damaged) if only is None or one.ifname in only]
        names = (
            *damaged.ifnames,
            *(one.owner.interface for one in held),
            *(one.ifname for one in kept),
        )
        await self._kernel.remove_links(netns, tuple(dict.fromkeys(filter(None, names))))
        for one in held:
            await self._addresses.give_back(one)
            _told(one)
        await self._forget(damaged, kept)

    async def retire(self, *, takes_out: bool) -> tuple[Damaged, ...]:
        """Settle what is damaged as far as sandboxes allow; what is left, as its sandbox lives.

        Args:
            takes_out: take out the sandboxes that live as well.

        Raises:
            PlanesError: records or namespaces cannot be read.
        """
        left = []
        live = await self._live.addresses(self._namespaces())
        for damaged in self._journal.damaged():
            if not damaged.container_id:
                continue
            is_alive = await self._leaver.is_alive(damaged.netns)
            if is_alive and not takes_out:
                left.append(damaged)
            elif is_alive:
                await self.release(damaged, damaged.netns, is_alone=False)
            else:
                for one in await self._unaccounted():
                    if one.owner.container_id == damaged.container_id:
                        await self._give_back(one, live)
                await self._settle(damaged, live)
        return tuple(left)

    async def _give_back(self, held: Held, live: frozenset[IPAddress]) -> None:
        if not live.isdisjoint(held.addresses):
            return
        try:
            # Its own calls first: an ADD under way may have taken just these addresses.
            async with self._gate.aside(held.owner.container_id or held.record):
                found = await self._unaccounted()
                if any((one.plane, one.record) == (held.plane, held.record) for one in found):
                    await self._addresses.give_back(held)
                    _told(held)
        except PlanesError as error:
            _log.warning("cannot give back what nobody has", extra={"error": str(error)})

    async def _settle(self, damaged: Damaged, live: frozenset[IPAddress]) -> None:
        """Give back what host-local keeps for a sandbox that is gone; then its entry is settled."""
        try:
            async with self._gate.aside(damaged.container_id):
                kept = await self._search(damaged)
                if live.isdisjoint(one.address for one in kept):
                    await self._forget(damaged, kept)
        except PlanesError as error:
            _log.warning("cannot give back what nobody has", extra={"error": str(error)})

    async def _search(self, damaged: Damaged) -> list[Kept]:
        """Give what host-local keeps for its sandbox, less what other entries account for."""
        work = partial(self._kept.of, damaged.container_id, damaged.data_dirs)
        known = {ifname for owner, ifname in self._attached() if owner == damaged.container_id}
        return [one for one in await ended(start(work, self._files)) if one.ifname not in known]

    async def _forget(self, damaged: Damaged, kept: Sequence[Kept]) -> None:
        """Give back what host-local keeps for it, and drop its entry."""
        await ended(start(partial(self._kept.give_back, kept), self._files))
        await self._journal.settle(damaged)
        facts = {"container_id": damaged.container_id, "ifname": damaged.ifname}
        _log.warning("settled a damaged journal entry", extra=facts)

    async def _unaccounted(self) -> tuple[Held, ...]:
        found = await self._addresses.held_by_others(frozenset(self._attached()))
        results = {
            (one.plane, ip.ip)
            for entry in self._journal.entries()
            for one in entry.attachments
            if one.result is not None
            for ip in one.result.ips
        }
        return tuple(
            one
            for one in found
            if self._is_ours(one)
            and not any((one.plane, str(address)) in results for address in one.addresses)
        )

    def _is_ours(self, held: Held) -> bool:
        if not held.owner.container_id:
            return not self._shares_addresses
        return held.owner.node in {"", self._node}

    def _attached(self) -> Iterable[tuple[str, str]]:
        for entry in self._journal.entries():
            for one in entry.attachments:
                yield entry.container_id, one.ifname

    def _namespaces(self) -> list[str]:
        known = [entry.netns for entry in self._journal.entries()]
        return [path for path in (*known, *(d.netns for d in self._journal.damaged())) if path]


def _told(held: Held) -> None:
    _log.warning(
        "gave back addresses that nobody has",
        extra={
            "plane": held.plane,
            "ips": [str(address) for address in held.addresses],
            "holder": describe(held.owner),
        },
    )
