"""The shipped roles of the webhook: all it asks for, nothing it does not."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from planes.kube.lease import Leadership
from planes.kube.resources import NADS, PLANES
from planes.kube.store import KubeStore
from planes.model.names import NETPLANE_NAMESPACE
from tests.support.certificates_cluster import Cluster, look_on
from tests.support.kube import Request
from tests.support.permissions import permissions, refused, unused
from tests.webhook.controller.reign import Reign, reigning

WEBHOOK, CERTIFICATES = "webhook/rbac.yaml", "webhook/rbac-certificates.yaml"


@contextlib.asynccontextmanager
async def a_replica_and_its_lease(reign: Reign) -> AsyncIterator[None]:
    store = KubeStore.for_admission(reign.kube, clock=reign.clock)
    leadership = Leadership(
        reign.kube,
        reign.clock,
        namespace=NETPLANE_NAMESPACE,
        name="netplane-webhook",
        identity="one",
        chance=lambda: 0.5,
    )
    tasks = [asyncio.ensure_future(store.run()), asyncio.ensure_future(leadership.run())]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
async def of_the_webhook() -> list[Request]:
    """A plane that comes, is edited behind our back and goes; a holder whose pod is gone."""
    async with reigning() as reign, a_replica_and_its_lease(reign):
        reign.put_plane()
        reign.put_namespace("shop", {"plane.netplane.io/business": "enabled"})
        reign.put_static({"10.9.0.200": "n1"}, wanted={"10.9.0.200": "n2"})
        reign.start()
        await reign.settle(30)
        nad = reign.nad()
        assert nad is not None
        reign.kube.put_object(NADS, {**nad, "spec": {"config": "{}"}})
        await reign.settle(5)
        reign.kube.remove_object(PLANES, "business")
        await reign.settle(5)
        return reign.kube.requests


@pytest.fixture
async def of_certificates() -> list[Request]:
    """Two replicas with a new Secret, one that is spoilt, and one replica that falls silent."""
    cluster = Cluster()
    one, two = cluster.replica("one"), cluster.replica("two")
    await look_on(cluster, one, two, seconds=120)
    cluster.change_secret(tls_crt=b"spoilt")
    await look_on(cluster, one, seconds=300)
    return cluster.api.requests


async def test_the_roles_allow_what_the_webhook_does(of_the_webhook: list[Request]) -> None:
    assert refused(permissions(WEBHOOK), of_the_webhook) == set()


async def test_the_roles_allow_nothing_that_the_webhook_never_does(
    of_the_webhook: list[Request],
) -> None:
    assert unused(permissions(WEBHOOK), of_the_webhook) == []


async def test_the_roles_for_certificates_allow_what_making_them_takes(
    of_certificates: list[Request],
) -> None:
    assert refused(permissions(CERTIFICATES), of_certificates) == set()


async def test_the_roles_for_certificates_allow_nothing_else(
    of_certificates: list[Request],
) -> None:
    assert unused(permissions(CERTIFICATES), of_certificates) == []
