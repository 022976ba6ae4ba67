"""The daemon's server on a real socket, and clients of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

from cni.serving.protocol import Verbs
from cni.serving.server import Server
from planes.run.clock import SystemClock


@contextlib.asynccontextmanager
async def running(verbs: Verbs, path: Path, **options: Any) -> AsyncIterator[asyncio.Task[None]]:
    """Serve inside the block; leaving it stops the server and waits for it."""
    started = asyncio.Event()
    server = Server(verbs, path, SystemClock(), **options)
    task = asyncio.create_task(server.run(started))
    waiting = asyncio.create_task(started.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    try:
        if not task.done():
            yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@contextlib.asynccontextmanager
async def client(path: Path) -> AsyncIterator[aiohttp.ClientSession]:
    """Make an HTTP client of the socket."""
    connector = aiohttp.UnixConnector(str(path))
    async with aiohttp.ClientSession("http://netplane", connector=connector) as session:
        yield session


def call_headers(verb: str, **more: str) -> dict[str, str]:
    """Return the headers of a call, as the shim sends them; "" takes one away."""
    headers = {
        "Cni-Command": verb,
        "Cni-Containerid": "c0ffee",
        "Cni-Netns": "/run/netns/x",
        "Cni-Ifname": "eth0",
        "Cni-Path": "/opt/cni/bin:/usr/lib/cni",
    }
    headers.update({f"Cni-{name.capitalize()}": value for name, value in more.items()})
    return {name: value for name, value in headers.items() if value}
