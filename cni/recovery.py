"""Making the journal and reality agree: at start, and on a timer.

Invariant: an ADD that was begun and never answered is undone at once: its caller got no answer,
so it will DEL and must find nothing; keeping it would keep addresses of a pod that may never be
retried. What a DEL left undone is tried again, later each time, until it is done.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Final

from cni.entry import Entry, Key, Stage, whose
from cni.gate import Gate
from cni.journal import Journal
from cni.leave import Leaver
from cni.report import Reporter
from planes.model.errors import PlanesError
from planes.run.clock import Clock
from planes.run.logs import bind
from planes.store.protocol import Store

_log = logging.getLogger(__name__)

INTERVAL: Final = 10.0
_FIRST_PAUSE: Final = 2.0
_LONGEST_PAUSE: Final = 600.0
GONE_SECONDS: Final = 60.0


class Recovery:
    """Looks after journaled calls that no verb looks after.

    Args:
        interval: seconds between two looks.
    """

    def __init__(
        self,
        *,
        journal: Journal,
        leaver: Leaver,
        gate: Gate,
        reporter: Reporter,
        store: Store,
        clock: Clock,
        interval: float = INTERVAL,
    ) -> None:
        self._journal = journal
        self._leaver = leaver
        self._gate = gate
        self._reporter = reporter
        self._store = store
        self._clock = clock
        self._interval = interval
        self._not_before: dict[Key, float] = {}
        self._gone_since: dict[Key, float] = {}

    async def start(self) -> None:
        """Undo what was begun before this process was; before the first call is taken.

        What a DEL left undone is no reason to keep everybody waiting: a plugin may hang.
        """
        begun = [entry for entry in self._journal.entries() if entry.stage is Stage.BEGUN]
        for entry in begun:
            _log.warning("undoing an ADD that was cut off", extra=whose(entry))
        await asyncio.gather(*(self._leave(entry) for entry in begun))

    async def run(self) -> None:
        """Look again and again until cancelled."""
        while True:
            await self._clock.sleep(self._interval)
            await self.look()

    async def look(self) -> None:
        """Look once at every journaled call."""
        entries = {entry.key: entry for entry in self._journal.entries()}
        self._not_before = _known(self._not_before, entries)
        self._gone_since = _known(self._gone_since, entries)
        for entry in entries.values():
            if not self._gate.is_busy(entry.container_id):
                await self._look_at(entry)

    async def _look_at(self, entry: Entry) -> None:
        now = self._clock.monotonic()
        if entry.stage is Stage.LEAVING:
            if self._not_before.get(entry.key, 0.0) <= now:
                await self._retry(entry)
        elif entry.stage is Stage.ATTACHED:
            if await self._is_gone(entry, now):
                _log.warning("releasing a sandbox that is gone", extra=whose(entry))
                await self._retry(entry)
            else:
                await self._repair_status(entry)

    async def _retry(self, entry: Entry) -> None:
        """Tear down, unless a call of the sandbox came in between and changed the entry."""
        async with self._gate.call(entry.container_id):
            found = self._journal.find(entry.key)
            if found is not None and found.stage is entry.stage:
                await self._leave(found)

    async def _leave(self, entry: Entry) -> None:
        try:
            with bind(**whose(entry)):
                outcome = await self._leaver.leave(entry)
            failures = len(outcome.failures)
        except PlanesError as error:
            _log.warning("cannot release", extra={**whose(entry), "error": str(error)})
            failures = 1
        if failures:
            pause = min(_FIRST_PAUSE * 2.0 ** min(entry.attempts, 30), _LONGEST_PAUSE)
            self._not_before[entry.key] = self._clock.monotonic() + pause

    async def _is_gone(self, entry: Entry, now: float) -> bool:
        """Tell whether the sandbox has been gone for a while (a reboot, a runtime without DEL).

        Seen twice with time between, since what a runtime is just tearing down it also DELs.
        """
        if await self._leaver.is_alive(entry.netns, entry.netns_inode):
            self._gone_since.pop(entry.key, None)
            return False
        return now - self._gone_since.setdefault(entry.key, now) >= GONE_SECONDS

    async def _repair_status(self, entry: Entry) -> None:
        """Write a pod's network-status again where it got lost (Multus #855)."""
        pod = self._store.pod(entry.namespace, entry.pod)
        if pod is None or (pod.uid and entry.uid and pod.uid != entry.uid):
            return
        try:
            await self._reporter.repair(pod, entry)
        except PlanesError as error:
            _log.warning("cannot repair status", extra={**whose(entry), "error": str(error)})


def _known(times: Mapping[Key, float], entries: Mapping[Key, Entry]) -> dict[Key, float]:
    return {key: when for key, when in times.items() if key in entries}
