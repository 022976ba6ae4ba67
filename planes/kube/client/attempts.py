"""Attempts at one request: whether and when it may be sent again.

Invariant: only a request that the server did not process is sent again.
"""

from __future__ import annotations

from typing import Final

from planes.kube.client.request import RequestLimits
from planes.kube.client.session_pool import SessionPool
from planes.model.errors import PlanesError
from planes.run.backoff import Backoff
from planes.run.clock import Clock

_FIRST_PAUSE: Final = 0.2


class NotProcessed(Exception):
    """The server has not processed the request: it may be sent again.

    Attributes:
        pause: seconds to wait before; 0 leaves it to the backoff, None means that waiting is of no
            use.
        is_about_us: other credentials may help.
        is_login: those that we log in with, not the CA alone.
    """

    def __init__(
        self,
        error: PlanesError,
        *,
        pause: float | None = None,
        is_about_us: bool = False,
        is_login: bool = False,
    ) -> None:
        super().__init__(str(error))
        self.error = error
        self.pause = pause
        self.is_about_us = is_about_us
        self.is_login = is_login


class Attempts:
    """The attempts at one request.

    Args:
        sessions: gets new credentials where those are refused.
        limits: of attempts and of the pauses between them.
        clock: waits between them.
    """

    def __init__(self, sessions: SessionPool, limits: RequestLimits, clock: Clock) -> None:
        self._sessions = sessions
        self._limits = limits
        self._clock = clock
        self._tries = 0
        self._has_renewed = False

    def begin(self) -> None:
        """Begin the next attempt."""
        self._tries += 1
        self._generation = self._sessions.generation

    async def after(self, refused: NotProcessed) -> None:
        """Wait until the request may be sent again.

        Raises:
            PlanesError: it is of no use.
        """
        if refused.is_about_us and not self._has_renewed:
            self._has_renewed = True
            if await self._sessions.renew(self._generation, is_login=refused.is_login):
                return
        pause, limits = refused.pause, self._limits
        if pause is None or pause > limits.pause or self._tries >= limits.tries:
            raise refused.error from refused.__cause__
        await self._clock.sleep(pause or Backoff(_FIRST_PAUSE, limits.pause).after(self._tries))
