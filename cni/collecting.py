"""Which networks are being collected: an ADD of one waits for its GC, but not for long.

A plugin's GC gives back whatever it is not told is in use, and could take what an ADD of the same
network that begins meanwhile has just been given (CNI spec 1.1.0, GC). Calls that began before are
in the journal, and so in the list: none of them has to end first. GC is tried again by the
runtime and an ADD is waited for by a pod, so a GC that takes long gives way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, TypeVar

from planes.model.errors import Unavailable

T = TypeVar("T")

PATIENCE: Final = 1.0  # seconds


class Collecting:
    """The networks whose plugins collect now, by name.

    Args:
        patience: seconds that an ADD waits before it stops the GC of its network.
    """

    def __init__(self, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._tasks: dict[str, set[asyncio.Task[object]]] = {}

    async def collect(self, name: str, work: Callable[[], Awaitable[T]]) -> T:
        """Let plugins collect; `work` is begun at once, so that what it is given is still true.

        Raises:
            Unavailable: code 11; it was stopped in favour of an ADD.
        """
        task: asyncio.Task[T] = asyncio.ensure_future(_awaited(work()))
        running = self._tasks.setdefault(name, set())
        running.add(task)
        try:
            return await task
        except asyncio.CancelledError:
            me = asyncio.current_task()
            if me is not None and me.cancelling():
                task.cancel()
                raise
            raise Unavailable(
                f'cannot collect garbage of network "{name}": its plugin did not end while a '
                "sandbox waited to be attached",
                remedy="see what the plugin waits for; the runtime tries again",
            ) from None
        finally:
            running.discard(task)
            if not running:
                self._tasks.pop(name, None)

    def is_one_of(self, names: frozenset[str]) -> bool:
        """Tell whether one of the networks is being collected."""
        return not names.isdisjoint(self._tasks)

    async def give_way(self, names: Iterable[str]) -> None:
        """Wait until none of the networks is being collected; stop what takes longer."""
        wanted = frozenset(names)
        while running := {
            task for name in wanted & self._tasks.keys() for task in self._tasks[name]
        }:
            _, left = await asyncio.wait(running, timeout=self._patience)
            for task in left:
                task.cancel()
            if left:
                await asyncio.wait(left)
            await asyncio.sleep(0)  # who collected takes them off its list


async def _awaited(work: Awaitable[T]) -> T:
    return await work
