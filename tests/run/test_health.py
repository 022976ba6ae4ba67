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

from planes.run.clock import Clock
from planes.run.logs import bind, configure, note
from planes.run.metrics import START_SECONDS, Metrics, serve
from tests.support.clock import FakeClock


@asynccontextmanager
async def served(
    unready: Callable[[], str] | None,
    problems: Callable[[], str] | None = None,
    clock: Clock | None = None,
) -> AsyncIterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    serving = serve(Metrics(), "127.0.0.1", port, unready=unready, problems=problems, clock=clock)
    task = asyncio.create_task(serving)
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
async def test_liveness_is_200_whether_ready_or_not(path: str) -> None:
    async with served(lambda: "not yet") as url:
        assert await get(url + path) == (200, "ok\n")


async def test_ready_gives_the_reason_against_it() -> None:
    reasons = ["not yet", ""]
    async with served(lambda: reasons.pop(0)) as url:
        assert await get(url + "/readyz") == (503, "not yet\n")
        assert await get(url + "/readyz") == (200, "ok\n")


async def test_who_asks_whether_it_has_started_is_answered_once_it_is_ready() -> None:
    """Nobody who waits for that finds it unready, which kubelet would make a warning of."""
    reasons = ["planes are not read", "no certificate", "", ""]
    async with served(lambda: reasons.pop(0)) as url:
        assert await get(f"{url}/startz") == (200, "ok\n")
        assert reasons == [""]


async def test_what_does_not_get_ready_counts_as_started_all_the_same() -> None:
    """A restart would not help: what is missing is the API server's to give."""
    clock = FakeClock()
    async with served(lambda: "no API server", clock=clock) as url:
        asked = asyncio.create_task(get(f"{url}/startz"))
        for _ in range(100):
            await asyncio.sleep(0.01)
            if clock.sleepers:
                break
        assert not asked.done()
        clock.advance(START_SECONDS)
        assert (await asked)[0] == 200
        assert (await get(f"{url}/startz"))[0] == 200
        assert (await get(f"{url}/readyz"))[0] == 503


async def test_what_is_wrong_is_listed_to_this_machine_s_own_programs_alone() -> None:
    """It names objects of tenants, and every pod of a cluster may reach the port."""
    async with served(lambda: "", lambda: "Plane/bad: cannot use it\n") as url:
        assert await get(f"{url}/problems") == (200, "Plane/bad: cannot use it\n")
        connector = aiohttp.TCPConnector(local_addr=("127.0.0.6", 0))
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.get(f"{url}/problems") as response,
        ):
            assert response.status == 404
            assert "Plane/bad" not in await response.text()


async def test_who_lists_no_problems_has_no_such_path() -> None:
    async with served(lambda: "") as url:
        assert (await get(f"{url}/problems"))[0] == 404


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
