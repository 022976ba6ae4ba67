"""The locks of calls: one call per sandbox, and a bounded number of calls at work.

Lock order, always: the sandbox's lock, then a slot, then what plugins wait for (a turn to run a
binary, a network's lock, an address). There is one lock per sandbox: verbs, GC, the reconciler and
the spool take the same. An ADD holds it from the first spooled DEL of its sandbox to its own end;
those DELs run inside it and do not take it again (`cni.serving.protocol.SandboxVerbs`).

Invariant: a call that waits for its sandbox holds no slot, so one busy sandbox does not block the
others. Slots bound work, not waiting: a call gives its slot back when it runs a binary
(`cni.plugins.plugin_turns` bounds those), and when it has not ended after a while, since it then
waits for something (an API server, a lock). Slots are shared fairly between namespaces: one that
creates many pods at once leaves half of what is free to the others. Each queue is first come, first
served.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

from planes.run.locks import KeyedLocks
from planes.run.shares import Shares

WORK_SECONDS: Final = 1.0  # a native ADD takes some 10 ms


class _Slot:
    """One slot, held inside a block until it is given back or its time is over."""

    __slots__ = ("_container_id", "_is_held", "_key", "_seconds", "_shares", "_slots", "_timer")

    def __init__(
        self,
        slots: dict[str, _Slot],
        shares: Shares,
        container_id: str,
        namespace: str,
        seconds: float,
    ) -> None:
        self._slots = slots
        self._shares = shares
        self._container_id = container_id
        self._key = namespace or container_id
        self._seconds = seconds
        self._is_held = False

    async def __aenter__(self) -> float:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        waited = 0.0
        if not self._shares.try_take(self._key):
            await self._shares.take(self._key)
            waited = loop.time() - begun
        self._is_held = True
        self._timer = loop.call_at(begun + waited + self._seconds, self.give_back)
        self._slots[self._container_id] = self
        return waited

    async def __aexit__(self, *_: object) -> None:
        del self._slots[self._container_id]
        self.give_back()

    def give_back(self) -> None:
        if self._is_held:
            self._is_held = False
            self._timer.cancel()
            self._shares.give_back(self._key)


class CallLocks:
    """The locks and slots of calls.

    Args:
        limit: most ADDs and CHECKs at work at once; as many DELs and GCs may be, too.
        seconds: how long a call counts as being at work.
    """

    def __init__(self, limit: int, seconds: float = WORK_SECONDS) -> None:
        self._sandboxes = KeyedLocks()
        self._attaching = Shares(limit, 1)
        self._detaching = Shares(limit, 1)
        self._seconds = seconds
        self._slots: dict[str, _Slot] = {}

    def __len__(self) -> int:
        """Count the sandboxes whose lock is held or awaited."""
        return len(self._sandboxes)

    def is_busy(self, container_id: str) -> bool:
        """Report whether the lock of a sandbox is held."""
        return self._sandboxes.is_held(container_id)

    @asynccontextmanager
    async def call(
        self, container_id: str, namespace: str = "", *, attaches: bool = False
    ) -> AsyncIterator[None]:
        """Hold the sandbox's lock and a slot inside the block; see `slot`."""
        async with (
            self.sandbox(container_id),
            self.slot(container_id, namespace, attaches=attaches),
        ):
            yield

    def sandbox(self, container_id: str) -> AbstractAsyncContextManager[float]:
        """Hold the sandbox's lock inside the block, without a slot; yield the seconds waited."""
        return self._sandboxes.hold(container_id)

    def slot(
        self, container_id: str, namespace: str = "", *, attaches: bool = False
    ) -> AbstractAsyncContextManager[float]:
        """Hold a slot inside the block, with the sandbox's lock held; yield the seconds waited.

        Args:
            container_id: the sandbox.
            namespace: the pod's, "" where it is not known.
            attaches: it is an ADD or a CHECK; DEL and GC have slots of their own.
        """
        shares = self._attaching if attaches else self._detaching
        return _Slot(self._slots, shares, container_id, namespace, self._seconds)

    def step_aside(self, container_id: str) -> None:
        """Release the slot of a sandbox's call early: from here on it mostly waits."""
        slot = self._slots.get(container_id)
        if slot is not None:
            slot.give_back()
