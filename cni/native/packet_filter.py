"""Changes of the host's packet filter as steps, for all types that have rules.

The tools are programs, and wait for the xtables lock, which another program may hold for seconds.
So they run in the pool of threads that wait, and only a few at once: removals of links have places
there too. Invariant: changes for one sandbox are made one after the other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

from cni.native.steps import Awaited
from cni.net.execute import Tools
from cni.net.kernel import Kernel
from cni.net.workers import Worker
from cni.plugins.plugin import Call
from planes.run.locks import KeyedLocks

T = TypeVar("T")

_MOST_AT_ONCE: Final = 4


class PacketFilter:
    """The packet filter of one host.

    Args:
        kernel: has the threads in the host's namespace.
        tools: the host's packet filter tools.

    Attributes:
        tools: see above.
    """

    def __init__(self, kernel: Kernel, tools: Tools) -> None:
        self.tools = tools
        self._kernel = kernel
        self._sandboxes = KeyedLocks()
        self._places = asyncio.Semaphore(_MOST_AT_ONCE)

    def change(
        self, call: Call, work: Callable[[], T], reverse: Callable[[], object] | None = None
    ) -> Awaited[T]:
        """Return the step that carries out blocking work; see `run`.

        Args:
            call: of the sandbox whose changes wait for each other.
            work: where it raises, it leaves nothing.
            reverse: undoes it.
        """
        carry_out = partial(self.run, call.container_id, work, reverse)
        if reverse is None:
            return Awaited(carry_out)

        async def take_back(_done: T) -> None:
            await self.run(call.container_id, reverse)

        return Awaited(carry_out, take_back)

    async def run(
        self,
        container_id: str,
        work: Callable[[], T],
        reverse: Callable[[], object] | None = None,
    ) -> T:
        """Carry out blocking work in a thread of the host's namespace.

        Args:
            container_id: of the sandbox whose changes wait for each other.
            work: where it raises, it leaves nothing.
            reverse: undoes it where the caller is cancelled meanwhile.

        Raises:
            PlanesError: the work fails.
        """
        undo = None if reverse is None else partial(_ignore_arguments, reverse)
        async with self._sandboxes.hold(container_id), self._places:
            return await self._kernel.run(lambda _worker: work(), undo=undo, waits=True)


def _ignore_arguments(work: Callable[[], object], _worker: Worker, _done: object) -> None:
    work()
