"""Who may go on: one call per sandbox, a bounded number in all, GC alone.

Lock order, always: sandbox, then the side of GC, then a slot. A call that waits for its sandbox
holds no slot, so one busy sandbox cannot keep the others out. Each queue is first come, first
served.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from planes.run.locks import KeyedLocks, SharedLock


class Gate:
    """Admits calls.

    Args:
        limit: most calls carried out at once.
    """

    def __init__(self, limit: int) -> None:
        self._sandboxes = KeyedLocks()
        self._collection = SharedLock()
        self._slots = asyncio.Semaphore(limit)
        self._aside: set[str] = set()

    def __len__(self) -> int:
        """Count the sandboxes with a call in flight or waiting."""
        return len(self._sandboxes)

    def is_busy(self, container_id: str) -> bool:
        """Tell whether a call of the sandbox is being carried out."""
        return self._sandboxes.is_held(container_id)

    @asynccontextmanager
    async def call(self, container_id: str) -> AsyncIterator[None]:
        """Carry out a call of a sandbox inside the block."""
        async with (
            self._sandboxes.hold(container_id),
            self._collection.shared(),
            self._slots,
        ):
            yield

    def is_aside(self, container_id: str) -> bool:
        """Tell whether `aside` is at work on a sandbox."""
        return container_id in self._aside

    @asynccontextmanager
    async def aside(self, container_id: str) -> AsyncIterator[None]:
        """Work on a sandbox inside the block beside all calls but its own.

        It takes no slot, and GC does not wait for it: GC passes such a sandbox over.
        """
        async with self._sandboxes.hold(container_id):
            async with self._collection.shared():
                self._aside.add(container_id)
            try:
                yield
            finally:
                self._aside.discard(container_id)

    @asynccontextmanager
    async def collection(self) -> AsyncIterator[None]:
        """Be alone inside the block: no ADD, DEL or CHECK runs (spec 1.1.0, GC)."""
        async with self._collection.exclusive():
            yield
