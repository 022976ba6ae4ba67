"""Heavy reviews, one at a time: who waits for the lane, and who has to go when too many do.

Invariant: those that wait never hold every connection of the port, and of them no source has all
the places while another asks for one. Who is next has had least of the lane's time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from planes.run.fair_order import FairOrder
from planes.run.listening.crowd import Crowd, Guest, Stage, source_of
from webhook.bodies import crowded

_PLACES: Final = 16


class Lane:
    """A turn for each heavy review."""

    def __init__(self) -> None:
        self._order: FairOrder[asyncio.Future[None]] = FairOrder()
        self._is_taken = False
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
                    await self._come_up(guest.source)
            except TimeoutError:
                raise crowded() from None
            started = loop.time()
            try:
                self._crowd.step(guest, Stage.ANSWERED, started)
                yield
            finally:
                self._order.charge(guest.source, loop.time() - started)
                self._pass_on()
        finally:
            self._crowd.leave(guest)

    async def _come_up(self, source: str) -> None:
        if not self._is_taken:
            self._is_taken = True
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._order.push(source, turn)
        try:
            await turn
        except asyncio.CancelledError:
            self._order.discard(source, turn)
            if turn.done() and not turn.cancelled():  # it came up in the turn of the cancellation
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        while len(self._order):
            _, turn = self._order.pop()
            if not turn.done():
                turn.set_result(None)
                return
        self._is_taken = False

    def _has_most(self, source: str) -> bool:
        """Report whether a newcomer would take the place of one from where it comes itself."""
        return len(self._crowd) >= _PLACES and all(one.source == source for one in self._crowd)
