"""Heavy reviews, one at a time: who waits for the lane, and who has to go when too many do.

Invariant: those that wait never hold every connection of the port, and of them no source has all
the places while another asks for one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from planes.run.listening.crowd import Crowd, Guest, Stage, source_of
from webhook.bodies import crowded

_PLACES: Final = 16


class Lane:
    """A turn for each heavy review."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._crowd = Crowd(_PLACES, lambda _: None)

    @asynccontextmanager
    async def turn(self, address: str) -> AsyncIterator[None]:
        """Wait for one's turn; the block is the turn.

        Args:
            address: where the review comes from.

        Raises:
            RefusedError: too many wait.
        """
        loop = asyncio.get_running_loop()
        until = asyncio.timeout(None)
        guest = Guest(source_of(address), loop.time(), Stage.WAITING)
        guest.end = lambda: until.reschedule(loop.time())
        if self._has_most(guest.source) or not self._crowd.admit(guest):
            raise crowded()
        try:
            try:
                async with until:
                    await self._lock.acquire()
            except TimeoutError:
                raise crowded() from None
            try:
                self._crowd.step(guest, Stage.ANSWERED, loop.time())
                yield
            finally:
                self._lock.release()
        finally:
            self._crowd.leave(guest)

    def _has_most(self, source: str) -> bool:
        """Report whether a newcomer would take the place of one from where it comes itself."""
        return len(self._crowd) >= _PLACES and all(one.source == source for one in self._crowd)
