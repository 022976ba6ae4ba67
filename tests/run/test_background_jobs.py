"""Bounded background work, in which slow jobs do not delay others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest

from planes.run.background_jobs import BackgroundJobs, all_ended, ended_or_slow


class Works:
    """Jobs that wait until they are let go."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.ended: list[int] = []
        self.most = 0
        self.go = asyncio.Event()

    async def waits(self, number: int) -> None:
        self.begun.append(number)
        self.most = max(self.most, len(self.begun) - len(self.ended))
        try:
            await self.go.wait()
        finally:
            self.ended.append(number)

    async def quick(self, number: int) -> None:
        self.begun.append(number)
        self.ended.append(number)


@asynccontextmanager
async def jobs_in(**options: float) -> AsyncIterator[BackgroundJobs]:
    made = BackgroundJobs(**options)  # type: ignore[arg-type]  # the test names real parameters
    try:
        yield made
    finally:
        await made.close()
        assert len(made) == 0


async def test_no_more_jobs_than_slots_run_at_once() -> None:
    works = Works()
    async with jobs_in(slots=3, slow_seconds=60) as made:
        jobs = [made.start(number, partial(works.waits, number)) for number in range(9)]
        await asyncio.sleep(0.01)
        assert works.begun == [0, 1, 2]
        works.go.set()
        await all_ended(jobs)
    assert (works.most, sorted(works.ended)) == (3, list(range(9)))


async def test_jobs_that_hang_keep_no_other_from_its_turn() -> None:
    works = Works()
    async with jobs_in(slots=2, slow_seconds=0.01) as made:
        for number in range(10):
            made.start(number, partial(works.waits, number))
        async with asyncio.timeout(5):
            await all_ended([made.start("last", partial(works.quick, 99))])
        assert works.ended == [99]


async def _until_begun(works: Works, count: int) -> None:
    async with asyncio.timeout(10):
        while len(works.begun) < count:
            await asyncio.sleep(0.01)


async def test_beyond_a_number_slow_jobs_keep_their_slots() -> None:
    works = Works()
    async with jobs_in(slots=2, slow_seconds=0.001, most_slow=4) as made:
        for number in range(20):
            made.start(number, partial(works.waits, number))
        await _until_begun(works, 6)
        await asyncio.sleep(0.05)
        assert len(works.begun) == 6


async def test_a_key_has_one_job_at_a_time() -> None:
    works = Works()
    async with jobs_in() as made:
        first = made.start("a", partial(works.waits, 1))
        assert made.start("a", partial(works.waits, 2)) is first
        works.go.set()
        await ended_or_slow([first])
        await all_ended([made.start("a", partial(works.quick, 3))])
    assert works.begun == [1, 3]


async def test_who_waits_for_jobs_to_leave_does_not_wait_for_slow_ones() -> None:
    works = Works()
    async with jobs_in(slow_seconds=0.01) as made:
        async with asyncio.timeout(5):
            await ended_or_slow([made.start(1, partial(works.waits, 1))])
        assert works.ended == []


async def test_closing_ends_jobs_that_run_that_are_slow_and_that_wait() -> None:
    works = Works()
    made = BackgroundJobs(slots=1, slow_seconds=0.01, most_slow=1)
    for number in range(4):
        made.start(number, partial(works.waits, number))
    await _until_begun(works, 2)
    await made.close()
    assert sorted(works.begun) == sorted(works.ended) == [0, 1]
    assert len(made) == 0


async def test_what_a_job_raises_is_raised_where_it_is_awaited() -> None:
    async def raises() -> None:
        raise ValueError("bad")

    async with jobs_in() as made:
        with pytest.raises(ValueError, match="bad"):
            await all_ended([made.start(1, raises)])
