"""A wrong API server, or a proxy before it: answers that are cut off or too large are refused."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest
from aiohttp import web

from planes.kube.api import Query
from planes.kube.client.client import Client
from planes.kube.client.listing import WHOLE_BYTES
from planes.kube.resources import NADS, PODS, Resource
from planes.model.errors import JsonObject, PlanesError, Unavailable
from tests.support.kube.scripted_api import Answer, ScriptedApi, client_of, scripted_api

MEBIBYTE = 1 << 20


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[ScriptedApi]:
    async with scripted_api(tmp_path) as made:
        yield made


@pytest.fixture
async def client(api: ScriptedApi) -> AsyncIterator[Client]:
    async with client_of(api) as made:
        yield made


def until_its_end(data: bytes, headers: bytes = b"") -> Answer:
    """Answer without a length: the end of the connection is the end of the answer."""

    async def answer(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
        request.transport.write(head + headers + b"\r\n" + data)
        request.transport.close()

        await asyncio.Event().wait()  # cancelled with the connection
        return web.Response()

    return answer


def listed(count: int, size: int) -> bytes:
    """Return a list as an API server writes it: its metadata first."""
    items = [
        {"metadata": {"name": f"o{number}", "namespace": "shop", "annotations": {"a": "x" * size}}}
        for number in range(count)
    ]
    return orjson.dumps({"kind": "List", "metadata": {"resourceVersion": "7"}, "items": items})


async def names(client: Client, resource: Resource) -> list[str]:
    found: list[JsonObject] = []
    async for page in client.pages(Query(resource)):
        found += page.items
    return [each["metadata"]["name"] for each in found]


KINDS = pytest.mark.parametrize(
    ("resource", "size"), [(NADS, 10), (PODS, WHOLE_BYTES // 8)], ids=["nads", "many pods"]
)


@KINDS
@pytest.mark.parametrize("cut", [2, 60, 400])
async def test_peer_that_cuts_a_list_makes_nothing_vanish(
    api: ScriptedApi, client: Client, resource: Resource, size: int, cut: int
) -> None:
    """What is not in a list is forgotten: NADs vanished, and pods were refused for want of them."""
    api.then(until_its_end(listed(10, size)[:-cut]))
    with pytest.raises(Unavailable, match="cannot list"):
        await names(client, resource)


@KINDS
async def test_peer_that_says_no_length_is_believed_where_the_list_is_whole(
    api: ScriptedApi, client: Client, resource: Resource, size: int
) -> None:
    api.then(until_its_end(listed(10, size) + b"\n"))
    assert await names(client, resource) == [f"o{number}" for number in range(10)]


async def test_peer_that_compresses_unasked_fills_no_memory(
    api: ScriptedApi, client: Client
) -> None:
    """256 MiB of zeros come as 256 KiB."""
    bomb = gzip.compress(bytes(256 * MEBIBYTE), 9)
    api.then(until_its_end(bomb, b"Content-Encoding: gzip\r\n"))
    tracemalloc.start()
    try:
        with pytest.raises(PlanesError):
            await client.get(PODS, "web-0", namespace="shop")
        assert tracemalloc.get_traced_memory()[1] < 32 * MEBIBYTE
    finally:
        tracemalloc.stop()
