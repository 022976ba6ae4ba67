"""Making the journal and reality agree: at start, and on a timer.

Invariant: an ADD that was begun and never answered is undone: its caller got no answer, so it will
DEL and must find nothing; keeping it would keep addresses of a pod that may never be retried. What
a DEL left undone is tried again, later each time, until it is done.

Sandboxes go side by side, each behind its own lock: a call of a sandbox waits for the undo of what
was begun in it, or carries it out itself where that has not had its turn; no other call waits.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Final

from cni.entry import Entry, Key, Stage, whose
from cni.gate import Gate
from cni.journal import Journal
from cni.leave import Leaver
from cni.report import Reporter
from planes.model.errors import PlanesError
from planes.run.clock import Clock
from planes.run.lanes import Job, Lanes, have_ended, have_left
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
        self._lanes = Lanes()
        self._not_before: dict[Key, float] = {}
        self._gone_since: dict[Key, float] = {}

    async def begin(self) -> int:
        """Start to undo what lives no more, and wait for all of it but what takes long.

        Returns how many sandboxes take long.

        That is: what was begun before this process was, and what sandboxes had that lived before
        the machine was started. What a DEL left undone is tried by `look`.
        """
        return await have_left(await self._left_over())

    async def start(self) -> None:
        """Do what `begin` does, to its end."""
        await have_ended(await self._left_over())

    async def run(self) -> None:
        """Look again and again until cancelled."""
        try:
            while True:
                await self._clock.sleep(self._interval)
                await self.look()
        finally:
            await self._lanes.close()

    async def look(self) -> None:
        """Look once at every journaled call; what takes long goes on beside."""
        entries = {entry.key: entry for entry in self._journal.entries()}
        self._not_before = _known(self._not_before, entries)
        self._gone_since = _known(self._gone_since, entries)
        now = self._clock.monotonic()
        due = [
            entry
            for entry in entries.values()
            if not self._gate.is_busy(entry.container_id) and await self._is_due(entry, now)
        ]
        # What has failed is likely to take long: it goes after what may be done at once.
        due.sort(key=lambda entry: entry.attempts)
        await have_left(self._put(due))
        for entry in entries.values():
            if entry.stage is Stage.ATTACHED and not self._gate.is_busy(entry.container_id):
                await self._repair_status(entry)

    async def _left_over(self) -> list[Job]:
        due = []
        for entry in self._journal.entries():
            if entry.stage is Stage.BEGUN:
                _log.warning("undoing an ADD that was cut off", extra=whose(entry))
                due.append(entry)
            elif entry.stage is Stage.ATTACHED and await self._is_of_former_boot(entry):
                _log.warning("releasing a sandbox of a former boot", extra=whose(entry))
                due.append(entry)
        return self._put(due)

    async def _is_due(self, entry: Entry, now: float) -> bool:
        if entry.stage is not Stage.ATTACHED:
            return self._not_before.get(entry.key, 0.0) <= now
        if not await self._is_gone(entry, now):
            return False
        _log.warning("releasing a sandbox that is gone", extra=whose(entry))
        return True

    def _put(self, due: Iterable[Entry]) -> list[Job]:
        return [self._lanes.put(entry.key, partial(self._retry, entry)) for entry in due]

    async def _retry(self, entry: Entry) -> None:
        """Tear down, unless a call of the sandbox came in between and changed the entry."""
        async with self._gate.aside(entry.container_id):
            found = self._journal.find(entry.key)
            if found is not None and found.stage is entry.stage:
                await self._leave(found)

    async def _leave(self, entry: Entry) -> None:
        failures = 1
        try:
            with bind(**whose(entry)):
                outcome = await self._leaver.leave(entry)
            failures = len(outcome.failures)
        except PlanesError as error:
            _log.warning("cannot release", extra={**whose(entry), "error": str(error)})
        except Exception:
            _log.exception("defect while releasing", extra=whose(entry))
        if failures:
            pause = min(_FIRST_PAUSE * 2.0 ** min(entry.attempts, 30), _LONGEST_PAUSE)
            self._not_before[entry.key] = self._clock.monotonic() + pause

    async def _is_of_former_boot(self, entry: Entry) -> bool:
        """Tell whether the machine was started anew since: then no sandbox of before lives."""
        if not self._journal.is_of_former_boot(entry):
            return False
        return not await self._leaver.is_alive(entry.netns, entry.netns_inode)

    async def _is_gone(self, entry: Entry, now: float) -> bool:
        """Tell whether the sandbox has been gone for a while (a runtime without DEL).

        Seen twice with time between, since what a runtime is just tearing down it also DELs.
        """
        if await self._leaver.is_alive(entry.netns, entry.netns_inode):
            self._gone_since.pop(entry.key, None)
            return False
        return now - self._gone_since.setdefault(entry.key, now) >= GONE_SECONDS

    async def _repair_status(self, entry: Entry) -> None:
        """Write a pod's network-status again where it got lost (Multus #855)."""
        if self._journal.find(entry.key) is not entry or entry.key in self._gone_since:
            return
        pod = self._store.pod(entry.namespace, entry.pod)
        if pod is None or (pod.uid and entry.uid and pod.uid != entry.uid):
            return
        try:
            await self._reporter.repair(pod, entry)
        except PlanesError as error:
            _log.warning("cannot repair status", extra={**whose(entry), "error": str(error)})


def _known(times: Mapping[Key, float], entries: Mapping[Key, Entry]) -> dict[Key, float]:
    return {key: when for key, when in times.items() if key in entries}
