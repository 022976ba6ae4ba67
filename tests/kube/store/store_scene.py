"""A store over a fake API server, run by a test: the objects, the store, and how to wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from planes.kube.resources import NADS, NAMESPACES, PLANES, PODS
from planes.kube.store.store import KubeStore
from planes.model.errors import JsonObject
from tests.support.address_book import FakeAddressBook
from tests.support.clock import FakeClock
from tests.support.kube.fake_kube import FakeKube
from tests.support.planes import plane_object

STATUS = '[{"name":"netplane-system/business","interface":"net1","ips":["10.9.0.7"]}]'
NODE = "node-a"


def namespace_object(name: str = "shop", **labels: str) -> JsonObject:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def nad_object(name: str = "own", namespace: str = "shop") -> JsonObject:
    config = f'{{"cniVersion":"1.0.0","name":"{name}","type":"bridge"}}'
    return {"metadata": {"name": name, "namespace": namespace}, "spec": {"config": config}}


def pod_object(
    name: str = "web",
    annotations: dict[str, str] | None = None,
    *,
    namespace: str = "shop",
    node: str = NODE,
    phase: str = "Pending",
    **spec: Any,
) -> JsonObject:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "annotations": annotations or {}},
        "spec": {"nodeName": node, **spec},
        "status": {"phase": phase},
    }


class Scene:
    """An API server with a plane, a namespace and a NAD; both stores can be made over it."""

    def __init__(self, make: type[FakeKube] = FakeKube) -> None:
        self.clock = FakeClock()
        self.api = make(
            (PLANES, plane_object()),
            (NAMESPACES, namespace_object("shop", **{"plane.netplane.io/business": "enabled"})),
            (NADS, nad_object()),
            clock=self.clock,
        )

    def for_node(self) -> KubeStore:
        return KubeStore.for_node(self.api, NODE, clock=self.clock, addresses=FakeAddressBook())

    def for_admission(self) -> KubeStore:
        return KubeStore.for_admission(self.api, clock=self.clock)

    def put_pod(self, *args: Any, **kwargs: Any) -> JsonObject:
        return self.api.put_object(PODS, pod_object(*args, **kwargs))

    @asynccontextmanager
    async def running(self, store: KubeStore) -> AsyncIterator[KubeStore]:
        """Run a store inside the block, synced."""
        task = asyncio.create_task(store.run())
        try:
            await self.until(lambda: store.is_synced)
            yield store
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Let everybody work until something is so; after a while time moves, too."""
        for turn in range(2000):
            if is_so():
                return
            if turn % 50 == 49:
                self.clock.advance(1)
            await asyncio.sleep(0)
        raise AssertionError("it did not come to be so")

    async def settled(self) -> None:
        """Let everybody do what there is to do."""
        for _ in range(50):
            await asyncio.sleep(0)

    def asked(self) -> list[str]:
        """Return the requests that were no lists and watches, as `verb resource`."""
        return [
            f"{verb} {resource}"
            for verb, resource, *_ in self.api.requests
            if verb not in {"list", "watch"}
        ]
