"""Tear a journaled call down, for DEL, GC, reconcile and retries, and keep the journal true.

Invariant: an attachment that could not be detached stays in the journal, and no other does. So DEL
may report success to the container runtime as soon as our own retries are as good as its retries.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from cni.attaching.detacher import Detacher, Failure
from cni.attaching.device_files import DeviceFiles
from cni.attaching.status_reports import StatusReporter
from cni.journal.entry import FAULT_LENGTH, FAULT_SEPARATOR, Entry, Stage, log_fields
from cni.journal.error_subject import ErrorSubject
from cni.journal.journal import Journal
from cni.net.errors import MissingNetns
from cni.net.sandboxes import Sandboxes
from planes.model.errors import BadInput, PlanesError, Unavailable
from planes.run.clock import Clock

_log = logging.getLogger(__name__)

# A runtime that retries DEL keeps the sandbox alive meanwhile, which only helps plugins that need
# it; after that its pod would hang in Terminating for ever (as reported of Multus' thin form, #669,
# #677; its 4.3.0 answers DEL with the plugin's error, and the notes of 4.3.1 do not mention it).
TRIES_OF_RUNTIME: Final = 3
CALL_SECONDS: Final = 38.0  # of the 55 s that a DEL has
_RETRY_SHARE: Final = 0.5  # of a call's time, for our own retries while the runtime still asks
LONGEST_RETRY: Final = 120.0  # seconds of later retries; `netplane-cni forget` waits for them
_LEAST_SECONDS: Final = 2.0  # for a call that has waited long for its lock
_WITHOUT_NETNS: Final = 0.25  # share of that time for a second DEL, with an empty CNI_NETNS


@dataclass(frozen=True, slots=True)
class TeardownOutcome:
    """The outcome of one teardown.

    Attributes:
        failures: the attachments that could not be detached.
        has_sandbox: the network namespace still exists.
        attempts: the number of teardowns so far, this one included.
        node: the name of this node.
    """

    failures: tuple[Failure, ...]
    has_sandbox: bool
    attempts: int
    node: str = ""

    def raise_for_runtime(self) -> None:
        """Raise where the container runtime should retry the DEL.

        That is where a binary or the kernel failed in a sandbox that still exists, in fewer than
        `TRIES_OF_RUNTIME` attempts. Otherwise our own retries from the journal do as well.

        Raises:
            Unavailable: code 11, so that the runtime retries.
        """
        in_sandbox = [failure for failure in self.failures if failure.needs_sandbox]
        if not in_sandbox or not self.has_sandbox or self.attempts >= TRIES_OF_RUNTIME:
            return
        faults = _fault_of(in_sandbox)
        raise Unavailable(
            f"cannot detach all networks on node {self.node}: {faults}",
            remedy="the container runtime tries again",
        )

    def raise_for_add(self) -> None:
        """Raise where an attachment is left: the next ADD of the same interface would conflict.

        Raises:
            PlanesError: the error of the first failure.
        """
        for one in self.failures:
            what = f"detach {ErrorSubject.of(one.attachment)} of an earlier ADD on node {self.node}"
            raise one.error.within(what)


class Teardown:
    """Tears down journaled calls.

    Args:
        devices: the device information files.
        clock: for the time of the first failure.
        call_seconds: seconds that a teardown may take in a call of the container runtime. It is
            far enough below the call's deadline that the outcome is journaled and returned; an
            attempt that is cancelled would not be counted.
    """

    def __init__(
        self,
        detacher: Detacher,
        journal: Journal,
        sandboxes: Sandboxes,
        reporter: StatusReporter,
        *,
        devices: DeviceFiles,
        clock: Clock,
        call_seconds: float = CALL_SECONDS,
    ) -> None:
        self._devices = devices
        self._clock = clock
        self._call_seconds = call_seconds
        self._detacher = detacher
        self._journal = journal
        self._sandboxes = sandboxes
        self._reporter = reporter

    async def tear_down_in_call(
        self, entry: Entry, netns: str = "", waited: float = 0.0
    ) -> TeardownOutcome:
        """Tear down a journaled call for a call of the container runtime; see `tear_down`.

        Args:
            entry: as journaled.
            netns: CNI_NETNS of the call.
            waited: seconds that the call has waited for its lock, which count too.
        """
        within = max(_LEAST_SECONDS, self._call_seconds - waited / (1 + _WITHOUT_NETNS))
        return await self.tear_down(entry, netns, within=within)

    async def retry(self, entry: Entry) -> TeardownOutcome:
        """Tear down a journaled call without a call of the container runtime; see `tear_down`.

        The sandbox is locked meanwhile, and a plugin that hung is likely to hang again. So while
        the runtime may still retry, this takes half the time of a call: a waiting DEL then has
        time for its own attempt.
        """
        is_awaited = entry.attempts < TRIES_OF_RUNTIME
        within = self._call_seconds * _RETRY_SHARE if is_awaited else LONGEST_RETRY
        return await self.tear_down(entry, within=within)

    async def tear_down(
        self, entry: Entry, netns: str = "", *, within: float | None = None
    ) -> TeardownOutcome:
        """Tear down a journaled call and record the outcome.

        Args:
            entry: as journaled.
            netns: CNI_NETNS of the call; "" means the recorded one, if it is still the same.
            within: seconds after which a plugin that hangs is a failure; None waits for ever.

        Raises:
            PlanesError: the journal could not be written, or the recorded namespace not be
                examined; the call must be repeated.
        """
        netns = netns or await self._recorded(entry)
        is_removed = False

        def remove_file() -> None:
            nonlocal is_removed
            self._journal.remove_file(entry.key)
            is_removed = True

        failures = await self._detacher.detach(entry, netns, within, remove_file)
        inode = await self._inode(netns) if failures else 0
        if failures and netns and not inode:
            # Some plugins refuse a path that does not exist but accept an empty CNI_NETNS, others
            # the other way round: each gets a DEL with both.
            seconds = None if within is None else within * _WITHOUT_NETNS
            failures = await self._detacher.detach(_only(entry, failures), "", seconds)
        if inode and not entry.netns_inode:  # attached before us: retries need the namespace
            entry = replace(entry, netns=netns, netns_inode=inode)
        await self._devices.remove(entry, {one.attachment.ifname for one in failures})
        await self._record(entry, failures, is_removed=is_removed)
        return TeardownOutcome(failures, bool(inode), entry.attempts + 1, entry.node)

    async def is_alive(self, netns: str, inode: int = 0) -> bool:
        """Report whether a path is a network namespace, with this inode if one is given.

        A namespace that cannot be examined now (no descriptors, no memory) counts as alive, so
        that nothing of it is released.
        """
        if not netns:
            return False
        try:
            found = (await self._sandboxes.survey(netns)).inode
        except BadInput:
            return False
        except PlanesError:
            return True
        return bool(found) and inode in {0, found}

    async def _inode(self, netns: str) -> int:
        """Return the inode of the network namespace at a path; 0 where there is none."""
        if not netns:
            return 0
        try:
            return (await self._sandboxes.survey(netns)).inode
        except PlanesError:
            return 0

    async def _recorded(self, entry: Entry) -> str:
        """Return the recorded namespace; "" where the path is another namespace by now.

        Raises:
            PlanesError: it cannot be examined; addresses must not be released before their links.
        """
        if not entry.netns:
            return ""
        try:
            survey = await self._sandboxes.survey(entry.netns)
        except MissingNetns:
            return entry.netns
        except BadInput:
            return ""
        return entry.netns if survey.inode == entry.netns_inode else ""

    async def _record(self, entry: Entry, failures: Sequence[Failure], *, is_removed: bool) -> None:
        if not failures:
            await self._journal.forget(entry.key, is_removed=is_removed)
        else:
            for failure in failures:
                _log.error(
                    "cannot detach, will try again",
                    extra={
                        **log_fields(entry),
                        "ifname": failure.attachment.ifname,
                        "network": failure.attachment.network,
                        "error": str(failure.error),
                        "attempts": entry.attempts + 1,
                        "seconds": self._seconds_of(entry),
                    },
                )
            await self._journal.update(
                replace(
                    _only(entry, failures),
                    stage=Stage.LEAVING,
                    attempts=entry.attempts + 1,
                    failed_since=entry.failed_since or self._clock.now(),
                    fault=_fault_of(failures)[:FAULT_LENGTH],
                )
            )
        if entry.stage is not Stage.LEAVING:
            await self._update_status(entry)

    def _seconds_of(self, entry: Entry) -> int:
        """Return for how many seconds the teardown has failed."""
        now = self._clock.now()
        return round(max(0.0, now - (entry.failed_since or now)))

    async def _update_status(self, entry: Entry) -> None:
        """Correct the pod's network-status, unless its next sandbox has written its own."""
        siblings = self._journal.siblings(entry)
        if siblings:
            await self._reporter.publish_remaining(*siblings)
        elif not self._journal.has_pod(entry.namespace, entry.pod, but=entry.key):
            await self._reporter.remove(entry)


def _fault_of(failures: Sequence[Failure]) -> str:
    return FAULT_SEPARATOR.join(
        f"{ErrorSubject.of(one.attachment)}: {one.error}" for one in failures
    )


def _only(entry: Entry, failures: Sequence[Failure]) -> Entry:
    return replace(entry, attachments=tuple(failure.attachment for failure in failures))
