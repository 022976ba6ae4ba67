"""Who may go on: one call per sandbox, a bounded number at work, what leaves beside what comes.

Lock order, always: sandbox, then a slot. A call that waits for its sandbox holds no slot, so one
busy sandbox cannot keep the others out. Slots bound work, not waiting: a call gives its slot away
when it runs a binary (`cni.programs` bounds those), and when it has not ended after a while, since
it then waits for somebody (an API server, a lock). Namespaces share them: one that creates many
pods at once leaves half of what is free to the others. Each queue is first come, first served.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from planes.run.locks import KeyedLocks
from planes.run.shares import Shares

WORK_SECONDS: Final = 1.0  # a native ADD takes some 10 ms


class _Slot:
    """One of the slots, until it is given back or its time is over."""

    def __init__(self, slots: Shares, key: str) -> None:
        self._slots = slots
        self._key = key
        self._is_held = False

    async def take(self, seconds: float) -> None:
        await self._slots.take(self._key)
        self._is_held = True
        self._timer = asyncio.get_running_loop().call_later(seconds, self.give_back)

    def give_back(self) -> None:
        if self._is_held:
            self._is_held = False
            self._timer.cancel()
            self._slots.give_back(self._key)


class Gate:
    """Admits calls.

    Args:
        limit: most calls that attach or check at work at once; as many may detach beside them.
        seconds: how long a call counts as being at work.
    """

    def __init__(self, limit: int, seconds: float = WORK_SECONDS) -> None:
        self._sandboxes = KeyedLocks()
        self._attaching = Shares(limit, 1)
        self._leaving = Shares(limit, 1)
        self._seconds = seconds
        self._slots: dict[str, _Slot] = {}

    def __len__(self) -> int:
        """Count the sandboxes with a call in flight or waiting."""
        return len(self._sandboxes)

    def is_busy(self, container_id: str) -> bool:
        """Tell whether a call of the sandbox is being carried out."""
        return self._sandboxes.is_held(container_id)

    @asynccontextmanager
    async def call(
        self, container_id: str, namespace: str = "", *, attaches: bool = False
    ) -> AsyncIterator[None]:
        """Carry out a call of a sandbox inside the block.

        Args:
            container_id: the sandbox.
            namespace: whose pod it is, as far as is known.
            attaches: it may attach (or looks at what is attached), so it keeps nobody from leaving.
        """
        async with self._sandboxes.hold(container_id):
            slot = _Slot(self._attaching if attaches else self._leaving, namespace or container_id)
            await slot.take(self._seconds)
            self._slots[container_id] = slot
            try:
                yield
            finally:
                del self._slots[container_id]
                slot.give_back()

    @asynccontextmanager
    async def aside(self, container_id: str) -> AsyncIterator[None]:
        """Work on a sandbox inside the block, beside all calls but its own: it takes no slot."""
        async with self._sandboxes.hold(container_id):
            yield

    def step_aside(self, container_id: str) -> None:
        """Give the slot of a sandbox's call away: from here on it waits more than it works."""
        slot = self._slots.get(container_id)
        if slot is not None:
            slot.give_back()
