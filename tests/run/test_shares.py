"""Shares: no key takes so many places that another gets none, and nobody waits for a free one."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planes.run.shares import Shares


class Holders:
    """Tasks that hold a place until they are told to let go."""

    def __init__(self, shares: Shares) -> None:
        self._shares = shares
        self.inside: Counter[str] = Counter()
        self.tasks: list[asyncio.Task[None]] = []
        self.free = asyncio.Event()

    async def come(self, key: str, count: int) -> None:
        self.tasks += [asyncio.create_task(self._stay(key)) for _ in range(count)]
        await _turns()

    async def _stay(self, key: str) -> None:
        async with self._shares.hold(key):
            self.inside[key] += 1
            await self.free.wait()

    async def leave(self) -> None:
        self.free.set()
        await asyncio.wait_for(asyncio.gather(*self.tasks), 5)


async def _turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_one_key_alone_stops_well_below_the_limit_and_another_gets_in() -> None:
    holders = Holders(Shares(64))
    await holders.come("greedy", 200)
    assert holders.inside["greedy"] == 8
    await holders.come("modest", 4)
    assert holders.inside["modest"] == 4
    await holders.leave()


async def test_many_greedy_keys_leave_a_place_for_one_more() -> None:
    holders = Holders(Shares(64))
    for number in range(15):
        await holders.come(f"greedy{number}", 20)
    await holders.come("modest", 1)
    assert holders.inside["modest"] == 1
    assert sum(holders.inside.values()) <= 64
    await holders.leave()


async def test_waiters_get_places_as_they_are_released() -> None:
    shares = Shares(4, 1)
    done: list[int] = []

    async def work(number: int) -> None:
        async with shares.hold("one"):
            await asyncio.sleep(0)
            done.append(number)

    await asyncio.wait_for(asyncio.gather(*(work(number) for number in range(50))), 5)
    assert done == list(range(50))
    assert (len(shares), shares.waiting) == (0, 0)


@pytest.mark.parametrize("turns", [0, 1, 2])
async def test_a_cancelled_waiter_leaves_no_trace(turns: int) -> None:
    shares = Shares(1)

    async def visit(key: str) -> None:
        async with shares.hold(key):
            await asyncio.sleep(0)

    async with AsyncExitStack() as held:
        await held.enter_async_context(shares.hold("a"))
        waiting = [asyncio.create_task(visit(key)) for key in ("a", "b", "a")]
        await _turns()
        waiting[1].cancel()
        if turns:
            await asyncio.sleep(0)
    waiting[0].cancel()  # perhaps in the very turn that grants it
    await asyncio.gather(*waiting, return_exceptions=True)
    async with asyncio.timeout(1), shares.hold("c"):
        pass
    assert (len(shares), shares.waiting) == (0, 0)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), max_size=40))
def test_whatever_comes_and_is_cancelled_all_places_come_back(
    comings: list[tuple[str, int]],
) -> None:
    async def scene() -> None:
        shares = Shares(3, 1)

        async def visit(key: str, turns: int) -> None:
            async with shares.hold(key):
                assert len(shares) <= 3
                for _ in range(turns):
                    await asyncio.sleep(0)

        tasks = []
        for number, (key, turns) in enumerate(comings):
            tasks.append(asyncio.create_task(visit(key, turns)))
            if number % 3 == 2:
                await asyncio.sleep(0)
                tasks[number // 2].cancel()
        await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
        assert (len(shares), shares.waiting) == (0, 0)

    asyncio.run(scene())
