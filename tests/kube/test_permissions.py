"""The shipped role of the daemon allows all that it asks the API server for, and no more."""

from __future__ import annotations

from pathlib import Path

import pytest

from planes.kube.resources import (
    DAEMON_SETS,
    IPAM_CLAIMS,
    JOBS,
    PODS,
    REPLICA_SETS,
    RESOURCE_CLAIMS,
    RESOURCE_SLICES,
    STATEFUL_SETS,
)
from planes.kube.store.device_claims import DeviceClaims
from planes.kube.store.foreign_addresses import ForeignAddresses
from planes.kube.store.health_writer import HealthWriter
from planes.kube.store.owners import LiveOwners
from planes.kube.store.store import KubeStore
from planes.model.errors import Conflict, Unavailable
from planes.model.events import Event
from planes.model.names import NETPLANE_NAMESPACE, PLANE_HEALTH_ANNOTATION
from planes.model.objects import Pod
from planes.store.protocol import ClaimReference
from tests.kube.addresses.static_scene import PLANE, A, book_of, owner, take, until_given_back
from tests.kube.store.store_scene import STATUS, Scene
from tests.support.clock import FakeClock
from tests.support.kube.claims import (
    NODE,
    attributes,
    claim_object,
    claim_status,
    result,
    slice_object,
)
from tests.support.kube.fake_kube import FakeKube, Request
from tests.support.kube.permissions import permissions, refused, unused
from tests.support.planes import make_plane

DAEMON = "cni/rbac.yaml"
PERSISTENT = make_plane(
    subnets=[{"cidr": "10.9.0.0/24", "staticRanges": ["10.9.0.200-10.9.0.215"]}],
    staticIPs={"allow": "Any"},
    ipam={"lifecycle": "Persistent"},
)


async def of_pods() -> list[Request]:
    """Return a pod's status, written over somebody else's write, and an event twice."""
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
    """Return a block for the node, a static address, and the same one for another pod."""
    kube = FakeKube()
    book = book_of(kube, state)
    await book.claim(PLANE, owner(1))
    await take(book, owner(2), A)
    other = book_of(kube, state, "n2")
    with pytest.raises(Unavailable):
        await take(other, owner(3, "n2"), A)
    await book.release(PLANE.name, "c2", "net1")
    await until_given_back(book)
    await book.release(PLANE.name, "c1", "net1")
    await book.retire()
    return kube.requests


async def of_owners() -> list[Request]:
    """Return a pod of each kind of workload that a plane can reserve addresses for."""
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


async def of_health() -> list[Request]:
    """Return a report on planes, over an earlier one."""
    kube = FakeKube()
    pod = {"metadata": {"name": "netplane-cni-x", "namespace": NETPLANE_NAMESPACE}}
    kube.put_object(PODS, pod)
    for text in ("first", "second"):
        await HealthWriter(kube, "netplane-cni-x").put(text)
    found = kube.object(PODS, "netplane-cni-x", NETPLANE_NAMESPACE)
    assert found is not None
    assert found["metadata"]["annotations"] == {PLANE_HEALTH_ANNOTATION: "second"}
    return kube.requests


async def of_claims() -> list[Request]:
    """Return the devices of a pod's resource claims."""
    kube = FakeKube()
    meta = {"name": "web", "namespace": "shop"}
    pod = kube.put_object(PODS, {"metadata": meta, "status": claim_status("a")})
    uid = pod["metadata"]["uid"]
    kube.put_object(RESOURCE_CLAIMS, claim_object("a", result("vf1"), uid=uid))
    kube.put_object(RESOURCE_SLICES, slice_object("s", {"vf1": attributes("r", "x")}))
    assert await DeviceClaims(kube, NODE).devices("shop", "web", uid)
    return kube.requests


async def of_persistent_addresses(state: Path) -> list[Request]:
    """Return the first pod of an IPAMClaim."""
    kube = FakeKube()
    meta = {"name": "vm", "namespace": "ns"}
    spec = {"network": PERSISTENT.name, "interface": "net1"}
    kube.put_object(IPAM_CLAIMS, {"metadata": meta, "spec": spec})
    reference = ClaimReference("vm", (PERSISTENT.name,), most=10)
    await book_of(kube, state).claim(PERSISTENT, owner(1), reference=reference)
    return kube.requests


async def of_adoption() -> list[Request]:
    """Return what other IPAMs gave to a node's pods."""
    kube = FakeKube()
    assert await ForeignAddresses(kube, NODE).facts() == ()
    return kube.requests


@pytest.fixture
async def asked(tmp_path: Path) -> list[Request]:
    of_nodes = await of_pods() + await of_addresses(tmp_path / "one")
    of_nodes += await of_persistent_addresses(tmp_path / "two")
    others = await of_owners() + await of_health() + await of_claims()
    return of_nodes + others + await of_adoption()


async def test_the_role_allows_what_the_daemon_does(asked: list[Request]) -> None:
    assert refused(permissions(DAEMON), asked) == set()


async def test_the_role_allows_nothing_that_the_daemon_never_does(asked: list[Request]) -> None:
    assert unused(permissions(DAEMON), asked) == []
