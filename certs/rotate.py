"""Turn the policy into deeds: observe, decide, act, and observe again before the next step.

No step relies on what the one before it meant to do, only on what is observed. A failed turn is
counted and tried again; whatever it was, it never ends the loop, because the last good pair is
still in service.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Protocol

from certs.metrics import CertificateMetrics
from certs.policy import Facts, Idle, Settings, Step, WaitServed, WaitTrusted, decide
from planes.model.errors import PlanesError
from planes.run.clock import Clock

_log = logging.getLogger(__name__)

# A full rotation is six steps; more in one turn means that acting has no effect.
_STEPS_PER_TURN = 12


class Authority(Protocol):
    """Where certificates are kept: a directory, or a Secret with its webhook configurations."""

    async def observe(self, now: datetime) -> Facts:
        """Read back everything the policy asks about."""
        ...

    async def act(self, step: Step, now: datetime) -> None:
        """Carry out one step; a lost race is no error, the next observation shows it."""
        ...


class Rotator:
    """Keeps certificates fresh through an authority."""

    def __init__(
        self,
        authority: Authority,
        settings: Settings,
        *,
        clock: Clock,
        metrics: CertificateMetrics,
    ) -> None:
        self._authority = authority
        self._settings = settings
        self._clock = clock
        self._metrics = metrics

    async def turn(self) -> Idle | WaitTrusted | WaitServed:
        """Take steps until there is something to wait for, and say what.

        Raises:
            PlanesError: the authority cannot be read or written.
        """
        for _ in range(_STEPS_PER_TURN):
            now = datetime.fromtimestamp(self._clock.now(), UTC)
            step = decide(now, await self._authority.observe(now), self._settings)
            if isinstance(step, Idle | WaitTrusted | WaitServed):
                return step
            await self._authority.act(step, now)
            self._metrics.step(type(step).__name__)
        return Idle(datetime.fromtimestamp(self._clock.now(), UTC) + self._settings.look_again)

    async def run(self) -> None:
        """Take turns until cancelled, the first at once."""
        while True:
            try:
                await self.turn()
            except PlanesError as exc:
                self._metrics.failed()
                _log.warning("certificate turn failed", extra={"reason": str(exc)})
            except Exception:
                self._metrics.failed()
                _log.exception("certificate turn failed: a bug")
            await self._clock.sleep(self._settings.look_again.total_seconds())
