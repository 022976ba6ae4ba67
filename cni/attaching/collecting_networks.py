"""Keep ADD and GC of one network apart: ADD waits for a running GC, and cancels it after 1 s.

A plugin's GC releases everything that is not in its list of valid attachments (CNI spec 1.1.0,
GC). It could release what a concurrent ADD of the same network was just given. An ADD that began
before the GC is in the journal, hence in the list, and the GC need not wait for it. The ADD has
priority, since a pod waits for it, while the container runtime repeats GC.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, TypeVar

from planes.model.errors import Unavailable

T = TypeVar("T")

WAIT_SECONDS: Final = 1.0  # seconds


class CollectingNetworks:
    """The networks with a running GC, by name.

    Args:
        timeout: seconds that an ADD waits before it cancels the GC of its network.
    """

    def __init__(self, timeout: float = WAIT_SECONDS) -> None:
        self._timeout = timeout
        self._tasks: dict[str, set[asyncio.Task[object]]] = {}

    async def collect(self, name: str, work: Callable[[], Awaitable[T]]) -> T:
        """Run the GC of a network; `work` starts at once, so its list of valid ones is current.

        Raises:
            Unavailable: code 11; an ADD cancelled it.
        """
        task: asyncio.Task[T] = asyncio.ensure_future(_awaited(work()))
        running = self._tasks.setdefault(name, set())
        running.add(task)
        try:
            return await task
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            if caller is not None and caller.cancelling():
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

    def is_collecting(self, names: frozenset[str]) -> bool:
        """Report whether a GC of one of the networks runs."""
        return not names.isdisjoint(self._tasks)

    async def wait(self, names: Iterable[str]) -> None:
        """Wait until no GC of the networks runs; cancel those that exceed the timeout."""
        wanted = frozenset(names)
        while running := {
            task for name in wanted & self._tasks.keys() for task in self._tasks[name]
        }:
            _, left = await asyncio.wait(running, timeout=self._timeout)
            for task in left:
                task.cancel()
            if left:
                await asyncio.wait(left)
            await asyncio.sleep(0)  # `collect` removes the ended tasks in its own turn


async def _awaited(work: Awaitable[T]) -> T:
    return await work
