"""Requests that are not HTTP: they fill no log, and the answer names no software."""

from __future__ import annotations

import asyncio

import pytest

from planes.cli.demo.programs import free_port
from planes.run.metrics import Metrics, serve
from tests.support.log_text import log_of
from tests.support.store import FakeStore
from tests.support.webhook.admission import HOST, hooked

GARBLED = [
    b"GET http://[ HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    b"\x00\xff / \r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
]


@pytest.mark.parametrize("data", GARBLED)
async def test_peer_that_speaks_no_http_writes_nothing_into_the_log(data: bytes) -> None:
    """Each such request was a traceback, with the peer's own 8 KB: 2 MB a second of log."""
    with log_of() as stream:
        async with hooked(FakeStore()) as hook:
            for _ in range(3):
                peer = await hook.connect()
                peer.writer.write(data)
                reply = await peer.reply()
                assert reply.status == 400
                assert data[5:20] not in reply.body
                assert await peer.is_closed()
            assert hook.metric("refusals_total", reason="http") == 3
        assert "Traceback" not in stream.getvalue()
        assert len(stream.getvalue()) < 1024


REQUESTS = [
    GARBLED[0],
    b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /secret HTTP/1.1\r\nHost: x\r\n\r\n",
    b"PUT /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
]


@pytest.mark.parametrize("data", REQUESTS)
async def test_peer_is_not_told_what_admission_is_made_with(data: bytes) -> None:
    async with hooked(FakeStore()) as hook:
        peer = await hook.connect()
        peer.writer.write(data)
        told = str((await peer.reply()).headers).lower()
        assert "aiohttp" not in told
        assert "python" not in told


@pytest.mark.parametrize("data", REQUESTS)
async def test_peer_is_not_told_what_the_metrics_port_is_made_with(data: bytes) -> None:
    port = free_port()
    serving = asyncio.create_task(serve(Metrics(), HOST, port, unready=lambda: ""))
    try:
        async with asyncio.timeout(20):
            while True:
                try:
                    reader, writer = await asyncio.open_connection(HOST, port)
                    break
                except OSError:
                    await asyncio.sleep(0.01)
            writer.write(data)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            writer.close()
        assert b"aiohttp" not in head
        assert b"python" not in head
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
