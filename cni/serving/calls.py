"""Calls in flight: each is a task of the daemon, with a deadline, and ends in an `Answer`.

A client that disconnects does not cancel its call: half an ADD is of no use, and the runtime
follows a failed ADD with a DEL. Only the deadline and the end of the drain cancel a call, and then
it is awaited until its rollback is over.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from cni.call import CniRequest
from cni.serving.protocol import Answer, refusal, versions
from planes.model.errors import Internal, PlanesError, Unavailable
from planes.model.wire.cniversion import Verb
from planes.run.clock import Clock
from planes.run.logs import bind

Observe = Callable[[str, int, float], None]
"""Called after each call: verb, CNI error code (0: none), seconds."""

Work = Callable[[CniRequest], Awaitable[bytes]]

_logger: Final = logging.getLogger(__name__)
# How long a cancelled call may roll back; then how long once no plugin binary runs any more.
UNDO_SECONDS: Final = 4.0
HALT_SECONDS: Final = 2.0
# The shim waits 60 s for a DEL, then spools it, and 10 s for a STATUS: our answer comes before.
_SHORTER: Final = {Verb.DEL: 55.0, Verb.STATUS: 8.0}


class Calls:
    """Carries out calls and tracks which are in flight.

    Args:
        clock: measures calls.
        observe: called after each call.
        deadline: seconds a call may take; below the 240 s that the shim waits.
        halt: kills all plugin binaries, and refuses to start any more.
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
        self._tasks: set[asyncio.Task[object]] = set()

    def __len__(self) -> int:
        """Count the calls in flight."""
        return len(self._tasks)

    async def carry_out(self, request: CniRequest, work: Work) -> Answer:
        """Carry out a call under its deadline; it goes on if the caller is cancelled meanwhile."""
        if request.verb is Verb.VERSION:
            return versions()
        task = asyncio.create_task(self._observed(request, work), name=f"cni-{request.verb}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def carry_out_here(self, request: CniRequest, work: Work) -> Answer:
        """Carry out a call under its deadline in the calling task, which only `drain` cancels."""
        if request.verb is Verb.VERSION:
            return versions()
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("cannot carry out a call outside of a task")
        self._tasks.add(task)
        try:
            return await self._observed(request, work)
        finally:
            self._tasks.discard(task)

    async def drain(self, seconds: float) -> None:
        """Wait for the calls in flight; after the time given, cancel them and await their rollback.

        A rollback may hang as the call did: after a timeout all plugin binaries are killed, and
        none is started any more. What is left then is in the journal, for the next start. When the
        drain itself is cancelled, the calls are cancelled at once.
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
    then = {Verb.ADD: "; what was begun is undone", Verb.DEL: "; what is left is tried again"}
    return Unavailable(
        f"cannot finish {verb} within {limit:g} s{then.get(verb, '')}",
        remedy="read the log of netplane-cni for what it waited for",
    )


def _internal(verb: Verb) -> PlanesError:
    return Internal(
        f"cannot carry out {verb}: internal error",
        remedy="read the log of netplane-cni, and report it",
    )
