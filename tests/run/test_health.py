"""Health beside the metrics: alive while the loop turns, ready while nothing is said against it."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from io import StringIO

import aiohttp
import pytest

from planes.run.logs import bind, configure, note
from planes.run.metrics import Metrics, serve


@asynccontextmanager
async def served(unready: Callable[[], str] | None) -> AsyncIterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    task = asyncio.create_task(serve(Metrics(), "127.0.0.1", port, unready=unready))
    for _ in range(200):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionError:
            await asyncio.sleep(0.01)
        else:
            writer.close()
            await writer.wait_closed()
            break
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def get(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.text()


@pytest.mark.parametrize("path", ["/healthz", "/livez"])
async def test_alive_whether_ready_or_not(path: str) -> None:
    async with served(lambda: "not yet") as url:
        assert await get(url + path) == (200, "ok\n")


async def test_ready_gives_the_reason_against_it() -> None:
    reasons = ["not yet", ""]
    async with served(lambda: reasons.pop(0)) as url:
        assert await get(url + "/readyz") == (503, "not yet\n")
        assert await get(url + "/readyz") == (200, "ok\n")


async def test_without_a_readiness_there_are_metrics_alone() -> None:
    async with served(None) as url:
        assert (await get(url + "/readyz"))[0] == 404
        assert (await get(url + "/metrics"))[0] == 200


def test_what_is_noted_is_on_every_line_to_the_end_of_the_block() -> None:
    stream = StringIO()
    handler = configure("info", stream)
    try:
        with bind(verb="ADD"):
            note(uid="u1")
            logging.getLogger("x").info("inside")
        logging.getLogger("x").info("outside")
    finally:
        logging.getLogger().removeHandler(handler)
    inside, outside = stream.getvalue().splitlines()
    assert '"uid":"u1"' in inside
    assert '"uid"' not in outside
