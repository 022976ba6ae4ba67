"""Locks inside one event loop, one per key.

Invariant: first come, first served. A cancelled waiter leaves nothing behind, and a key is dropped
as soon as its lock is neither held nor awaited.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field


@dataclass(slots=True)
class _KeyLock:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0


class KeyedLocks:
    """One asyncio.Lock per key."""

    def __init__(self) -> None:
        self._entries: dict[Hashable, _KeyLock] = {}

    def __len__(self) -> int:
        """Count the keys whose lock is held or awaited."""
        return len(self._entries)

    def is_held(self, key: Hashable) -> bool:
        """Report whether the key's lock is held."""
        entry = self._entries.get(key)
        return entry is not None and entry.lock.locked()

    def hold(self, key: Hashable) -> AbstractAsyncContextManager[float]:
        """Hold the key's lock inside the block, which gets the seconds waited: 0 where it was free.

        Args:
            key: of the lock.
        """
        return _HeldKey(self._entries, key)


class _HeldKey:
    """Holds the lock of a key inside one block."""

    __slots__ = ("_entries", "_entry", "_key")

    def __init__(self, entries: dict[Hashable, _KeyLock], key: Hashable) -> None:
        self._entries = entries
        self._key = key

    async def __aenter__(self) -> float:
        entry = self._entries.get(self._key)
        if entry is None:
            entry = self._entries[self._key] = _KeyLock()
        self._entry = entry
        entry.users += 1
        try:
            if entry.users == 1:
                await entry.lock.acquire()
                return 0.0
            loop = asyncio.get_running_loop()
            begun = loop.time()
            await entry.lock.acquire()
            return loop.time() - begun
        except BaseException:
            self._leave()
            raise

    async def __aexit__(self, *_: object) -> None:
        self._entry.lock.release()
        self._leave()

    def _leave(self) -> None:
        self._entry.users -= 1
        if not self._entry.users:
            del self._entries[self._key]
