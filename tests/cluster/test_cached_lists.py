"""What every node lists comes from the API server's cache: etcd is not read for it."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from planes.kube.api import Query
from planes.kube.client.access import connect
from planes.kube.client.client import Client
from planes.kube.client.request import Request
from planes.kube.client.status_errors import Asked
from planes.kube.errors import Expired
from planes.kube.informers.reflector import Reflector
from planes.kube.resources import PODS
from planes.model.errors import JsonObject
from planes.run.clock import SystemClock
from tests.cluster.apiserver import ApiServer
from tests.support.kube.view import View

NODE_PODS = Query(PODS, fields="spec.nodeName=cached", is_metadata_only=True, at_least="0")
_NUMBERS = itertools.count()


def pod() -> JsonObject:
    containers = [{"name": "main", "image": "none"}]
    return {
        "metadata": {"name": f"cached-{next(_NUMBERS)}", "namespace": "default"},
        "spec": {"nodeName": "cached", "containers": containers},
    }


async def reads_of_etcd(client: Client) -> float:
    """Return how many lists of pods the server has read from etcd so far."""
    request = Request(Asked("get", PODS), "GET", "/metrics", accept="text/plain")
    lines = (await client._transport.send(request)).decode().splitlines()
    name = 'apiserver_storage_list_total{group="",resource="pods"}'
    return sum(float(line.removeprefix(name)) for line in lines if line.startswith(name))


async def listed(client: Client, query: Query) -> int:
    return sum([len(page.items) async for page in client.pages(query)])


async def test_lists_of_an_older_moment_do_not_read_etcd_and_are_whole(
    api_server: ApiServer,
) -> None:
    async with connect(api_server.kubeconfig(), user_agent="netplane-test/1") as made:
        client = Client(made._transport, page_size=2)
        version = ""
        for _ in range(5):
            version = (await client.create(PODS, pod(), namespace="default"))["metadata"][
                "resourceVersion"
            ]
        before = await reads_of_etcd(client)
        since = Query(PODS, fields=NODE_PODS.fields, is_metadata_only=True, at_least=version)
        assert await listed(client, since) == 5
        assert await listed(client, NODE_PODS) == 5
        assert await reads_of_etcd(client) == before


async def test_a_version_that_is_still_to_come_is_expired(api_server: ApiServer) -> None:
    async with connect(api_server.kubeconfig(), user_agent="netplane-test/1") as client:
        with pytest.raises(Expired, match="Too large resource version"):
            await listed(client, Query(PODS, at_least="999999999"))


async def test_a_watching_of_any_moment_is_true_again_after_a_restart_of_the_server(
    own_api_server: ApiServer,
) -> None:
    server, view = own_api_server, View()
    async with connect(server.kubeconfig(), user_agent="netplane-test/1") as client:
        await client.create(PODS, pod(), namespace="default")
        reflector = Reflector(client, NODE_PODS, view, clock=SystemClock())
        task = asyncio.create_task(reflector.run())
        try:
            async with asyncio.timeout(60):
                while not reflector.is_synced:
                    await asyncio.sleep(0.02)
            await asyncio.to_thread(server.stop_server)
            await asyncio.to_thread(server.start_server)
            await client.create(PODS, pod(), namespace="default")
            async with asyncio.timeout(60):  # watches pause longer with each failure
                while len(view.objects) < 2:
                    await asyncio.sleep(0.05)
        finally:
            task.cancel()
            await asyncio.wait([task])
