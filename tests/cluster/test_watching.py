"""The client and a Reflector against a real API server: pages, bookmarks, restarts, selectors."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest

from planes.kube.api import PatchKind, Query
from planes.kube.client.access import connect
from planes.kube.client.client import Client
from planes.kube.errors import AlreadyExists, Expired, Unauthenticated
from planes.kube.informers.reflector import Reflector
from planes.kube.resources import PODS, SECRETS, Resource
from planes.model.errors import BadInput, Conflict, Denied, JsonObject, NotFound
from planes.run.clock import SystemClock
from tests.cluster.apiserver import ApiServer
from tests.support.kube.view import View

CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap")
NAMESPACES = Resource("", "v1", "namespaces", "Namespace", is_namespaced=False)
PLACE = "watching"


@pytest.fixture
async def client(api_server: ApiServer) -> AsyncIterator[Client]:
    async with connect(api_server.kubeconfig(), user_agent="netplane-test/1") as made:
        with contextlib.suppress(AlreadyExists):
            await made.create(NAMESPACES, {"metadata": {"name": PLACE}})
        yield made


@contextlib.asynccontextmanager
async def following(client: Client, query: Query) -> AsyncIterator[tuple[Reflector, View]]:
    view = View()
    reflector = Reflector(client, query, view, clock=SystemClock())
    task = asyncio.create_task(reflector.run())
    try:
        async with asyncio.timeout(20):
            while not reflector.is_synced:
                await asyncio.sleep(0.02)
        yield reflector, view
    finally:
        task.cancel()
        await asyncio.wait([task])


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):  # watches pause longer with each failure
        while not condition():
            await asyncio.sleep(0.02)


def named(name: str, **more: object) -> JsonObject:
    return {"metadata": {"name": name, "namespace": PLACE, **more}}


async def listed(client: Client, query: Query) -> list[JsonObject]:
    return [obj async for page in client.pages(query) for obj in page.items]


async def test_a_view_of_many_pages_follows_every_change(client: Client) -> None:
    small = Client(client._transport, page_size=7)
    for number in range(20):
        await client.create(CONFIG_MAPS, named(f"many-{number}"), namespace=PLACE)
    query = Query(CONFIG_MAPS, PLACE, fields="metadata.name!=kube-root-ca.crt")
    async with following(small, query) as (_, view):
        assert len(view.objects) == 20
        made = await client.create(CONFIG_MAPS, named("new"), namespace=PLACE)
        await client.delete(CONFIG_MAPS, "many-3", namespace=PLACE)
        changed = await client.replace(CONFIG_MAPS, {**made, "data": {"a": "b"}})
        await until(
            lambda: view.objects.get(f"{PLACE}/new") == changed["metadata"]["resourceVersion"]
        )
        await until(lambda: f"{PLACE}/many-3" not in view.objects)
        assert len(view.objects) == 20


async def test_pods_that_move_into_a_field_selector_are_seen(client: Client) -> None:
    pod = {**named("lonely"), "spec": {"containers": [{"name": "main", "image": "none"}]}}
    async with following(client, Query(PODS, PLACE, fields="spec.nodeName=node9")) as (_, view):
        made = await client.create(PODS, pod, namespace=PLACE)
        assert not view.objects
        await client.delete(PODS, "lonely", namespace=PLACE, uid=made["metadata"]["uid"])
        pod["spec"] = {**made["spec"], "nodeName": "node9"}
        await client.create(PODS, pod, namespace=PLACE)
        await until(lambda: bool(view.objects))
        patch = {"metadata": {"annotations": {"a": "b"}}}
        await client.patch(PODS, "lonely", patch, namespace=PLACE, subresource="status")


async def test_metadata_alone_is_listed_and_watched(client: Client) -> None:
    query = Query(CONFIG_MAPS, PLACE, is_metadata_only=True)
    config_map = {**named("with-data"), "data": {"a": "b"}}
    page = await anext(client.pages(query))
    await client.create(CONFIG_MAPS, config_map, namespace=PLACE)
    change = await anext(client.watch(query, page.resource_version))
    assert change.obj["kind"] == "PartialObjectMetadata"
    assert "data" not in change.obj
    assert all("data" not in obj for obj in await listed(client, query))


async def test_what_a_list_leaves_out_is_as_the_fake_has_it(client: Client) -> None:
    await client.create(CONFIG_MAPS, named("shape"), namespace=PLACE)
    found = await listed(client, Query(CONFIG_MAPS, PLACE))
    assert all("kind" not in obj and "apiVersion" not in obj for obj in found)
    partial = await listed(client, Query(CONFIG_MAPS, PLACE, is_metadata_only=True))
    assert {obj["kind"] for obj in partial} == {"PartialObjectMetadata"}


async def test_refusals_are_the_errors_the_seam_promises(client: Client) -> None:
    made = await client.create(CONFIG_MAPS, named("one"), namespace=PLACE)
    await client.patch(CONFIG_MAPS, "one", {"data": {"a": "b"}}, namespace=PLACE)
    with pytest.raises(AlreadyExists):
        await client.create(CONFIG_MAPS, named("one"), namespace=PLACE)
    with pytest.raises(Conflict):
        await client.replace(CONFIG_MAPS, {**made, "data": {"c": "d"}})
    for condition in ({"uid": "another"}, {"resourceVersion": "1"}):
        with pytest.raises(Conflict):
            await client.patch(CONFIG_MAPS, "one", {"metadata": condition}, namespace=PLACE)
    with pytest.raises(Conflict):
        await client.delete(CONFIG_MAPS, "one", namespace=PLACE, uid="another")
    test = [{"op": "test", "path": "/metadata/name", "value": "two"}]
    with pytest.raises(BadInput):
        await client.patch(CONFIG_MAPS, "one", test, namespace=PLACE, kind=PatchKind.JSON)
    with pytest.raises(NotFound):
        await client.get(CONFIG_MAPS, "two", namespace=PLACE)
    with pytest.raises(BadInput) as caught:
        await client.create(SECRETS, {**named("s"), "data": {"a": "%hunter2"}}, namespace=PLACE)
    assert "hunter2" not in str(caught.value)
    await client.delete(CONFIG_MAPS, "two", namespace=PLACE)


async def test_who_is_not_known_or_not_allowed_is_told(
    api_server: ApiServer, client: Client
) -> None:
    async with connect(api_server.kubeconfig("alice"), user_agent="test") as alice:
        with pytest.raises(Denied, match='"alice" cannot list'):
            await listed(alice, Query(PODS))
    stranger = api_server.folder / "stranger"
    api_server.write_kubeconfig(stranger, "of-nobody")
    async with connect(stranger, user_agent="test") as nobody:
        with pytest.raises(Unauthenticated):
            await nobody.get(PODS, "x", namespace=PLACE)


async def test_what_should_be_made_in_a_namespace_that_is_going_is_not_found(
    client: Client,
) -> None:
    await client.create(NAMESPACES, {"metadata": {"name": "going"}})
    await client.delete(NAMESPACES, "going")
    with pytest.raises(NotFound, match="is being terminated"):
        await client.create(CONFIG_MAPS, {"metadata": {"name": "late"}}, namespace="going")


async def test_a_restart_of_the_server_is_survived_without_a_gap(own_api_server: ApiServer) -> None:
    server = own_api_server
    query = Query(CONFIG_MAPS, "default")
    async with (
        connect(server.kubeconfig(), user_agent="test") as client,
        following(client, query) as (reflector, view),
    ):
        await asyncio.to_thread(server.stop_server)
        await asyncio.to_thread(server.start_server)
        made = {"metadata": {"name": "after", "namespace": "default"}}
        await client.create(CONFIG_MAPS, made, namespace="default")
        await until(lambda: "default/after" in view.objects)
        assert reflector.is_synced


async def test_a_version_a_new_server_does_not_know_is_expired(own_api_server: ApiServer) -> None:
    server, query = own_api_server, Query(CONFIG_MAPS, "default")
    async with connect(server.kubeconfig(), user_agent="test") as client:
        old = (await anext(client.pages(query))).resource_version
        for name in ("one", "two"):
            made = {"metadata": {"name": name, "namespace": "default"}}
            await client.create(CONFIG_MAPS, made, namespace="default")
        await asyncio.to_thread(server.stop_server)
        await asyncio.to_thread(server.start_server)
        with pytest.raises(Expired, match="too old resource version"):
            await anext(client.watch(query, old))
