"""The client's requests and its reading of answers, over real TLS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from planes.kube.api import PatchKind, Query
from planes.kube.client.client import Client
from planes.kube.client.request import RequestLimits
from planes.kube.errors import AlreadyExists, Expired, Unauthenticated
from planes.kube.resources import IPBLOCKS, PLANES, PODS, SECRETS
from planes.model.errors import (
    BadInput,
    Conflict,
    Denied,
    JsonObject,
    NotFound,
    PlanesError,
    Unavailable,
)
from tests.support.clock import FakeClock
from tests.support.kube.scripted_api import (
    ScriptedApi,
    client_of,
    refuses,
    says,
    status_object,
)

POD = {"metadata": {"name": "web", "namespace": "shop"}, "x-unknown": {"kept": [1.5, None]}}


@pytest.fixture
async def client(api: ScriptedApi) -> AsyncIterator[Client]:
    async with client_of(api) as made:
        yield made


def page(names: list[str], more: str = "") -> JsonObject:
    items = [{"metadata": {"name": name}} for name in names]
    return {"metadata": {"resourceVersion": "7", "continue": more}, "items": items}


async def test_an_object_comes_as_the_server_has_it(api: ScriptedApi, client: Client) -> None:
    api.then(says(POD))
    assert await client.get(PODS, "web", namespace="shop") == POD
    assert (api.seen[0].method, api.seen[0].path) == ("GET", "/api/v1/namespaces/shop/pods/web")
    assert api.seen[0].headers["User-Agent"] == "netplane-test/1"


async def test_each_write_is_the_request_it_should_be(api: ScriptedApi, client: Client) -> None:
    api.then(*[says(POD)] * 6)
    block = {"metadata": {"name": "red.10-0-0-0-26", "resourceVersion": "3"}, "data": "x"}
    await client.create(PODS, POD, namespace="shop")
    await client.replace(IPBLOCKS, block)
    await client.patch(PODS, "web", {"a": 1}, namespace="shop", subresource="status")
    await client.patch(PLANES, "red", [{"op": "remove", "path": "/a"}], kind=PatchKind.JSON)
    await client.delete(PODS, "web", namespace="shop", uid="u-1")
    await client.delete(IPBLOCKS, "red.10-0-0-0-26", uid="u-2", resource_version="9")
    pods, group = "/api/v1/namespaces/shop/pods", "/apis/netplane.io/v1alpha1"
    assert [(seen.method, seen.path, seen.headers["Content-Type"]) for seen in api.seen] == [
        ("POST", pods, "application/json"),
        ("PUT", f"{group}/ipblocks/red.10-0-0-0-26", "application/json"),
        ("PATCH", f"{pods}/web/status", "application/merge-patch+json"),
        ("PATCH", f"{group}/planes/red", "application/json-patch+json"),
        ("DELETE", f"{pods}/web", "application/json"),
        ("DELETE", f"{group}/ipblocks/red.10-0-0-0-26", "application/json"),
    ]
    assert api.seen[0].body == {"apiVersion": "v1", "kind": "Pod", **POD}
    assert api.seen[1].body["apiVersion"] == "netplane.io/v1alpha1"
    assert api.seen[4].body["preconditions"] == {"uid": "u-1"}
    assert api.seen[5].body["preconditions"] == {"uid": "u-2", "resourceVersion": "9"}


async def test_a_list_comes_in_pages_of_one_moment(api: ScriptedApi, client: Client) -> None:
    api.then(says(page(["a", "b"], "next page")), says({"metadata": {"resourceVersion": "7"}}))
    query = Query(PODS, "shop", labels="app in (web,db)", fields="spec.nodeName=n1")
    pages = [page async for page in client.pages(query)]
    assert [[o["metadata"]["name"] for o in page.items] for page in pages] == [["a", "b"], []]
    assert pages[0].resource_version == "7"
    wanted = {"limit": "2", "labelSelector": query.labels, "fieldSelector": query.fields}
    assert [seen.query for seen in api.seen] == [wanted, {**wanted, "continue": "next page"}]


async def test_a_list_of_any_moment_is_asked_of_the_servers_cache_and_its_pages_go_on(
    api: ScriptedApi, client: Client
) -> None:
    """A server whose cache is not ready may answer in pages, whose moment is in `continue`."""
    api.then(says(page(["a"], "more")), says(page(["b"])))
    assert len([page async for page in client.pages(Query(PODS, at_least="0"))]) == 2
    assert [seen.query for seen in api.seen] == [
        {"limit": "2", "resourceVersion": "0"},
        {"limit": "2", "continue": "more"},
    ]


async def test_a_list_of_no_older_moment_is_not_paged(api: ScriptedApi, client: Client) -> None:
    """With a limit the server would go to etcd."""
    api.then(says(page(["a"])))
    assert [page async for page in client.pages(Query(PODS, at_least="12"))]
    wanted = {"resourceVersion": "12", "resourceVersionMatch": "NotOlderThan"}
    assert api.seen[0].query == wanted


async def test_a_server_that_has_not_come_so_far_yet_is_one_to_list_anew_from(
    api: ScriptedApi, client: Client
) -> None:
    causes = {"causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large"}]}
    api.then(says(status_object(504, "Timeout", "Too large", details=causes), 504))
    with pytest.raises(Expired):
        assert [page async for page in client.pages(Query(PODS, at_least="99"))]


async def test_metadata_alone_is_asked_for_by_the_accept_header(
    api: ScriptedApi, client: Client
) -> None:
    api.then(says(page([])))
    assert [page async for page in client.pages(Query(PODS, is_metadata_only=True))]
    accept = api.seen[0].headers["Accept"]
    assert accept == "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


async def test_a_list_that_took_too_long_is_expired(api: ScriptedApi, client: Client) -> None:
    api.then(says(page(["a"], "more")), refuses(410, "Expired", "The provided continue parameter"))
    with pytest.raises(Expired, match=r"^cannot list pods: The provided continue"):
        assert [page async for page in client.pages(Query(PODS))]


async def test_a_namespace_that_is_going_is_not_a_matter_of_rights(
    api: ScriptedApi, client: Client
) -> None:
    causes = {"causes": [{"reason": "NamespaceTerminating", "field": "metadata.namespace"}]}
    api.then(says(status_object(403, "Forbidden", "it is being terminated", details=causes), 403))
    with pytest.raises(NotFound, match="being terminated"):
        await client.create(PODS, POD, namespace="shop")


@pytest.mark.parametrize(
    ("code", "reason", "error"),
    [
        (400, "BadRequest", BadInput),
        (401, "Unauthorized", Unauthenticated),
        (403, "Forbidden", Denied),
        (404, "NotFound", NotFound),
        (405, "MethodNotAllowed", BadInput),
        (409, "Conflict", Conflict),
        (409, "AlreadyExists", AlreadyExists),
        (410, "Gone", Expired),
        (413, "RequestEntityTooLarge", BadInput),
        (415, "UnsupportedMediaType", BadInput),
        (422, "Invalid", BadInput),
        (302, "Found", Unavailable),
        (500, "InternalError", Unavailable),
        (503, "ServiceUnavailable", Unavailable),
        (504, "Timeout", Unavailable),
    ],
)
async def test_each_refusal_is_an_error_with_the_servers_reason(
    api: ScriptedApi, client: Client, code: int, reason: str, error: type[PlanesError]
) -> None:
    api.then(refuses(code, reason, f"it is {reason}\n" + "x" * 1000))
    with pytest.raises(PlanesError) as caught:
        await client.patch(PODS, "web", {}, namespace="shop")
    assert type(caught.value) is error
    assert caught.value.message.startswith(f"cannot patch Pod shop/web: it is {reason} xxx")
    assert len(caught.value.message) < 400
    assert caught.value.remedy


async def test_another_uid_than_the_patch_asks_for_is_a_conflict(
    api: ScriptedApi, client: Client
) -> None:
    details = {"causes": [{"reason": "FieldValueInvalid", "field": "metadata.uid"}]}
    api.then(says(status_object(422, "Invalid", "field is immutable", details=details), 422))
    with pytest.raises(Conflict):
        await client.patch(PODS, "web", {"metadata": {"uid": "old"}}, namespace="shop")


async def test_what_a_server_says_of_a_secret_is_not_repeated(
    api: ScriptedApi, client: Client
) -> None:
    api.then(refuses(422, "Invalid", 'data: Invalid value: "hunter2"'))
    with pytest.raises(BadInput) as caught:
        await client.create(SECRETS, POD, namespace="shop")
    assert caught.value.message == "cannot create Secret shop/web: Invalid"


async def test_deleting_what_is_gone_is_fine(api: ScriptedApi, client: Client) -> None:
    api.then(refuses(404, "NotFound"))
    await client.delete(PODS, "web", namespace="shop")


@pytest.mark.parametrize("body", [b"404 page not found\n", b"<html>", b"{}", b'{"kind": "Status"}'])
async def test_that_an_object_is_gone_is_believed_of_an_api_server_only(
    api: ScriptedApi, client: Client, body: bytes
) -> None:
    """A 404 without the Status of an API server, as of proxies, does not show that it is gone."""
    api.then(says(body, 404), says(body, 404))
    with pytest.raises(Unavailable, match=r"status 404.*has pods, and that no proxy"):
        await client.get(PODS, "web", namespace="shop")
    with pytest.raises(Unavailable):
        await client.delete(PODS, "web", namespace="shop")


async def test_a_list_of_a_kind_that_is_missing_is_not_found(
    api: ScriptedApi, client: Client
) -> None:
    """An API server says so in plain text: it has no Status for a path that it does not know."""
    api.then(says(b"404 page not found\n", 404))
    with pytest.raises(NotFound, match=r"check that the server has pods$"):
        assert [page async for page in client.pages(Query(PODS))]


@pytest.mark.parametrize("name", ["", ".", ".."])
async def test_what_would_be_another_path_is_not_asked_for(client: Client, name: str) -> None:
    with pytest.raises(BadInput):
        await client.get(PODS, name, namespace="shop")
    with pytest.raises(BadInput):
        await client.get(PODS, "web", namespace=name)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"<html>"])
async def test_an_answer_that_is_none_is_unavailable(
    api: ScriptedApi, client: Client, body: bytes
) -> None:
    api.then(says(body), says(body))
    with pytest.raises(Unavailable):
        await client.get(PODS, "web", namespace="shop")
    with pytest.raises(Unavailable):
        assert [page async for page in client.pages(Query(PODS))]


async def test_an_answer_out_of_all_proportion_is_not_read(api: ScriptedApi) -> None:
    api.then(says({"metadata": {"name": "x" * 5000}}))
    async with client_of(api, limits=RequestLimits(answer=4000)) as client:
        with pytest.raises(Unavailable, match="larger than 4000 bytes"):
            await client.get(PODS, "web", namespace="shop")


async def test_a_busy_server_is_asked_again_after_the_pause_it_names(api: ScriptedApi) -> None:
    clock = FakeClock()
    api.then(refuses(429, "TooManyRequests", Retry_After="3"), says(POD))
    async with client_of(api, clock=clock) as client:
        asking = asyncio.create_task(client.patch(PODS, "web", {}, namespace="shop"))
        while not clock.sleepers:
            await asyncio.sleep(0.01)
        clock.advance(2.9)
        assert clock.sleepers
        clock.advance(0.1)
        assert await asking == POD


@pytest.mark.parametrize(("after", "asked"), [("0", 4), ("3600", 1), ("soon", 1)])
async def test_a_server_that_stays_busy_is_not_asked_for_ever(
    api: ScriptedApi, client: Client, after: str, asked: int
) -> None:
    api.then(*[refuses(429, "TooManyRequests", "try later", Retry_After=after)] * 4)
    with pytest.raises(Unavailable, match="try later"):
        await client.get(PODS, "web", namespace="shop")
    assert len(api.seen) == asked
