"""The shipped role of the daemon: all it asks the API server for, nothing it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from planes.kube.owners import LiveOwners
from planes.kube.resources import DAEMON_SETS, JOBS, PODS, REPLICA_SETS, STATEFUL_SETS
from planes.kube.store import KubeStore
from planes.model.errors import Conflict, Unavailable
from planes.model.events import Event
from planes.model.objects import Pod
from tests.kube.static_scene import PLANE, A, book_of, owner, take, until_given_back
from tests.kube.store_scene import STATUS, Scene
from tests.support.clock import FakeClock
from tests.support.kube import FakeKube, Request
from tests.support.permissions import permissions, refused, unused
from tests.support.planes import make_plane

DAEMON = "cni/rbac.yaml"


async def of_pods() -> list[Request]:
    """A pod's status, written over somebody else's write, and an event twice."""
    scene = Scene()
    uid = scene.put_pod()["metadata"]["uid"]
    async with scene.running(scene.for_node()) as store:
        await _report(store, scene, uid)
    return scene.api.requests


async def _report(store: KubeStore, scene: Scene, uid: str) -> None:
    pod = store.pod("shop", "web")
    assert isinstance(pod, Pod)
    scene.api.fail_next(Conflict("cannot patch"), verb="patch", resource=PODS)
    await store.put_status(pod, STATUS)
    event = Event("AddedInterface", "Add net1", "Normal", "shop", "web", uid)
    await store.emit(event)
    await store.emit(event)


async def of_addresses(state: Path) -> list[Request]:
    """A block for the node, a static address, and the same one for another pod."""
    kube = FakeKube()
    book = book_of(kube, state)
    await book.claim(PLANE, owner(1))
    await take(book, owner(2), A)
    other = book_of(kube, state, "n2")
    with pytest.raises(Unavailable):
        await take(other, owner(3, "n2"), A)
    await book.release(PLANE.name, "c2", "net1")
    await until_given_back(book)
    return kube.requests


async def of_owners() -> list[Request]:
    """A pod of each kind of workload that a plane can reserve addresses for."""
    kube = FakeKube()
    entry = {"ip": "10.9.0.10", "namespace": "shop", "owner": "web-abc"}
    plane = make_plane(staticIPs={"reservations": [entry]})
    deployment = {"kind": "Deployment", "name": "web", "controller": True}
    for resource in (REPLICA_SETS, STATEFUL_SETS, DAEMON_SETS, JOBS):
        meta = {"name": "web-abc", "namespace": "shop", "ownerReferences": [deployment]}
        workload = kube.put_object(resource, {"metadata": meta})
        pod = Pod(
            "shop",
            "web-abc-0" if resource is STATEFUL_SETS else "web-abc-x",
            labels={"pod-template-hash": "abc"},
            owner_kind=resource.kind,
            owner_name="web-abc",
            owner_api=resource.api_version,
            owner_uid=workload["metadata"]["uid"],
        )
        await LiveOwners(kube, FakeClock(), lambda: [plane]).doubt(pod)
    return kube.requests


@pytest.fixture
async def asked(tmp_path: Path) -> list[Request]:
    return await of_pods() + await of_addresses(tmp_path) + await of_owners()


async def test_the_role_allows_what_the_daemon_does(asked: list[Request]) -> None:
    assert refused(permissions(DAEMON), asked) == set()


async def test_the_role_allows_nothing_that_the_daemon_never_does(asked: list[Request]) -> None:
    assert unused(permissions(DAEMON), asked) == []
