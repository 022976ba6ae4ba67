"""Heavy reviews are judged in turn; the queue is bounded, and no source fills it."""

from __future__ import annotations

import asyncio

import pytest

from webhook.heavy_reviews import HeavyReviews
from webhook.request_bodies import RefusedError

PLACES = 16


async def queued(reviews: HeavyReviews, source: str, log: list[str], go: asyncio.Event) -> None:
    async with reviews.turn(source):
        log.append(source)
        await go.wait()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_of_one_source_no_more_wait_than_there_are_places() -> None:
    reviews, log, go = HeavyReviews(), list[str](), asyncio.Event()
    tasks = [asyncio.create_task(queued(reviews, "10.0.0.1", log, go)) for _ in range(PLACES)]
    await settle()
    with pytest.raises(RefusedError, match="too many"):
        await queued(reviews, "10.0.0.1", log, go)
    assert log == ["10.0.0.1"]
    go.set()
    await asyncio.gather(*tasks)
    assert len(log) == PLACES


async def test_a_newcomer_of_another_source_takes_the_place_of_the_last_in_the_queue() -> None:
    reviews, log, go = HeavyReviews(), list[str](), asyncio.Event()
    tasks = [asyncio.create_task(queued(reviews, "10.0.0.1", log, go)) for _ in range(PLACES)]
    await settle()
    other = asyncio.create_task(queued(reviews, "10.0.0.2", log, go))
    await settle()
    with pytest.raises(RefusedError, match="too many"):
        await tasks[-1]
    go.set()
    await asyncio.gather(other, *tasks[:-1])
    assert log.count("10.0.0.2") == 1
    async with reviews.turn("10.0.0.1"):  # nobody is left in it
        pass


async def test_who_gives_up_while_it_waits_leaves_the_lane_free() -> None:
    reviews, log, go = HeavyReviews(), list[str](), asyncio.Event()
    first = asyncio.create_task(queued(reviews, "10.0.0.1", log, go))
    await settle()
    second = asyncio.create_task(queued(reviews, "10.0.0.1", log, go))
    await settle()
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    go.set()
    await first
    async with asyncio.timeout(5), reviews.turn("10.0.0.1"):
        log.append("again")
    assert log == ["10.0.0.1", "again"]
