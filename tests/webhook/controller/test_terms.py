"""A controller is attached to the store's informers while its replica leads, and no longer."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator

from planes.kube.resources import NADS, NAMESPACES, PLANES
from planes.kube.store.store import KubeStore
from planes.model.names import NETPLANE_NAMESPACE
from planes.run.metrics import Metrics
from tests.support.clock import FakeClock
from tests.support.kube.fake_kube import FakeKube
from tests.support.kube.view import settle
from tests.support.planes import plane_object
from webhook.controller.controller import Controller, ControllerContext, ControllerMetrics

SHARED = (PLANES, NADS, NAMESPACES)


@contextlib.asynccontextmanager
async def running(work: asyncio.Task[None]) -> AsyncIterator[None]:
    try:
        await settle(200)
        yield
    finally:
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work


def watches(kube: FakeKube) -> Counter[str]:
    return Counter(plural for verb, plural, *_ in kube.requests if verb == "watch")


async def test_a_leader_opens_no_second_watch_of_what_its_store_watches() -> None:
    clock = FakeClock()
    kube = FakeKube((PLANES, plane_object("business")), clock=clock)
    store = KubeStore.for_admission(kube, clock=clock)
    metrics = ControllerMetrics(Metrics())
    context = ControllerContext(kube, store, store.informers, clock, metrics, lambda: 1.0)
    async with running(asyncio.create_task(store.run())):
        for _ in range(2):
            async with running(asyncio.create_task(Controller(context).run())):
                assert kube.object(NADS, "business", NETPLANE_NAMESPACE) is not None
                kube.put_object(PLANES, plane_object("late"))
                await settle(200)
                assert kube.object(NADS, "late", NETPLANE_NAMESPACE) is not None
            assert {watches(kube)[each.plural] for each in SHARED} == {1}
            kube.remove_object(NADS, "business", NETPLANE_NAMESPACE)
            kube.remove_object(NADS, "late", NETPLANE_NAMESPACE)
            kube.remove_object(PLANES, "late")
            await settle(200)
            assert kube.object(NADS, "business", NETPLANE_NAMESPACE) is None
            assert {plane.name for plane in store.catalog.planes} == {"business"}
