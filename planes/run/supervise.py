"""Named services of one process: started together, drained in order, one line on failure.

Invariant: whatever ends first (a signal, a failure), every service is cancelled and awaited
before `supervise` returns. A service drains on its first cancellation and must abort on the
second, which comes when the deadline has passed.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from planes.model.errors import PlanesError

Service = Callable[[], Awaitable[None]]

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)

_log = logging.getLogger(__name__)


class Supervisor:
    """Runs named services until a signal, a failure or `stop`.

    Args:
        services: in order of start; stopped in reverse order, so those that others need stop last.
        drain_seconds: how long all of them together may take to drain.
        signals: stop all services; none leaves the process's handlers alone (tests).
        on_stop: called once, when stopping begins.
    """

    def __init__(
        self,
        services: Mapping[str, Service],
        *,
        drain_seconds: float = 10.0,
        signals: Sequence[signal.Signals] = SIGNALS,
        on_stop: Callable[[], None] = lambda: None,
    ) -> None:
        self._on_stop = on_stop
        self._services = dict(services)
        self._drain_seconds = drain_seconds
        self._signals = tuple(signals)
        self._stop = asyncio.Event()
        self._failed = ""

    def stop(self) -> None:
        """Ask all services to drain and end."""
        self._stop.set()

    async def run(self) -> int:
        """Run all services; return the exit status: 0 after a stop, 1 after a failure."""
        loop = asyncio.get_running_loop()
        for number in self._signals:
            loop.add_signal_handler(number, self._on_signal, number)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = {
                    name: group.create_task(self._guard(name, service), name=name)
                    for name, service in self._services.items()
                }
                await self._until_end(tasks)
        finally:
            for number in self._signals:
                loop.remove_signal_handler(number)
        return 1 if self._failed else 0

    def _on_signal(self, number: signal.Signals) -> None:
        _log.info("stopping", extra={"signal": number.name})
        self._stop.set()

    async def _guard(self, name: str, service: Service) -> None:
        try:
            await service()
        except asyncio.CancelledError:
            # It was stopped; an outer cancellation still reaches `run` itself.
            return
        except Exception as error:
            if self._failed:
                _log.warning("service failed while stopping", exc_info=True, extra={"part": name})
            else:
                self._failed = name
                # A PlanesError says all that a trace could; any other is a bug.
                is_bug = not isinstance(error, PlanesError)
                facts = {"part": name} if is_bug else {"part": name, "reason": str(error)}
                _log.error("service failed", exc_info=is_bug, extra=facts)
            self._stop.set()

    async def _until_end(self, tasks: Mapping[str, asyncio.Task[None]]) -> None:
        waiter = asyncio.ensure_future(self._stop.wait())
        pending = set(tasks.values())
        try:
            while pending and not self._stop.is_set():
                done, _ = await asyncio.wait(
                    {waiter, *pending}, return_when=asyncio.FIRST_COMPLETED
                )
                pending -= done
        finally:
            waiter.cancel()
        self._on_stop()
        await self._drain(tasks)

    async def _drain(self, tasks: Mapping[str, asyncio.Task[None]]) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._drain_seconds
        for name, task in reversed(list(tasks.items())):
            if task.done():
                continue
            task.cancel()
            await asyncio.wait({task}, timeout=max(0.0, deadline - loop.time()))
            if not task.done():
                _log.warning("service did not drain in time", extra={"part": name})
                task.cancel()


async def supervise(
    services: Mapping[str, Service],
    *,
    drain_seconds: float = 10.0,
    signals: Sequence[signal.Signals] = SIGNALS,
    on_stop: Callable[[], None] = lambda: None,
) -> int:
    """Run services until a signal or the first failure; return the exit status of the process."""
    return await Supervisor(
        services, drain_seconds=drain_seconds, signals=signals, on_stop=on_stop
    ).run()
