"""Answers with status 200 that no API server gives: of a proxy, a login page, a cut connection."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from planes.kube.api import Query
from planes.kube.client.client import Client
from planes.kube.client.listing import WHOLE_BYTES
from planes.kube.client.status_errors import NO_SERVER
from planes.kube.resources import PODS
from planes.model.errors import JsonObject, Unavailable
from tests.support.kube.scripted_api import ScriptedApi, client_of, says, streams

POD = {"metadata": {"name": "web", "namespace": "shop"}}
LARGE = {**POD, "spec": "x" * WHOLE_BYTES}


@pytest.fixture
async def client(api: ScriptedApi) -> AsyncIterator[Client]:
    async with client_of(api) as made:
        yield made


def listed(items: Any) -> JsonObject:
    return {"metadata": {"resourceVersion": "7"}, "items": items}


async def all_of(client: Client) -> list[JsonObject]:
    return [obj async for page in client.pages(Query(PODS)) for obj in page.items]


@pytest.mark.parametrize(
    "body",
    [
        b"<html>log in</html>",
        [],
        {},
        listed({"a": POD}),
        listed("web"),
        listed([POD, None]),
        listed([POD, 7]),
        listed([{"metadata": None}]),
        listed([{"metadata": {"name": 7}}]),
        listed([LARGE, {"spec": {}}]),
    ],
    ids=lambda body: str(body)[:60],
)
async def test_what_is_no_list_of_objects_is_an_error_that_says_where_to_look(
    api: ScriptedApi, client: Client, body: Any
) -> None:
    api.then(says(body))
    with pytest.raises(Unavailable, match="cannot list pods: the answer is not") as caught:
        await all_of(client)
    assert caught.value.remedy == NO_SERVER


@pytest.mark.parametrize("body", [b"<html>", [], {}, {"metadata": 7}], ids=str)
async def test_what_is_no_object_is_an_error_that_says_where_to_look(
    api: ScriptedApi, client: Client, body: Any
) -> None:
    api.then(says(body))
    with pytest.raises(Unavailable, match="the answer is not") as caught:
        await client.get(PODS, "web", namespace="shop")
    assert caught.value.remedy == NO_SERVER


async def test_a_list_without_items_is_empty(api: ScriptedApi, client: Client) -> None:
    api.then(says(listed(None)))
    assert await all_of(client) == []


async def test_a_connection_that_is_cut_is_said_in_words(api: ScriptedApi, client: Client) -> None:
    api.then(streams(b'{"metadata":', is_cut=True))
    with pytest.raises(Unavailable) as caught:
        await all_of(client)
    assert caught.value.message == "cannot list pods: the answer ended half-way"
