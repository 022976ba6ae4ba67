"""Clients that send half a request, garbage or nothing: the server goes on, and it stops."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.cni.serving import call_headers, client, running
from tests.support.cni.verbs import FakeVerbs

CONF = b'{"cniVersion":"1.0.0","name":"net","type":"netplane"}'
HALF = b"POST /v1/cni HTTP/1.1\r\nHost: x\r\nCni-Command: ADD\r\nContent-Length: 100\r\n\r\n{"
BAD = [
    b"\x16\x03\x01\x02\x00\x01\x00",
    b"GET\r\n\r\n",
    b"POST /v1/cni HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    b"POST /v1/cni HTTP/1.1\r\nHost: x\r\nA: " + b"x" * 200_000 + b"\r\n\r\n",
    b"POST /v1/cni HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"POST /v1/cni HTTP/1.1\r\nHost: x\r\nCni-Ifname: a\0b\r\nContent-Length: 0\r\n\r\n",
    b"POST /v1/cni HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
]


async def send(path: Path, data: bytes) -> bytes:
    """Send bytes, close our side, and read what comes."""
    reader, writer = await asyncio.open_unix_connection(path)
    with contextlib.suppress(ConnectionError):
        writer.write(data)
        await writer.drain()
        writer.write_eof()
        answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    return answer


async def serves(path: Path) -> bool:
    async with client(path) as http:
        answer = await http.post("/v1/cni", data=CONF, headers=call_headers("ADD"))
        return answer.headers["Cni-Exit"] == "0"


@pytest.mark.parametrize("data", BAD)
async def test_bad_http_is_refused_and_no_call_is_made(tmp_path: Path, data: bytes) -> None:
    verbs = FakeVerbs()
    async with running(verbs, tmp_path / "s"):
        answer = await send(tmp_path / "s", data)
        assert verbs.requests == []
        assert b"Traceback" not in answer
        assert b"Cni-Exit: 0" not in answer
        assert await serves(tmp_path / "s")


async def test_a_request_cut_in_the_middle_is_no_call(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    verbs = FakeVerbs()
    async with running(verbs, tmp_path / "s"):
        _, writer = await asyncio.open_unix_connection(tmp_path / "s")
        writer.write(HALF)
        await asyncio.sleep(0.05)
        writer.transport.abort()
        await asyncio.sleep(0.05)
        assert await serves(tmp_path / "s")
    assert len(verbs.requests) == 1
    assert not [record for record in caplog.records if record.exc_info]


async def test_clients_that_say_nothing_do_not_hold_up_the_end(tmp_path: Path) -> None:
    async with running(FakeVerbs(), tmp_path / "s", drain=3600.0):
        silent = [await asyncio.open_unix_connection(tmp_path / "s") for _ in range(3)]
        silent[0][1].write(HALF)
        await asyncio.sleep(0.05)
        started = time.monotonic()
    assert time.monotonic() - started < 5
    for _, writer in silent:
        writer.transport.abort()


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.binary(max_size=40) | st.binary(max_size=20).map(lambda b: HALF[:40] + b), max_size=4
    )
)
def test_any_bytes_leave_it_serving(tmp_path: Path, pieces: list[bytes]) -> None:
    async def scenario() -> None:
        async with running(FakeVerbs(), tmp_path / "s"):
            for piece in pieces:
                await send(tmp_path / "s", piece)
            assert await serves(tmp_path / "s")

    asyncio.run(scenario())
