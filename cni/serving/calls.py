"""Calls in flight: tasks of the daemon, not of whoever asked.

A caller that goes away does not cancel its call: half an ADD helps nobody, and the runtime follows
a failed ADD with DEL. Only the deadline and the end of the drain cancel, and then the call is
awaited until it has undone what it began. Every call ends in an `Answer`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from cni.serving.protocol import Answer, refusal, versions
from cni.serving.request import CniRequest
from planes.model.errors import Internal, PlanesError, Unavailable
from planes.model.wire.cniversion import Verb
from planes.run.clock import Clock
from planes.run.logs import bind

Observe = Callable[[str, int, float], None]
"""Told of every call: verb, CNI error code (0: none), seconds."""

Work = Callable[[CniRequest], Awaitable[bytes]]

_logger: Final = logging.getLogger(__name__)
# What a cancelled call has for its undo; then what it has when no program runs any more.
UNDO_SECONDS: Final = 4.0
HALT_SECONDS: Final = 2.0
# The shim gives a DEL 60 s, then spools it, and a STATUS 10 s: it should see our answer instead.
_SHORTER: Final = {Verb.DEL: 55.0, Verb.STATUS: 8.0}


class Calls:
    """Carries out calls and knows which are in flight.

    Args:
        clock: measures calls.
        observe: told of every call.
        deadline: seconds a call may take; below the 240 s that the shim waits.
        halt: ends all programs, and lets none be started any more.
    """

    def __init__(
        self,
        clock: Clock,
        observe: Observe,
        deadline: float,
        halt: Callable[[], None] = lambda: None,
    ) -> None:
        self._halt = halt
        self._clock = clock
        self._observe = observe
        self._deadline = deadline
        self._tasks: set[asyncio.Task[Answer]] = set()

    def __len__(self) -> int:
        """Count the calls in flight."""
        return len(self._tasks)

    async def carry_out(self, request: CniRequest, work: Work) -> Answer:
        """Do the work of a call under its deadline, even if the caller is cancelled meanwhile."""
        if request.verb is Verb.VERSION:
            return versions()
        task = asyncio.create_task(self._observed(request, work), name=f"cni-{request.verb}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def drain(self, seconds: float) -> None:
        """Let the calls in flight end; after the time given, cancel them and await their undo.

        An undo may hang as the call did: it too is awaited for a while only, then no program is
        left or started any more. What is then left is in the journal, for the next start. A
        cancellation of the drain itself means: at once.
        """
        if self._tasks:
            _logger.info("waiting for calls in flight", extra={"calls": len(self._tasks)})
        try:
            if self._tasks:
                await asyncio.wait(set(self._tasks), timeout=seconds)
        finally:
            await self._cancel()

    async def _cancel(self) -> None:
        left = set(self._tasks)
        for task in left:
            task.cancel()
        if not left:
            return
        _logger.warning("cancelled calls in flight", extra={"calls": len(left)})
        _, left = await asyncio.wait(left, timeout=UNDO_SECONDS)
        if left:
            self._halt()
            _, left = await asyncio.wait(left, timeout=HALT_SECONDS)
        if left:
            _logger.error("calls do not end: the journal keeps them", extra={"calls": len(left)})

    async def _observed(self, request: CniRequest, work: Work) -> Answer:
        started = self._clock.monotonic()
        with bind(**request.facts):
            outcome = await self._outcome(request, work)
            seconds = self._clock.monotonic() - started
            took = round(seconds * 1000, 3)
            if isinstance(outcome, PlanesError):
                answer = refusal(outcome, request.cni_version)
                facts = {"code": answer.code, "ms": took, "reason": str(outcome)}
                _logger.warning("call failed", extra=facts)
            else:
                answer = Answer(outcome)
                # container runtimes ask for STATUS every few seconds
                level = logging.DEBUG if request.verb is Verb.STATUS else logging.INFO
                _logger.log(level, "call", extra={"ms": took})
        self._observe(request.verb, answer.code, seconds)
        return answer

    async def _outcome(self, request: CniRequest, work: Work) -> bytes | PlanesError:
        limit = min(self._deadline, _SHORTER.get(request.verb, self._deadline))
        deadline = asyncio.timeout(limit)
        try:
            async with deadline:
                return await work(request)
        except PlanesError as error:
            return error
        except Exception as error:
            if isinstance(error, TimeoutError) and deadline.expired():
                return _late(request.verb, limit)
            _logger.exception("cannot carry out the call")
            return _internal(request.verb)


def _late(verb: Verb, limit: float) -> PlanesError:
    return Unavailable(
        f"cannot finish {verb} within {limit:g} s; what was begun is undone",
        remedy="read the log of netplane-cni for what it waited for",
    )


def _internal(verb: Verb) -> PlanesError:
    return Internal(
        f"cannot carry out {verb}: internal error",
        remedy="read the log of netplane-cni, and report it",
    )
