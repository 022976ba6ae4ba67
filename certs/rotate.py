"""The rotation loop: observe, decide by the policy, act, and observe again before the next step.

No step relies on the effect that the one before it should have had, only on facts observed after
it. An error of whatever kind is counted and retried; it never ends the loop, as the last good pair
is still served.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Protocol

from certs.metrics import CertificateMetrics
from certs.policy import (
    CertificateFacts,
    Idle,
    RenewalSettings,
    Step,
    WaitServed,
    WaitTrusted,
    decide,
)
from planes.model.errors import PlanesError
from planes.run.clock import Clock

_log = logging.getLogger(__name__)

# A full rotation has six steps; more in one reconcile mean that steps have no effect.
_MOST_STEPS = 12


class Authority(Protocol):
    """A store of certificates: a directory, or a Secret with its webhook configurations."""

    async def observe(self, now: datetime) -> CertificateFacts:
        """Read all facts that the policy needs."""
        ...

    async def act(self, step: Step, now: datetime) -> None:
        """Carry out one step; an update that conflicts is no error: `observe` is called again."""
        ...


class Rotator:
    """Renews and rotates certificates through an authority."""

    def __init__(
        self,
        authority: Authority,
        settings: RenewalSettings,
        *,
        clock: Clock,
        metrics: CertificateMetrics,
    ) -> None:
        self._authority = authority
        self._settings = settings
        self._clock = clock
        self._metrics = metrics

    async def reconcile(self) -> Idle | WaitTrusted | WaitServed:
        """Take the steps that are due, and return what to wait for.

        Raises:
            PlanesError: the authority cannot be read or written.
        """
        for _ in range(_MOST_STEPS):
            now = datetime.fromtimestamp(self._clock.now(), UTC)
            step = decide(now, await self._authority.observe(now), self._settings)
            if isinstance(step, Idle | WaitTrusted | WaitServed):
                return step
            await self._authority.act(step, now)
            self._metrics.step(type(step).__name__)
        return Idle(datetime.fromtimestamp(self._clock.now(), UTC) + self._settings.look_again)

    async def run(self) -> None:
        """Reconcile periodically until cancelled, at once for the first time."""
        while True:
            try:
                await self.reconcile()
            except PlanesError as exc:
                self._metrics.failed()
                _log.warning("certificate turn failed", extra={"reason": str(exc)})
            except Exception:
                self._metrics.failed()
                _log.exception("certificate turn failed: a bug")
            await self._clock.sleep(self._settings.look_again.total_seconds())
