"""What answers in the place of an API server is not taken for objects."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from planes.kube.api import Query
from planes.kube.client.client import Client
from planes.kube.resources import PLANES
from planes.model.errors import PlanesError, Unavailable
from tests.support.kube.scripted_api import ScriptedApi, client_of, says


async def listed(client: Client) -> list[Any]:
    return [obj async for page in client.pages(Query(PLANES)) for obj in page.items]


@pytest.mark.parametrize(
    "item",
    [
        None,
        5,
        {},
        {"metadata": []},
        {"metadata": {}},
        {"metadata": {"name": 5}},
        {"metadata": {"name": ""}},
        {"metadata": {"name": "red\x1b[31m"}},
        {"metadata": {"name": "red", "namespace": "a\nb"}},
        {"metadata": {"name": "red", "labels": "x"}},
        {"metadata": {"name": "red", "annotations": ["x"]}},
    ],
)
async def test_an_item_that_is_no_object_with_a_name_is_said(api: ScriptedApi, item: Any) -> None:
    api.then(says({"metadata": {"resourceVersion": "7"}, "items": [item]}))
    async with client_of(api) as client:
        with pytest.raises(Unavailable) as caught:
            await listed(client)
    assert str(caught.value).startswith(
        "cannot list planes: the answer is not a list of objects; check the server's address"
    )


async def test_so_it_is_in_a_list_that_is_read_object_by_object(api: ScriptedApi) -> None:
    filler = [{"metadata": {"name": f"p{n}"}, "x": "x" * 1000} for n in range(1500)]
    answer = {"metadata": {"resourceVersion": "7"}, "items": [*filler, {"metadata": {"name": 5}}]}
    assert len(orjson.dumps(answer)) > 1 << 20
    api.then(says(answer))
    async with client_of(api) as client:
        with pytest.raises(Unavailable, match="is not a list of objects"):
            await listed(client)


@pytest.mark.parametrize("items", [{"a": 1}, {}, 5, "x"])
async def test_items_that_are_no_list_are_not_taken_for_an_empty_one(
    api: ScriptedApi, items: Any
) -> None:
    api.then(says({"metadata": {"resourceVersion": "7"}, "items": items}))
    async with client_of(api) as client:
        with pytest.raises(Unavailable, match="is not a list of objects"):
            await listed(client)


@pytest.mark.parametrize("found", [{}, {"items": []}, {"metadata": {"name": "blue"}}])
async def test_another_object_than_the_one_asked_for_is_refused(
    api: ScriptedApi, found: Any
) -> None:
    api.then(says(found))
    async with client_of(api) as client:
        with pytest.raises(Unavailable, match=r"^cannot get Plane red: the answer is not that obj"):
            await client.get(PLANES, "red")


@pytest.mark.parametrize("answer", [says(b"<html>log in</html>"), says(b"", 302)])
async def test_a_page_in_place_of_an_answer_is_said_to_be_one(
    api: ScriptedApi, answer: Any
) -> None:
    api.then(answer)
    async with client_of(api) as client:
        with pytest.raises(PlanesError) as caught:
            await client.get(PLANES, "red")
    assert "no proxy or login page answers in its place" in caught.value.remedy
