"""Logs are JSON lines with context and without secrets; each registry of metrics is apart."""

from __future__ import annotations

import asyncio
import datetime
import io
import json
import logging
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planes.model.errors import Unavailable
from planes.run import logs
from planes.run.metrics import CONTENT_TYPE, Metrics, serve
from tests.support.clock import FakeClock


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    level = root.level
    stream = io.StringIO()
    handler = logs.configure("info", stream)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_has_time_level_event_logger_and_facts(stream: io.StringIO) -> None:
    logging.getLogger("cni.x").info("attached", extra={"interface": "net1", "path": object})
    (line,) = lines(stream)
    assert line["ts"].endswith("Z")
    assert (line["level"], line["event"], line["logger"]) == ("info", "attached", "cni.x")
    assert line["interface"] == "net1"


def test_context_is_bound_inside_the_block_only(stream: io.StringIO) -> None:
    with logs.bind(sandbox="c1"), logs.bind(verb="ADD"):
        logging.getLogger("x").info("in")
    logging.getLogger("x").info("out")
    inside, outside = lines(stream)
    assert (inside["sandbox"], inside["verb"]) == ("c1", "ADD")
    assert "sandbox" not in outside


def test_secrets_are_masked_and_facts_cannot_forge_a_line(stream: io.StringIO) -> None:
    extra = {"api_token": "x", "Password": "y", "event": "forged", "text": 'a\n{"level":"error"}'}
    logging.getLogger("x").info("real", extra=extra)
    (line,) = lines(stream)
    assert (line["api_token"], line["Password"]) == ("***", "***")
    assert (line["event"], line["event_"]) == ("real", "forged")


@given(
    st.dictionaries(
        st.text("abc", min_size=1, max_size=3).map(lambda name: f"x_{name}"),
        st.recursive(
            st.text() | st.integers() | st.booleans() | st.none() | st.sampled_from(["\udcff"]),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner),
            max_leaves=8,
        ),
        max_size=4,
    )
)
def test_any_fact_is_in_its_line_as_it_is(facts: dict[str, Any]) -> None:
    """Also half a character, as in a path that is not UTF-8, and numbers of any size."""
    record = logging.makeLogRecord({"msg": "m", "levelname": "INFO", **facts})
    line = json.loads(logs.JsonFormatter().format(record))
    assert {name: line[name] for name in facts} == facts


def test_a_fact_of_another_type_is_its_text(stream: io.StringIO) -> None:
    extra = {"seen": {"b"}, "at": datetime.date(2026, 1, 2), "paths": [Path("/run")]}
    logging.getLogger("x").info("odd", extra=extra)
    (line,) = lines(stream)
    assert (line["seen"], line["at"], line["paths"]) == ("{'b'}", "2026-01-02", ["/run"])


def test_an_exception_is_in_its_line(stream: io.StringIO) -> None:
    error = OSError("no disk")
    logging.getLogger("x").error("failed", exc_info=error)
    (line,) = lines(stream)
    assert line["error"] == "OSError: no disk"
    assert line["trace"].startswith("OSError")


def test_configuring_twice_does_not_write_twice(stream: io.StringIO) -> None:
    handler = logs.configure("warning", stream)
    logging.getLogger("x").warning("once")
    logging.getLogger().removeHandler(handler)
    assert len(lines(stream)) == 1


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ValueError, match="is none of debug"):
        logs.configure("loud", io.StringIO())


def test_two_sets_of_metrics_do_not_meet() -> None:
    for _ in range(2):
        metrics = Metrics()
        metrics.counter("reviews", "Reviews.", ["verdict"]).labels("allowed").inc()
        metrics.seconds("add", "Time of ADD.").observe(0.001)
        metrics.gauge("pods", "Pods.").set(3)
        text = metrics.render().decode()
        assert 'netplane_reviews_total{verdict="allowed"} 1.0' in text
        assert "netplane_add_seconds_count 1.0" in text
        assert "netplane_pods 3.0" in text
        assert "process_resident_memory_bytes" in text


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_metrics_are_served_until_cancelled() -> None:
    port = free_port()
    task = asyncio.create_task(serve(Metrics(), "127.0.0.1", port))
    async with aiohttp.ClientSession() as session:
        for _ in range(100):
            try:
                async with session.get(f"http://127.0.0.1:{port}/metrics") as response:
                    assert response.headers["Content-Type"] == CONTENT_TYPE
                    assert b"process_cpu" in await response.read()
                    break
            except aiohttp.ClientConnectorError:
                await asyncio.sleep(0.01)
        else:
            pytest.fail("never served")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_port_in_use_is_an_error_of_ours() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(Unavailable, match=r"cannot listen on 127\.0\.0\.1"):
            await serve(Metrics(), "127.0.0.1", taken.getsockname()[1])


async def test_the_fake_clock_wakes_sleepers_in_order() -> None:
    clock, woken = FakeClock(), list[int]()

    async def sleeper(seconds: int) -> None:
        await clock.sleep(seconds)
        woken.append(seconds)

    tasks = [asyncio.create_task(sleeper(seconds)) for seconds in (3, 1, 2)]
    await asyncio.sleep(0)
    clock.advance(2.5)
    await asyncio.sleep(0)
    assert woken == [1, 2]
    assert clock.sleepers == 1
    clock.advance(1)
    await asyncio.gather(*tasks)
    assert woken == [1, 2, 3]
