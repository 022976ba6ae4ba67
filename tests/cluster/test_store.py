"""KubeStore against a real API server: its selectors, its writes and their conditions."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from planes.kube.api import Query
from planes.kube.client import access
from planes.kube.client.client import Client
from planes.kube.errors import AlreadyExists
from planes.kube.resources import EVENTS, NAMESPACES, PODS
from planes.kube.store.store import KubeStore
from planes.model.errors import JsonObject
from planes.model.events import Event
from planes.model.names import NETPLANE_NAMESPACE, STATUS_ANNOTATION
from planes.model.objects import NadRef
from planes.run.clock import SystemClock
from tests.cluster.apiserver import ApiServer
from tests.kube.store.store_scene import NODE, STATUS, namespace_object, pod_object
from tests.support.address_book import FakeAddressBook

PLACE = "store"
NETWORK = NadRef(NETPLANE_NAMESPACE, "business")
ROOT = Path(__file__).parents[2]
CRDS = (
    ROOT / "manifests" / "base" / "crds" / "planes.yaml",
    ROOT / "manifests" / "nad-kind.yaml",
)


@pytest.fixture
async def client(api_server: ApiServer) -> AsyncIterator[Client]:
    for path in CRDS:
        await asyncio.to_thread(api_server.kubectl, "apply", "--server-side", "-f", str(path))
    async with access.connect(api_server.kubeconfig(), user_agent="netplane-test/1") as made:
        with contextlib.suppress(AlreadyExists):
            await made.create(NAMESPACES, namespace_object(PLACE))
        yield made


@contextlib.asynccontextmanager
async def running(store: KubeStore) -> AsyncIterator[KubeStore]:
    task = asyncio.create_task(store.run())
    try:
        await until(lambda: store.is_synced)
        yield store
    finally:
        task.cancel()
        await asyncio.wait([task])


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not is_so():
            await asyncio.sleep(0.02)


def on_node(client: Client) -> KubeStore:
    return KubeStore.for_node(client, NODE, clock=SystemClock(), addresses=FakeAddressBook())


async def create(client: Client, name: str, **more: Any) -> JsonObject:
    containers = [{"name": "web", "image": "registry.example/web:1"}]
    pod = pod_object(name, namespace=PLACE, containers=containers, **more)
    return await client.create(PODS, pod, namespace=PLACE)


async def status_of(client: Client, name: str) -> str | None:
    obj = await client.get(PODS, name, namespace=PLACE)
    text: str | None = obj["metadata"].get("annotations", {}).get(STATUS_ANNOTATION)
    return text


async def test_the_server_selects_pods_of_the_node_that_need_planes(client: Client) -> None:
    await create(client, "mine")
    await create(client, "host", hostNetwork=True)
    async with running(on_node(client)) as store:
        assert store.pod(PLACE, "mine") is not None
        assert store.pod(PLACE, "host") is None


async def test_a_pod_that_ends_is_gone_for_the_watch(client: Client) -> None:
    await create(client, "job")
    async with running(on_node(client)) as store:
        ended = {"status": {"phase": "Succeeded"}}
        await client.patch(PODS, "job", ended, namespace=PLACE, subresource="status")
        await until(lambda: store.pod(PLACE, "job") is None)


async def test_a_status_is_written_withdrawn_and_seen(client: Client) -> None:
    await create(client, "web")
    async with (
        running(on_node(client)) as store,
        running(KubeStore.for_admission(client, clock=SystemClock())) as admission,
    ):
        pod = store.pod(PLACE, "web")
        assert pod is not None
        await store.put_status(pod, STATUS)
        assert await status_of(client, "web") == STATUS
        await until(lambda: admission.catalog.claims.usage(NETWORK, PLACE).addresses == 1)
        await store.drop_status(PLACE, "web")
        assert await status_of(client, "web") is None


async def test_a_status_never_lands_on_the_next_pod_of_that_name(
    client: Client, api_server: ApiServer
) -> None:
    await create(client, "again")
    async with running(on_node(client)) as store:
        old = store.pod(PLACE, "again")
        assert old is not None
        now = ("--force", "--grace-period=0")
        await asyncio.to_thread(api_server.kubectl, "delete", "pod", "again", "-n", PLACE, *now)
        await create(client, "again")
        await store.put_status(old, STATUS)
        assert await status_of(client, "again") is None


async def test_events_are_taken_and_counted(client: Client) -> None:
    pod = await create(client, "told")
    async with running(on_node(client)) as store:
        uid = pod["metadata"]["uid"]
        event = Event("AddedInterface", "Add net1", "Normal", PLACE, "told", uid)
        await store.emit(event, event)
    found = [
        obj
        async for page in client.pages(Query(EVENTS, PLACE, fields=f"involvedObject.uid={uid}"))
        for obj in page.items
    ]
    assert [(obj["count"], obj["source"]["host"]) for obj in found] == [(2, NODE)]
