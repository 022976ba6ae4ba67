"""The health of each plane on this node: attempts to attach are counted, and reported.

Invariant: no call waits for a report, and a failure that a pod may have caused does not count
against its plane: by what it requested (an address that is taken), or by a network of its own that
was attached before (with its sysctls and interfaces). A plane that begins to fail or to work again
is reported at once, and so is a node that is not ready any more or again; other changes at
intervals. A failed report is retried. Each report has the node's use of its address blocks as well.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Container, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

from prometheus_client import Gauge

from cni.net.errors import MissingNetns
from cni.planning.address_reports import AddressReports
from cni.planning.node_readiness import NodeReadiness
from cni.plugins.attachment import PlannedAttachment
from planes.model.errors import NotFound, PlanesError
from planes.model.state.plane_health import Health, encode_report, reason_of
from planes.run.clock import Clock
from planes.run.metrics import Metrics
from planes.run.token_bucket import TokenBucket

FAILURES_SECONDS: Final = 60.0
"""The interval of reports about further failures of a failing plane."""
SUCCESSES_SECONDS: Final = 300.0
"""The interval of reports about planes that work; well below `FRESH_SECONDS`."""
_LOOK_SECONDS: Final = 1.0
AT_ONCE_BURST: Final = 4
AT_ONCE_PER_SECOND: Final = 1 / 30
"""The rate of immediate reports: a plane that flaps must not cost a write each second."""

_log = logging.getLogger(__name__)

Publish = Callable[[str], Awaitable[None]]
"""Writes a report; raises `PlanesError` where that fails."""


class PlaneHealth:
    """Counts attempts for each plane, and reports them.

    Args:
        clock: for the times of attempts and of reports.
        node: this node's name.
        planes: returns the names of all planes; counts of others are dropped.
        publish: writes the reports; None for no reports.
        addresses: counts the addresses in use; None: they are not reported.
    """

    def __init__(
        self,
        clock: Clock,
        node: str,
        planes: Callable[[], Container[str]],
        publish: Publish | None = None,
        addresses: AddressReports | None = None,
    ) -> None:
        self._clock = clock
        self._node = node
        self._planes = planes
        self._publish = publish
        self._addresses = addresses
        self._known: dict[str, Health] = {}
        self._reported: dict[str, Health] = {}
        self._reported_at = float("-inf")
        self._at_once = TokenBucket(clock, AT_ONCE_BURST, AT_ONCE_PER_SECOND)
        self._gauge: Gauge | None = None
        self._readiness = NodeReadiness(clock, lambda: "")

    def tell_readiness(self, unready: Callable[[], str]) -> None:
        """Report whether this node is ready, too; `unready` returns why it is not, "" if it is."""
        self._readiness = NodeReadiness(self._clock, unready)

    def attached(self, attachments: Iterable[PlannedAttachment]) -> None:
        """Count attachments that were made."""
        now = int(self._clock.now())
        for plane in {one.plane for one in attachments if one.plane}:
            before = self._known.get(plane)
            self._note(plane, Health(attached_at=now))
            if before is not None and before.is_failing:
                _log.info("pods get this plane again", extra={"plane": plane})

    @contextmanager
    def watched(
        self, attachment: PlannedAttachment, before: Iterable[PlannedAttachment] = ()
    ) -> Iterator[None]:
        """Count a failure of an attachment inside the block.

        Args:
            attachment: what is being attached.
            before: what its sandbox has already.
        """
        try:
            yield
        except PlanesError as error:
            self.failed(attachment, error, before)
            raise

    def failed(
        self,
        attachment: PlannedAttachment,
        error: PlanesError,
        before: Iterable[PlannedAttachment] = (),
    ) -> None:
        """Count a failure of an attachment, unless its pod may have caused it.

        A sandbox that is gone meanwhile does not count either: its pod was deleted.
        """
        plane = attachment.plane
        is_gone = isinstance(error, MissingNetns)
        if not plane or is_gone or _is_of_the_pod(attachment, error, before):
            return
        known = self._known.get(plane, Health())
        health = replace(
            known,
            failures=known.failures + 1,
            failed_at=int(self._clock.now()),
            reason=reason_of(error.message),
        )
        self._note(plane, health)
        if health.is_failing and not known.is_failing:
            facts = {"plane": plane, "failures": health.failures, "reason": health.reason}
            _log.warning("no pod gets this plane on this node", extra=facts)

    def measure(self, metrics: Metrics) -> None:
        """Register the gauge of each plane's failures; call it once."""
        text = "Attempts to attach a pod to the plane that failed since the last that did not"
        self._gauge = metrics.gauge("plane_failures", text, ["plane"])

    async def run(self) -> None:
        """Report until cancelled."""
        while True:
            await self._clock.sleep(_LOOK_SECONDS)
            self._forget()
            if self._publish is None:
                continue
            if self._addresses is not None:
                await self._addresses.look()
            if self._is_due() or (self._addresses is not None and self._addresses.is_due):
                await self._report(self._publish)

    def _note(self, plane: str, health: Health) -> None:
        self._known[plane] = health
        if self._gauge is not None:
            self._gauge.labels(plane).set(health.failures)

    def _forget(self) -> None:
        """Drop the counts of planes that are gone."""
        there = self._planes()
        for name in [name for name in self._known if name not in there]:
            del self._known[name]
            if self._gauge is not None:
                self._gauge.remove(name)

    def _is_due(self) -> bool:
        if self._known == self._reported and not self._readiness.has_changed():
            return False
        if self._readiness.has_turned():
            return self._at_once.take()
        names = self._known.keys() | self._reported.keys()
        pairs = [(self._known.get(name), self._reported.get(name)) for name in names]
        if any(_kind(now) != _kind(before) for now, before in pairs):
            return self._at_once.take()
        is_failing = any(now is not None and now.is_failing for now, _ in pairs)
        is_failing = is_failing or self._readiness.has_changed()
        wait = FAILURES_SECONDS if is_failing else SUCCESSES_SECONDS
        return self._clock.monotonic() >= self._reported_at + wait

    async def _report(self, publish: Publish) -> None:
        reported, unready = dict(self._known), self._readiness.now()
        use = None if self._addresses is None else self._addresses.now
        self._reported_at = self._clock.monotonic()
        try:
            await publish(encode_report(self._node, reported, use, unready=unready))
        except PlanesError as error:
            _log.warning("health of planes not reported", extra={"cause": str(error)})
            await self._clock.sleep(FAILURES_SECONDS)
            return
        self._reported = reported
        self._readiness.told(unready)
        if self._addresses is not None and use is not None:
            self._addresses.told(use)


def _kind(health: Health | None) -> tuple[bool, bool, bool]:
    """Return the facts whose change is reported at once."""
    return (
        health is not None,
        health is not None and health.is_failing,
        health is not None and health.attached_at > 0,
    )


def _is_of_the_pod(
    attachment: PlannedAttachment, error: PlanesError, before: Iterable[PlannedAttachment]
) -> bool:
    """Report whether a pod may have caused the failure of its attachment.

    A NotFound always counts: no request of a pod removes something from the node, such as a master.
    """
    if isinstance(error, NotFound):
        return False
    asked = attachment.ips or attachment.candidates or attachment.args or attachment.claim
    has_asked = bool(asked) or "mac" in attachment.capability_args
    return has_asked or any(one.is_chosen for one in before)
