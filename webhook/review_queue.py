"""The queue of light reviews: a slice of each turn of the event loop, fair between sources.

A review of 9 KB can take 70 ms to answer, and 300 connections can send one after the other: other
peers were answered after 15 s, or not at all. So reviews get a slice of time in each turn of the
event loop (one review at least), and those that are left wait in fair order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final, TypeVar

from planes.run.fair_order import FairOrder
from planes.run.listening.peers import Peer, PeerStage, PeerTable, source_of
from webhook.request_bodies import overloaded

T = TypeVar("T")

_SLICE_SECONDS: Final = 0.002


@dataclass(slots=True, eq=False)
class _QueuedReview:
    peer: Peer
    work: Callable[[], Any]
    is_wanted: Callable[[], bool]
    done: asyncio.Future[Any]


class ReviewQueue:
    """Runs reviews on the event loop, in fair order.

    Args:
        places: how many may wait; then one of the source that has most of them is refused.
    """

    def __init__(self, places: int) -> None:
        self._peers = PeerTable(places, lambda _: None)
        self._order: FairOrder[_QueuedReview] = FairOrder()
        self._spent = 0.0  # in this turn of the event loop

    async def run(self, address: str, work: Callable[[], T], is_wanted: Callable[[], bool]) -> T:
        """Run a review: at once where the slice has time left, else in its turn.

        Args:
            address: the peer that sent it.
            work: answers it without awaiting anything; its errors are raised here.
            is_wanted: reports, after a wait, whether the peer is still connected.

        Raises:
            RefusedError: too many wait.
            CancelledError: it is not wanted any more.
        """
        if len(self._order) or self._spent >= _SLICE_SECONDS:
            waiting = self._put(source_of(address), work, is_wanted)
            try:
                done: T = await waiting.done
            finally:
                self._drop(waiting)
            return done
        started = perf_counter()
        try:
            return work()
        finally:
            if not self._spent:
                asyncio.get_running_loop().call_soon(self._run_slice)
            self._spent += perf_counter() - started

    def _put(
        self, source: str, work: Callable[[], Any], is_wanted: Callable[[], bool]
    ) -> _QueuedReview:
        loop = asyncio.get_running_loop()
        peer = Peer(source, loop.time(), PeerStage.WAITING)
        waiting = _QueuedReview(peer, work, is_wanted, loop.create_future())
        waiting.peer.end = lambda: self._refuse(waiting)
        self._peers.add(waiting.peer)  # places equal connections: there is room
        self._order.push(source, waiting)
        return waiting

    def _drop(self, waiting: _QueuedReview) -> None:
        self._order.discard(waiting.peer.source, waiting)
        self._peers.remove(waiting.peer)

    def _refuse(self, waiting: _QueuedReview) -> None:
        if not waiting.done.done():
            waiting.done.set_exception(overloaded())
        self._order.discard(waiting.peer.source, waiting)

    def _run_slice(self) -> None:
        """Run queued reviews for a new slice, in the next turn of the event loop."""
        self._spent = 0.0
        while len(self._order) and self._spent < _SLICE_SECONDS:
            source, waiting = self._order.pop()
            self._peers.remove(waiting.peer)
            started = perf_counter()
            _run(waiting)
            seconds = perf_counter() - started
            self._spent += seconds
            self._order.charge(source, seconds)
        if self._spent:
            asyncio.get_running_loop().call_soon(self._run_slice)


def _run(waiting: _QueuedReview) -> None:
    if waiting.done.done():
        return
    if not waiting.is_wanted():
        waiting.done.cancel()
        return
    try:
        result = waiting.work()
    except Exception as error:
        waiting.done.set_exception(error)
    else:
        waiting.done.set_result(result)
