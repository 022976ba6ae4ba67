"""Light reviews on the event loop: a slice of each of its turns, shared out fairly between sources.

A review of 9 KB can take 70 ms to judge, and 300 connections can send one after the other: whoever
else asked was answered after 15 s, or not at all. So no more is judged in one turn of the event
loop than a slice of time allows (one review at least), and what is left over waits in fair order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final, TypeVar

from planes.run.fair_order import FairOrder
from planes.run.listening.crowd import Crowd, Guest, Stage, source_of
from webhook.bodies import crowded

T = TypeVar("T")

_SLICE_SECONDS: Final = 0.002


@dataclass(slots=True, eq=False)
class _Waiting:
    guest: Guest
    work: Callable[[], Any]
    is_wanted: Callable[[], bool]
    done: asyncio.Future[Any]


class Turns:
    """Has work done, in its turn.

    Args:
        places: how much may wait; then one of the source goes of which most does.
    """

    def __init__(self, places: int) -> None:
        self._crowd = Crowd(places, lambda _: None)
        self._order: FairOrder[_Waiting] = FairOrder()
        self._spent = 0.0  # in this turn of the event loop

    async def run(self, address: str, work: Callable[[], T], is_wanted: Callable[[], bool]) -> T:
        """Do some work: at once where there is time for it, else in its turn.

        Args:
            address: where it comes from.
            work: waits for nothing; what it raises is raised here.
            is_wanted: asked before work that had to wait: is anybody still there?

        Raises:
            RefusedError: too much waits.
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
                asyncio.get_running_loop().call_soon(self._go_on)
            self._spent += perf_counter() - started

    def _put(self, source: str, work: Callable[[], Any], is_wanted: Callable[[], bool]) -> _Waiting:
        loop = asyncio.get_running_loop()
        guest = Guest(source, loop.time(), Stage.WAITING)
        waiting = _Waiting(guest, work, is_wanted, loop.create_future())
        waiting.guest.end = lambda: self._refuse(waiting)
        self._crowd.admit(waiting.guest)  # who waits is never being answered: there is room
        self._order.push(source, waiting)
        return waiting

    def _drop(self, waiting: _Waiting) -> None:
        self._order.discard(waiting.guest.source, waiting)
        self._crowd.leave(waiting.guest)

    def _refuse(self, waiting: _Waiting) -> None:
        if not waiting.done.done():
            waiting.done.set_exception(crowded())
        self._order.discard(waiting.guest.source, waiting)

    def _go_on(self) -> None:
        """Begin with a new slice: a turn of the event loop has passed."""
        self._spent = 0.0
        while len(self._order) and self._spent < _SLICE_SECONDS:
            source, waiting = self._order.pop()
            self._crowd.leave(waiting.guest)
            started = perf_counter()
            _carry_out(waiting)
            seconds = perf_counter() - started
            self._spent += seconds
            self._order.charge(source, seconds)
        if self._spent:
            asyncio.get_running_loop().call_soon(self._go_on)


def _carry_out(waiting: _Waiting) -> None:
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
