"""Locks: the order of waiters, and that a cancelled waiter leaves no trace."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from planes.run.locks import KeyedLocks


class Diary:
    """Writes down who is inside, in order."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.inside = 0
        self.most_inside = 0

    async def stay(self, name: str) -> None:
        self.lines.append(f"+{name}")
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        await asyncio.sleep(0.001)
        self.inside -= 1
        self.lines.append(f"-{name}")


async def test_one_key_is_held_by_one_at_a_time_in_order() -> None:
    locks, diary = KeyedLocks(), Diary()

    async def visit(name: str) -> None:
        async with locks.hold("k"):
            await diary.stay(name)

    await asyncio.gather(*(visit(name) for name in "abc"))
    assert diary.lines == ["+a", "-a", "+b", "-b", "+c", "-c"]


async def test_different_keys_do_not_wait_for_each_other() -> None:
    locks, diary = KeyedLocks(), Diary()

    async def visit(key: int) -> None:
        async with locks.hold(key):
            await diary.stay(str(key))

    await asyncio.gather(*(visit(key) for key in range(3)))
    assert diary.most_inside == 3


async def test_keys_are_forgotten_when_nobody_needs_them() -> None:
    locks = KeyedLocks()
    async with locks.hold("k"):
        assert locks.is_held("k")
        assert len(locks) == 1
    assert not locks.is_held("k")
    assert len(locks) == 0


async def test_a_waiter_cancelled_at_a_key_leaves_no_trace() -> None:
    locks, diary = KeyedLocks(), Diary()

    async def visit() -> None:
        async with locks.hold("k"):
            await diary.stay("late")

    async with locks.hold("k"):
        waiter = asyncio.create_task(visit())
        await asyncio.sleep(0)
        waiter.cancel()
        with suppress(asyncio.CancelledError):
            await waiter
    assert (len(locks), diary.lines) == (0, [])
