"""Locks for one event loop: one per key, and one that many share or one has alone.

Invariant: both are fair (first come, first served) and a cancelled waiter leaves no trace.
`KeyedLocks` forgets a key as soon as nobody holds or awaits it, so it never grows.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Entry:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0


class KeyedLocks:
    """A mutual exclusion per key."""

    def __init__(self) -> None:
        self._entries: dict[Hashable, _Entry] = {}

    def __len__(self) -> int:
        """Count the keys that somebody holds or awaits."""
        return len(self._entries)

    def is_held(self, key: Hashable) -> bool:
        """Tell whether somebody holds the key now."""
        entry = self._entries.get(key)
        return entry is not None and entry.lock.locked()

    @asynccontextmanager
    async def hold(self, key: Hashable) -> AsyncIterator[None]:
        """Hold the key's lock inside the block."""
        entry = self._entries.setdefault(key, _Entry())
        entry.users += 1
        try:
            async with entry.lock:
                yield
        finally:
            entry.users -= 1
            if not entry.users:
                del self._entries[key]


@dataclass(slots=True, eq=False)
class _Waiter:
    granted: asyncio.Future[None]
    is_exclusive: bool


class SharedLock:
    """A lock that many hold together (`shared`) or one holds alone (`exclusive`).

    Waiters are served in order: an exclusive one is not starved by later shared ones.
    """

    def __init__(self) -> None:
        self._shared = 0
        self._is_exclusive = False
        self._waiters: deque[_Waiter] = deque()

    @asynccontextmanager
    async def shared(self) -> AsyncIterator[None]:
        """Hold the lock together with others."""
        await self._acquire(is_exclusive=False)
        try:
            yield
        finally:
            self._shared -= 1
            self._grant()

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[None]:
        """Hold the lock alone."""
        await self._acquire(is_exclusive=True)
        try:
            yield
        finally:
            self._is_exclusive = False
            self._grant()

    async def _acquire(self, *, is_exclusive: bool) -> None:
        waiter = _Waiter(asyncio.get_running_loop().create_future(), is_exclusive)
        self._waiters.append(waiter)
        self._grant()
        try:
            await waiter.granted
        except asyncio.CancelledError:
            self._withdraw(waiter)
            raise

    def _withdraw(self, waiter: _Waiter) -> None:
        if waiter in self._waiters:
            self._waiters.remove(waiter)
        elif waiter.is_exclusive:  # granted in the same turn as it was cancelled
            self._is_exclusive = False
        else:
            self._shared -= 1
        self._grant()

    def _grant(self) -> None:
        while self._waiters and not self._is_exclusive:
            if self._waiters[0].is_exclusive and self._shared:
                return
            waiter = self._waiters.popleft()
            if waiter.is_exclusive:
                self._is_exclusive = True
            else:
                self._shared += 1
            if not waiter.granted.done():
                waiter.granted.set_result(None)
