"""Heavy reviews, answered one at a time: a queue that is bounded and fair between sources.

Invariant: waiting reviews never hold every connection of the port, and no source has all places of
the queue while another needs one. Next is the source that has used the least time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from planes.run.fair_order import FairOrder
from planes.run.listening.peers import Peer, PeerStage, PeerTable, source_of
from webhook.request_bodies import overloaded

_PLACES: Final = 16


class HeavyReviews:
    """Runs heavy reviews one after the other."""

    def __init__(self) -> None:
        self._order: FairOrder[asyncio.Future[None]] = FairOrder()
        self._is_busy = False
        self._peers = PeerTable(_PLACES, lambda _: None)

    @asynccontextmanager
    async def turn(self, address: str) -> AsyncIterator[None]:
        """Wait for a review's turn, which lasts until the block ends.

        Args:
            address: the peer that sent it.

        Raises:
            RefusedError: too many wait.
        """
        loop = asyncio.get_running_loop()
        until = asyncio.timeout(None)
        peer = Peer(source_of(address), loop.time(), PeerStage.WAITING)
        peer.end = lambda: until.reschedule(loop.time())
        if self._fills_queue(peer.source) or not self._peers.add(peer):
            raise overloaded()
        try:
            try:
                async with until:
                    await self._wait_in_queue(peer.source)
            except TimeoutError:
                raise overloaded() from None
            started = loop.time()
            try:
                self._peers.set_stage(peer, PeerStage.ANSWERED, started)
                yield
            finally:
                self._order.charge(peer.source, loop.time() - started)
                self._start_next()
        finally:
            self._peers.remove(peer)

    async def _wait_in_queue(self, source: str) -> None:
        if not self._is_busy:
            self._is_busy = True
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._order.push(source, turn)
        try:
            await turn
        except asyncio.CancelledError:
            self._order.discard(source, turn)
            if turn.done() and not turn.cancelled():  # its turn came with the cancellation
                self._start_next()
            raise

    def _start_next(self) -> None:
        while len(self._order):
            _, turn = self._order.pop()
            if not turn.done():
                turn.set_result(None)
                return
        self._is_busy = False

    def _fills_queue(self, source: str) -> bool:
        """Report whether the queue is full of reviews from one source."""
        return len(self._peers) >= _PLACES and all(one.source == source for one in self._peers)
