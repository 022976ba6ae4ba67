"""Watches over real TLS: how they resume, and every way they end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
from aiohttp import web

from planes.kube.api import Change, Query
from planes.kube.client.client import Client
from planes.kube.client.request import RequestLimits
from planes.kube.errors import Expired
from planes.kube.informers.reflector import Reflector
from planes.kube.resources import PODS
from planes.model.errors import Denied, JsonObject, PlanesError, Unavailable
from planes.run.clock import SystemClock
from tests.support.kube.scripted_api import (
    ScriptedApi,
    client_of,
    event,
    refuses,
    says,
    status_object,
    streams,
)
from tests.support.kube.view import View


@pytest.fixture
async def client(api: ScriptedApi) -> AsyncIterator[Client]:
    async with client_of(api) as made:
        yield made


def pod(name: str, version: str) -> JsonObject:
    return {"metadata": {"name": name, "namespace": "shop", "resourceVersion": version}}


def bookmark(version: str) -> bytes:
    return event("BOOKMARK", {"kind": "Pod", "metadata": {"resourceVersion": version}})


async def follow(
    client: Client, query: Query | None = None
) -> tuple[list[str], PlanesError | None]:
    """Return the changes of a watch as `KIND version`, and the error it ended with."""
    seen: list[str] = []

    def see(change: Change) -> None:
        seen.append(f"{change.kind} {change.obj['metadata']['resourceVersion']}")

    try:
        async with aclosing(client.watch(query or Query(PODS), "5")) as changes:
            async for change in changes:
                see(change)
    except PlanesError as error:
        return seen, error
    return seen, None


async def test_a_watch_tells_of_changes_to_its_end_in_good_order(
    api: ScriptedApi, client: Client
) -> None:
    lines = [event("ADDED", pod("a", "6")), event("DELETED", pod("a", "7")), bookmark("9")]
    api.then(streams(*lines))
    assert await follow(client) == (["ADDED 6", "DELETED 7", "BOOKMARK 9"], None)
    assert api.seen[0].query == {
        "watch": "1",
        "allowWatchBookmarks": "true",
        "resourceVersion": "5",
        "timeoutSeconds": "300",
    }


async def test_lines_may_come_in_any_pieces(api: ScriptedApi, client: Client) -> None:
    whole = event("ADDED", pod("a", "6")) + b"\n" + event("MODIFIED", pod("a", "7"))
    pieces = [whole[at : at + 11] for at in range(0, len(whole), 11)]
    api.then(streams(*pieces))
    assert await follow(client) == (["ADDED 6", "MODIFIED 7"], None)


async def test_a_watch_of_metadata_and_selectors_asks_for_them(
    api: ScriptedApi, client: Client
) -> None:
    api.then(streams())
    await follow(
        client, Query(PODS, "shop", labels="a=b", fields="spec.nodeName=n1", is_metadata_only=True)
    )
    assert api.seen[0].path == "/api/v1/namespaces/shop/pods"
    assert api.seen[0].query["fieldSelector"] == "spec.nodeName=n1"
    assert api.seen[0].headers["Accept"].endswith("as=PartialObjectMetadata;g=meta.k8s.io;v=v1")


async def test_an_expired_version_may_be_told_by_status_or_by_event(
    api: ScriptedApi, client: Client
) -> None:
    api.then(refuses(410, "Expired"), streams(event("ERROR", status_object(410, "Expired", "old"))))
    for _ in range(2):
        seen, error = await follow(client)
        assert seen == []
        assert isinstance(error, Expired)


@pytest.mark.parametrize(
    ("code", "error"), [(500, Unavailable), (403, Unavailable), ("x", Unavailable)]
)
async def test_any_other_error_event_is_unavailable(
    api: ScriptedApi, client: Client, code: int, error: type[PlanesError]
) -> None:
    api.then(streams(bookmark("6"), event("ERROR", status_object(code, "Broken", "it broke"))))
    seen, caught = await follow(client)
    assert seen == ["BOOKMARK 6"]
    assert type(caught) is error
    assert str(caught).startswith("cannot watch pods: it broke")


async def test_a_watch_that_is_denied_says_so(api: ScriptedApi, client: Client) -> None:
    api.then(refuses(403, "Forbidden", 'User "x" cannot watch'))
    _, error = await follow(client)
    assert isinstance(error, Denied)
    assert error.remedy == "ask for a role that may watch pods"


async def test_a_silent_stream_ends_after_the_idle_time(api: ScriptedApi) -> None:
    api.then(streams(bookmark("6"), 0.7, bookmark("7"), 0.7, bookmark("8"), 15.0))
    limits = RequestLimits(connect=5.0, total=5.0, idle=1.2)
    async with client_of(api, limits=limits) as client:
        seen, error = await follow(client)
    assert seen == ["BOOKMARK 6", "BOOKMARK 7", "BOOKMARK 8"]
    assert error is None


async def test_a_server_that_does_not_begin_to_answer_is_given_up(api: ScriptedApi) -> None:
    async def late(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(5)
        return web.Response()

    api.then(late)
    async with client_of(api, limits=RequestLimits(total=0.2, idle=60)) as client:
        _, error = await follow(client)
        assert isinstance(error, Unavailable)


@pytest.mark.parametrize("is_cut", [True, False])
async def test_a_stream_that_ends_in_the_middle_of_a_line_is_unavailable(
    api: ScriptedApi, client: Client, is_cut: bool
) -> None:
    api.then(streams(bookmark("6"), event("ADDED", pod("a", "7"))[:20], is_cut=is_cut))
    seen, error = await follow(client)
    assert seen == ["BOOKMARK 6"]
    assert isinstance(error, Unavailable)


async def test_an_event_of_megabytes_is_read(api: ScriptedApi, client: Client) -> None:
    large = {**pod("a", "6"), "data": "x" * (3 << 20)}
    api.then(streams(event("ADDED", large)))
    assert await follow(client) == (["ADDED 6"], None)


async def test_an_event_without_end_is_given_up(api: ScriptedApi) -> None:
    api.then(streams(*[b"x" * 4000] * 4, 5.0))
    async with client_of(api, limits=RequestLimits(line=10_000, idle=5)) as client:
        _, error = await follow(client)
        assert isinstance(error, Unavailable)
        assert "larger than 10000 bytes" in error.message


@pytest.mark.parametrize(
    "line",
    [b"{\n", b"[]\n", b'{"type":"ADDED"}\n', event("NEWS", pod("a", "6")), event("ADDED", {})],
)
async def test_what_is_no_event_is_unavailable(
    api: ScriptedApi, client: Client, line: bytes
) -> None:
    api.then(streams(line))
    _, error = await follow(client)
    assert isinstance(error, Unavailable)


async def test_a_watching_resumes_from_the_bookmark_over_the_wire(
    api: ScriptedApi, client: Client
) -> None:
    listed = {"metadata": {"resourceVersion": "5"}, "items": [pod("a", "3")]}
    api.then(
        says(listed),
        streams(event("ADDED", pod("b", "6")), bookmark("40"), is_cut=True),
        streams(event("DELETED", pod("b", "41")), 5.0),
    )
    view = View()
    reflector = Reflector(client, Query(PODS), view, clock=SystemClock(), randomness=lambda: 0.0)
    task = asyncio.create_task(reflector.run())
    while "drop b" not in view.calls:
        await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task])
    assert view.objects == {"shop/a": "3"}
    assert [seen.query.get("resourceVersion") for seen in api.seen] == [None, "5", "40"]


async def test_who_stops_following_closes_the_connection(api: ScriptedApi, client: Client) -> None:
    ended = asyncio.Event()

    async def endless(request: web.Request) -> web.StreamResponse:
        try:
            return await streams(bookmark("6"), 20.0)(request)
        finally:
            ended.set()

    api.then(endless)
    async with aclosing(client.watch(Query(PODS), "5")) as changes:
        await anext(changes)
    async with asyncio.timeout(5):
        await ended.wait()


async def test_a_stream_whose_framing_breaks_ends(api: ScriptedApi, client: Client) -> None:
    """Whatever aiohttp makes of it: its own timeouts end with the connection."""

    async def framed_wrongly(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        await response.write(event("ADDED", pod("a", "6")))
        await asyncio.sleep(0.05)
        assert request.transport is not None
        request.transport.write(b"no length\r\n")
        request.transport.close()
        return response

    api.then(framed_wrongly)
    async with asyncio.timeout(3):
        seen, _ = await follow(client)
    assert seen == ["ADDED 6"]
