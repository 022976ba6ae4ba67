"""Peers that wait for the start keep no other peer out, and cost nothing once disconnected.

Every pod of a cluster may reach the webhook's metrics port, every user of a node the daemon's. A
container whose startup probe is turned away ten times is killed, so a few peers could have kept it
from ever starting.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from planes.run.metrics import BOUNDS, START_SECONDS
from tests.run.test_health import get, served
from tests.support.clock import FakeClock

MORE = BOUNDS.connections + 4


@asynccontextmanager
async def waiting_peers(url: str, clock: FakeClock) -> AsyncIterator[list[asyncio.StreamWriter]]:
    """More peers than there are places, each of which has asked whether the process has started."""
    writers: list[asyncio.StreamWriter] = []
    try:
        for number in range(MORE):
            _, writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
            writers.append(writer)
            writer.write(b"GET /startz HTTP/1.1\r\nHost: x\r\n\r\n")
            await until_waiting(clock, min(number + 1, BOUNDS.connections))
        yield writers
    finally:
        for writer in writers:
            writer.close()


async def until_waiting(clock: FakeClock, count: int) -> None:
    for _ in range(500):
        if clock.sleepers >= count:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came to that")


async def test_peers_that_wait_for_the_start_keep_no_probe_out() -> None:
    clock = FakeClock()
    async with served(lambda: "no API server", clock=clock) as url, waiting_peers(url, clock):
        assert await get(f"{url}/livez") == (200, "ok\n")
        assert (await get(f"{url}/readyz"))[0] == 503


async def test_nothing_waits_for_the_start_on_behalf_of_a_peer_that_has_gone() -> None:
    clock = FakeClock()
    async with served(lambda: "no API server", clock=clock) as url:
        async with waiting_peers(url, clock):
            pass
        for _ in range(50):
            clock.advance(START_SECONDS / 100)
            await asyncio.sleep(0.01)
        assert not clock.sleepers
