"""What a killed process leaves behind: no further request, no further file, at any point.

A process can be killed where it waits, and between two system calls of its work on files: an audit
hook of the interpreter stops the work there, and every later one of that process, also that of a
`finally`.

Invariant: one thread, one order. The same seed gives the same run.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from tests.support.clock import FakeClock

T = TypeVar("T")

_CALLS: Final = frozenset({"open", "os.link", "os.rename", "os.remove", "os.mkdir"})
_MOST_TURNS: Final = 100_000


class KilledError(BaseException):
    """The process that did this work is dead."""


@dataclass(slots=True)
class Process:
    """A daemon from its start to its end.

    Attributes:
        is_dead: it does nothing any more.
        dies_in: so many system calls on files later it is killed; -1 = not so.
    """

    is_dead: bool = False
    dies_in: int = -1


@dataclass(slots=True)
class Hook:
    """Kills processes amid their work on files; `install` it once in an interpreter.

    Attributes:
        process: whose work is carried out now.
    """

    process: Process | None = None
    is_installed: bool = field(default=False, init=False)

    def install(self) -> None:
        """Add it to the interpreter, for good."""
        if not self.is_installed:
            self.is_installed = True
            sys.addaudithook(self._look)

    def _look(self, event: str, _arguments: tuple[Any, ...]) -> None:
        process = self.process
        if process is None or event not in _CALLS:
            return
        if process.dies_in == 0:
            process.is_dead = True
        process.dies_in -= process.dies_in >= 0
        if process.is_dead:
            raise KilledError


class Loop(asyncio.SelectorEventLoop):
    """An event loop of one thread; what a dead process did last has no outcome.

    Args:
        hook: whose work is carried out.
    """

    def __init__(self, hook: Hook) -> None:
        super().__init__()
        self._hook = hook
        self.set_exception_handler(lambda _loop, _context: None)  # dead tasks are never awaited

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Any, *args: Any, context: Any = None
    ) -> Any:
        """Call back from work in the same thread, unless its process was killed amid it."""
        process = self._hook.process
        if process is not None and process.is_dead:
            return None
        return self.call_soon(callback, *args, context=context)

    async def settle(self) -> None:
        """Let everything run until it waits."""
        for _ in range(_MOST_TURNS):
            await asyncio.sleep(0)
            if not self._ready:  # type: ignore[attr-defined]
                return
        raise AssertionError("something spins: it never waits")


class Disk(Executor):
    """Carries out a process's work on files at once, in the calling thread."""

    def __init__(self, process: Process, hook: Hook) -> None:
        self._process = process
        self._hook = hook

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Do the work; that of a dead process never begins."""
        done: Future[T] = Future()
        if self._process.is_dead:
            return done
        self._hook.process = self._process
        try:
            done.set_result(fn(*args, **kwargs))
        finally:
            self._hook.process = None
        return done


class MachineClock:
    """A machine's clock, which may be wrong; a dead process never wakes.

    Args:
        clock: of the world.
        process: who sleeps.
        skew: seconds that this machine is ahead.
    """

    def __init__(self, clock: FakeClock, process: Process, skew: float) -> None:
        self._clock = clock
        self._process = process
        self._skew = skew

    def now(self) -> float:
        """Seconds since 1970, as this machine has them."""
        return self._clock.now() + self._skew

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._clock.sleep(seconds)
        await forever_if(self._process)


async def forever_if(process: Process) -> None:
    """Never return to a dead process."""
    if process.is_dead:
        await asyncio.get_running_loop().create_future()
