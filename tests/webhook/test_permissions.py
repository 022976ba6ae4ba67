"""The shipped roles of the webhook allow all that it asks for, and no more."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from planes.kube.addresses.claim_release import SCAN_SECONDS
from planes.kube.leadership.leader_election import LeaderElection
from planes.kube.resources import (
    DAEMON_SETS,
    DEPLOYMENTS,
    IPBLOCKS,
    JOBS,
    NADS,
    PLANES,
    REPLICA_SETS,
    STATEFUL_SETS,
    Resource,
)
from planes.kube.store.store import KubeStore
from planes.model.errors import JsonObject
from planes.model.names import NETPLANE_NAMESPACE
from planes.model.owners import WORKLOADS as OWNERS
from tests.support.certificates_cluster import Cluster, look_on
from tests.support.kube.fake_kube import Request
from tests.support.kube.permissions import permissions, refused, unused
from tests.webhook.controller.running_controller import RunningController, running_controller
from webhook.owner_events import OwnerEvents
from webhook.review import Allowed, Review

WEBHOOK, CERTIFICATES = "webhook/rbac.yaml", "webhook/rbac-certificates.yaml"


@contextlib.asynccontextmanager
async def a_replica_and_its_lease(controller: RunningController) -> AsyncIterator[None]:
    store = KubeStore.for_admission(controller.kube, clock=controller.clock)
    leadership = LeaderElection(
        controller.kube,
        controller.clock,
        namespace=NETPLANE_NAMESPACE,
        name="netplane-webhook",
        identity="one",
        randomness=lambda: 0.5,
    )
    tasks = [asyncio.ensure_future(store.run()), asyncio.ensure_future(leadership.run())]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def warned_of(controller: RunningController) -> None:
    """Pods of each kind of workload, a Deployment's too, that start with a warning."""
    events = OwnerEvents(controller.kube, controller.clock)
    answer = Allowed(["there is no such plane"])
    meta: JsonObject = {"name": "web", "namespace": "shop"}
    above = controller.kube.put_object(DEPLOYMENTS, {"metadata": meta})["metadata"]["uid"]
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": above}
    for resource in (REPLICA_SETS, STATEFUL_SETS, DAEMON_SETS, JOBS):
        meta = {
            "name": "web-1",
            "namespace": "shop",
            "ownerReferences": [{**owner, "controller": True}],
        }
        uid = controller.kube.put_object(resource, {"metadata": meta})["metadata"]["uid"]
        events.answered("/validate/pods", review_of_controller(resource, uid), answer)
    task = asyncio.ensure_future(events.run())
    await controller.settle(2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def review_of_controller(resource: Resource, uid: str) -> Review:
    """Return the review of a pod that a workload's controller creates."""
    kind = resource.kind
    owner = {"apiVersion": resource.api_version, "kind": kind, "name": "web-1", "uid": uid}
    labels = {"pod-template-hash": "1"} if resource is REPLICA_SETS else {}
    name = "web-1-0" if resource is STATEFUL_SETS else "web-1-x"
    obj = {
        "metadata": {
            "name": name,
            "labels": labels,
            "ownerReferences": [{**owner, "controller": True}],
        }
    }
    user = {"username": f"system:serviceaccount:kube-system:{OWNERS[kind].account}"}
    return Review("1", "CREATE", "pods", "", "shop", "", user, obj)


@pytest.fixture
async def of_the_webhook() -> list[Request]:
    """A plane comes, is edited behind our back and goes; a pod and a node are gone."""
    async with running_controller() as controller, a_replica_and_its_lease(controller):
        controller.put_plane()
        controller.put_namespace("shop", {"plane.netplane.io/business": "enabled"})
        name = controller.put_static({"10.9.0.200": "n1"}, wanted={"10.9.0.200": "n2"})
        static = controller.kube.object(IPBLOCKS, name)
        assert static is not None
        kept = {"10.9.0.201": "shop/vm/uid-1"}  # for an IPAMClaim that is gone
        controller.kube.put_object(IPBLOCKS, {**static, "claims": kept})
        controller.put_block("10.9.0.64/26", node="n9")
        controller.start()
        await controller.settle(3 * SCAN_SECONDS)
        await warned_of(controller)
        nad = controller.nad()
        assert nad is not None
        controller.kube.put_object(NADS, {**nad, "spec": {"config": "{}"}})
        await controller.settle(5)
        controller.kube.remove_object(PLANES, "business")
        await controller.settle(5)
        return controller.kube.requests


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
