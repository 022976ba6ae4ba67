"""Keys are handled once each, one at a time, and later where they failed."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from planes.model.errors import Unavailable
from tests.support.clock import FakeClock
from webhook.controller.queue import WorkQueue


@contextlib.asynccontextmanager
async def running(
    handle: Callable[[str], Awaitable[bool]], clock: FakeClock
) -> AsyncIterator[WorkQueue[str]]:
    queue: WorkQueue[str] = WorkQueue(handle, clock, randomness=lambda: 1.0)
    task = asyncio.ensure_future(queue.run())
    try:
        yield queue
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_key_added_many_times_is_handled_once() -> None:
    seen: Counter[str] = Counter()

    async def handle(key: str) -> bool:
        seen[key] += 1
        return False

    async with running(handle, FakeClock()) as queue:
        for _ in range(10):
            queue.add("a")
        queue.add("b")
        await settle()
    assert seen == {"a": 1, "b": 1}


async def test_a_key_added_while_it_is_handled_is_handled_again_but_not_at_once() -> None:
    gate, busy, most = asyncio.Event(), Counter[str](), Counter[str]()

    async def handle(key: str) -> bool:
        busy[key] += 1
        most[key] = max(most[key], busy[key])
        await gate.wait()
        busy[key] -= 1
        most["handled"] += 1
        return False

    async with running(handle, FakeClock()) as queue:
        queue.add("a")
        await settle()
        queue.add("a")
        queue.add("a")
        await settle()
        gate.set()
        await settle()
    assert (most["a"], most["handled"]) == (1, 2)


async def test_a_failing_key_waits_longer_each_time_and_holds_up_nobody() -> None:
    clock, times, others = FakeClock(), list[float](), list[str]()

    async def handle(key: str) -> bool:
        if key != "bad":
            others.append(key)
            return False
        times.append(clock.monotonic())
        raise Unavailable("cannot")

    async with running(handle, clock) as queue:
        queue.add("bad")
        await settle()
        queue.add("good")
        await settle()
        assert others == ["good"]
        for _ in range(300):
            clock.advance(0.5)
            await settle()
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert gaps == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0]


async def test_reminders_do_not_hasten_a_key_that_failed_nor_add_to_its_tries() -> None:
    clock, times = FakeClock(), list[float]()

    async def handle(_: str) -> bool:
        times.append(clock.monotonic())
        raise Unavailable("cannot")

    async with running(handle, clock) as queue:
        for _ in range(600):
            queue.remind("bad")
            await settle()
            clock.advance(1.0)
            await settle()
    assert len(times) <= 16  # 8 until the delay is longest, then one a minute


async def test_a_change_hastens_a_key_that_failed() -> None:
    tries = 0

    async def handle(_: str) -> bool:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise Unavailable("cannot")
        return True

    clock = FakeClock()
    async with running(handle, clock) as queue:
        queue.add("a")
        await settle()
        queue.add("a")
        await settle()
        assert tries == 2
        clock.advance(60)
        await settle()
    assert tries == 2


async def test_a_change_that_fails_again_waits_anew_and_once() -> None:
    clock, times = FakeClock(), list[float]()

    async def handle(_: str) -> bool:
        times.append(clock.monotonic())
        raise Unavailable("cannot")

    async with running(handle, clock) as queue:
        begun = clock.monotonic()
        for _ in range(2):
            queue.add("a")
            await settle()
        for _ in range(5):
            clock.advance(0.25)
            await settle()
    assert [each - begun for each in times] == [0, 0, 1.0]


async def test_a_look_that_breaks_is_logged_and_ends_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    seen: list[str] = []

    async def handle(key: str) -> bool:
        seen.append(key)
        if len(seen) == 1:
            raise KeyError("a bug")
        return False

    clock = FakeClock()
    async with running(handle, clock) as queue:
        queue.add("a")
        queue.add("b")
        await settle()
        clock.advance(1)
        await settle()
    assert seen == ["a", "b", "a"]
    assert [each.message for each in caplog.records if each.exc_info] == ["look failed"]


async def test_a_write_that_is_undone_each_time_is_repeated_ever_less_often() -> None:
    clock, writes = FakeClock(), 0

    async def handle(key: str) -> bool:
        nonlocal writes
        writes += 1
        queue.add(key)  # undone at once
        return True

    async with running(handle, clock) as queue:
        queue.add("a")
        for _ in range(3600):
            await settle()
            clock.advance(1.0)
        assert writes < 80


async def test_many_other_writes_do_not_reset_the_backoff_of_a_key() -> None:
    clock, writes = FakeClock(), Counter[str]()

    async def handle(key: str) -> bool:
        writes[key] += 1
        return True

    async with running(handle, clock) as queue:
        for _ in range(10):
            queue.add("contested")
            await settle()
        assert writes["contested"] == 5
        for number in range(5000):
            queue.add(f"other-{number}")
        while sum(writes.values()) < 5005:
            await settle()
        clock.advance(0.5)  # the first wait is over: the writes it held back come once
        await settle()
        for _ in range(10):
            queue.add("contested")
            await settle()
        assert writes["contested"] == 6
