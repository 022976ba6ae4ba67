"""A call's way out: DEL, GC, recovery and retries, with the journal kept true.

Invariant: what could not be torn down stays in the journal, and nothing else does; so DEL may
tell the runtime "done" as soon as our own retries are as good as its own.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from cni.detach import Detacher, Failure
from cni.entry import Entry, Stage, whose
from cni.journal import Journal
from cni.net.errors import MissingNetns
from cni.report import Reporter
from cni.sandbox import Sandboxes
from planes.model.errors import BadInput, PlanesError, Unavailable

_log = logging.getLogger(__name__)

# A runtime that retries DEL keeps the sandbox alive meanwhile, which only helps plugins that need
# it; after that its pod would hang in Terminating for ever (Multus #669, #677).
TRIES_OF_RUNTIME: Final = 3
CALL_SECONDS: Final = 38.0  # of the 55 s that a DEL has
_AT_LAST: Final = 0.25  # of that time, for what is told that there is no namespace


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a way out came to.

    Attributes:
        failures: what is left.
        has_sandbox: the namespace still exists.
        attempts: how often it was tried, this time included.
    """

    failures: tuple[Failure, ...]
    has_sandbox: bool
    attempts: int

    def raise_for_runtime(self) -> None:
        """Raise where it helps that the runtime tries again.

        That is: a binary or the kernel failed in a sandbox that still exists, and it was not
        tried `TRIES_OF_RUNTIME` times. Otherwise our own retries from the journal do as well.

        Raises:
            Unavailable: code 11, so that the runtime tries again.
        """
        in_sandbox = [failure for failure in self.failures if failure.needs_sandbox]
        if not in_sandbox or not self.has_sandbox or self.attempts >= TRIES_OF_RUNTIME:
            return
        told = " | ".join(f"{one.attachment.network}: {one.error}" for one in in_sandbox)
        raise Unavailable(f"cannot detach all networks: {told}", remedy="try again")


class Leaver:
    """Takes calls out of the world.

    Args:
        call_seconds: what a runtime's call may spend on that: so much below its deadline that the
            outcome is journaled and told. One that is cut off would count as never tried.
    """

    def __init__(
        self,
        detacher: Detacher,
        journal: Journal,
        sandboxes: Sandboxes,
        reporter: Reporter,
        call_seconds: float = CALL_SECONDS,
    ) -> None:
        self._call_seconds = call_seconds
        self._detacher = detacher
        self._journal = journal
        self._sandboxes = sandboxes
        self._reporter = reporter

    async def leave_in_call(self, entry: Entry, netns: str = "") -> Outcome:
        """Tear down a journaled call for a call of a runtime; see `leave`."""
        return await self.leave(entry, netns, within=self._call_seconds)

    async def leave(self, entry: Entry, netns: str = "", *, within: float | None = None) -> Outcome:
        """Tear down a journaled call.

        Args:
            entry: as journaled.
            netns: as the runtime says; "" means the recorded one, if it is still the same.
            within: seconds after which what hangs is left to later; None waits for all of it.

        Raises:
            PlanesError: the journal could not be written, or the recorded namespace not looked
                at; the call must be repeated.
        """
        netns = netns or await self._recorded(entry)
        failures = await self._detacher.detach(entry, netns, within)
        inode = await self._inode(netns) if failures else 0
        if failures and netns and not inode:
            # Some plugins refuse a path that is gone but accept that there is none, others the
            # other way round: what matters is that they got their chance at both.
            rest = None if within is None else within * _AT_LAST
            failures = await self._detacher.detach(_only(entry, failures), "", rest)
        if inode and not entry.netns_inode:  # from before us: our retries must find it again
            entry = replace(entry, netns=netns, netns_inode=inode)
        await self._record(entry, failures)
        return Outcome(failures, bool(inode), entry.attempts + 1)

    async def is_alive(self, netns: str, inode: int = 0) -> bool:
        """Tell whether a path is a namespace, and the one that is meant.

        What cannot be looked at now (no descriptors, no memory) is alive: nothing is released for
        that.
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
        """Give which namespace a path is; 0 where it is none."""
        if not netns:
            return 0
        try:
            return (await self._sandboxes.survey(netns)).inode
        except PlanesError:
            return 0

    async def _recorded(self, entry: Entry) -> str:
        """Give the recorded namespace; "" where the path leads to somebody else's by now.

        Raises:
            PlanesError: it cannot be looked at; addresses must not go before their links.
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

    async def _record(self, entry: Entry, failures: Sequence[Failure]) -> None:
        if not failures:
            await self._journal.forget(entry.key)
        else:
            for failure in failures:
                _log.error(
                    "cannot detach, will try again",
                    extra={
                        **whose(entry),
                        "ifname": failure.attachment.ifname,
                        "network": failure.attachment.network,
                        "error": str(failure.error),
                    },
                )
            left = replace(_only(entry, failures), stage=Stage.LEAVING)
            await self._journal.update(replace(left, attempts=entry.attempts + 1))
        if entry.stage is not Stage.LEAVING:
            await self._tell(entry)

    async def _tell(self, entry: Entry) -> None:
        """Correct the pod's network-status, unless its next sandbox has written its own."""
        siblings = self._journal.siblings(entry)
        if siblings:
            await self._reporter.reduce(*siblings)
        elif not self._journal.holds_pod(entry.namespace, entry.pod, but=entry.key):
            await self._reporter.withdraw(entry)


def _only(entry: Entry, failures: Sequence[Failure]) -> Entry:
    return replace(entry, attachments=tuple(failure.attachment for failure in failures))
