"""Heavy reviews take turns; who waits is bounded, and no source keeps another out."""

from __future__ import annotations

import asyncio

import pytest

from webhook.bodies import RefusedError
from webhook.lane import Lane

PLACES = 16


async def queued(lane: Lane, source: str, log: list[str], go: asyncio.Event) -> None:
    async with lane.turn(source):
        log.append(source)
        await go.wait()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_of_one_source_no_more_wait_than_there_are_places() -> None:
    lane, log, go = Lane(), list[str](), asyncio.Event()
    tasks = [asyncio.create_task(queued(lane, "10.0.0.1", log, go)) for _ in range(PLACES)]
    await settle()
    with pytest.raises(RefusedError, match="too many"):
        await queued(lane, "10.0.0.1", log, go)
    assert log == ["10.0.0.1"]
    go.set()
    await asyncio.gather(*tasks)
    assert len(log) == PLACES


async def test_a_newcomer_of_another_source_takes_the_place_of_the_last_in_the_queue() -> None:
    lane, log, go = Lane(), list[str](), asyncio.Event()
    tasks = [asyncio.create_task(queued(lane, "10.0.0.1", log, go)) for _ in range(PLACES)]
    await settle()
    other = asyncio.create_task(queued(lane, "10.0.0.2", log, go))
    await settle()
    with pytest.raises(RefusedError, match="too many"):
        await tasks[-1]
    go.set()
    await asyncio.gather(other, *tasks[:-1])
    assert log.count("10.0.0.2") == 1
    async with lane.turn("10.0.0.1"):  # nobody is left in it
        pass


async def test_who_gives_up_while_it_waits_leaves_the_lane_free() -> None:
    lane, log, go = Lane(), list[str](), asyncio.Event()
    first = asyncio.create_task(queued(lane, "10.0.0.1", log, go))
    await settle()
    second = asyncio.create_task(queued(lane, "10.0.0.1", log, go))
    await settle()
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    go.set()
    await first
    async with asyncio.timeout(5), lane.turn("10.0.0.1"):
        log.append("again")
    assert log == ["10.0.0.1", "again"]
