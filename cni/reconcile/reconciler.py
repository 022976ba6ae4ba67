"""Reconcile the journal with the sandboxes of the node: at start, and on a timer.

An ADD that was interrupted is torn down: its caller got no response, and the pod may never be
retried. A failed teardown is retried with backoff until it succeeds. A sandbox that is gone without
a DEL is torn down too.

Invariant: sandboxes are reconciled concurrently, each under its own lock. A call of a sandbox waits
for the teardown of its interrupted ADD, or does it itself if it has the lock first; no other call
waits.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Final

from cni.attaching.status_reports import StatusReporter
from cni.attaching.teardown import Teardown
from cni.journal.entry import Entry, Key, Stage, log_fields
from cni.journal.journal import Journal
from cni.serving.call_locks import CallLocks
from planes.model.errors import PlanesError
from planes.run.background_jobs import BackgroundJob, BackgroundJobs, all_ended, ended_or_slow
from planes.run.backoff import Backoff
from planes.run.clock import Clock
from planes.run.logs import bind
from planes.store.protocol import Store

_log = logging.getLogger(__name__)

INTERVAL: Final = 10.0
_FIRST_BACKOFF: Final = 2.0
_LONGEST_BACKOFF: Final = 600.0
GONE_SECONDS: Final = 60.0


class Reconciler:
    """Tears down journaled calls that no call of the container runtime will tear down.

    Args:
        interval: seconds between two passes.
    """

    def __init__(
        self,
        *,
        journal: Journal,
        teardown: Teardown,
        call_locks: CallLocks,
        reporter: StatusReporter,
        store: Store,
        clock: Clock,
        interval: float = INTERVAL,
    ) -> None:
        self._journal = journal
        self._teardown = teardown
        self._call_locks = call_locks
        self._reporter = reporter
        self._store = store
        self._clock = clock
        self._interval = interval
        self._jobs = BackgroundJobs()
        self._backoff = Backoff(_FIRST_BACKOFF, _LONGEST_BACKOFF)
        self._retry_at: dict[Key, float] = {}
        self._gone_since: dict[Key, float] = {}

    async def begin_recovery(self) -> int:
        """Start to tear down what the last process left; return how many sandboxes take long.

        These are interrupted ADDs, and sandboxes of an earlier boot of the machine. Those that
        take long are not awaited. Failed teardowns are retried by `reconcile`.
        """
        return await ended_or_slow(await self._start_recovery())

    async def recover(self) -> None:
        """Tear down what the last process left, and await all of it; see `begin_recovery`."""
        await all_ended(await self._start_recovery())

    async def run(self) -> None:
        """Reconcile on a timer until cancelled."""
        try:
            while True:
                await self._clock.sleep(self._interval)
                await self.reconcile()
        finally:
            await self._jobs.close()

    async def reconcile(self) -> None:
        """Reconcile every journaled call once; teardowns that take long are not awaited."""
        entries = {entry.key: entry for entry in self._journal.entries()}
        self._retry_at = _only_keys(self._retry_at, entries)
        self._gone_since = _only_keys(self._gone_since, entries)
        now = self._clock.monotonic()
        due = [
            entry
            for entry in entries.values()
            if not self._call_locks.is_busy(entry.container_id) and await self._is_due(entry, now)
        ]
        # A teardown that has failed before is likely to take long: it goes last.
        due.sort(key=lambda entry: entry.attempts)
        await ended_or_slow(self._enqueue(due))
        for entry in entries.values():
            if entry.stage is Stage.ATTACHED and not self._call_locks.is_busy(entry.container_id):
                await self._repair_status(entry)

    async def _start_recovery(self) -> list[BackgroundJob]:
        due = []
        for entry in self._journal.entries():
            if entry.stage is Stage.BEGUN:
                _log.warning("undoing an ADD that was cut off", extra=log_fields(entry))
                due.append(entry)
            elif entry.stage is Stage.ATTACHED and await self._is_of_earlier_boot(entry):
                _log.warning("releasing a sandbox of a former boot", extra=log_fields(entry))
                due.append(entry)
        return self._enqueue(due)

    async def _is_due(self, entry: Entry, now: float) -> bool:
        if entry.stage is not Stage.ATTACHED:
            return self._retry_at.get(entry.key, 0.0) <= now
        if not await self._is_gone(entry, now):
            return False
        _log.warning("releasing a sandbox that is gone", extra=log_fields(entry))
        return True

    def _enqueue(self, due: Iterable[Entry]) -> list[BackgroundJob]:
        return [self._jobs.start(entry.key, partial(self._retry, entry)) for entry in due]

    async def _retry(self, entry: Entry) -> None:
        """Tear down under the lock, unless a call has changed the entry meanwhile."""
        async with self._call_locks.sandbox(entry.container_id):
            found = self._journal.find(entry.key)
            if found is not None and found.stage is entry.stage:
                await self._tear_down(found)

    async def _tear_down(self, entry: Entry) -> None:
        failures = 1
        try:
            with bind(**log_fields(entry)):
                outcome = await self._teardown.retry(entry)
            failures = len(outcome.failures)
        except PlanesError as error:
            _log.warning("cannot release", extra={**log_fields(entry), "error": str(error)})
        except Exception:
            _log.exception("defect while releasing", extra=log_fields(entry))
        if failures:
            pause = self._backoff.after(entry.attempts + 1)
            self._retry_at[entry.key] = self._clock.monotonic() + pause

    async def _is_of_earlier_boot(self, entry: Entry) -> bool:
        """Report whether the machine was rebooted since ADD, and the sandbox is gone."""
        if not self._journal.is_of_earlier_boot(entry):
            return False
        return not await self._teardown.is_alive(entry.netns, entry.netns_inode)

    async def _is_gone(self, entry: Entry, now: float) -> bool:
        """Report whether the sandbox has been gone for `GONE_SECONDS`: no DEL will come.

        While a runtime tears a sandbox down, its DEL follows shortly.
        """
        if await self._teardown.is_alive(entry.netns, entry.netns_inode):
            self._gone_since.pop(entry.key, None)
            return False
        return now - self._gone_since.setdefault(entry.key, now) >= GONE_SECONDS

    async def _repair_status(self, entry: Entry) -> None:
        """Write a pod's network-status again where it is missing (Multus #855)."""
        if self._journal.find(entry.key) is not entry or entry.key in self._gone_since:
            return
        pod = self._store.pod(entry.namespace, entry.pod)
        if pod is None or (pod.uid and entry.uid and pod.uid != entry.uid):
            return
        try:
            await self._reporter.repair(pod, entry)
        except PlanesError as error:
            _log.warning("cannot repair status", extra={**log_fields(entry), "error": str(error)})


def _only_keys(times: Mapping[Key, float], entries: Mapping[Key, Entry]) -> dict[Key, float]:
    return {key: when for key, when in times.items() if key in entries}
