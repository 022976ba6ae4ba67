"""A pod's owner reference is compared with the live owner before a node attaches the pod."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from cni.planning.pods import Pods
from planes.kube.resources import (
    DEPLOYMENTS,
    PLANES,
    REPLICA_SETS,
    STATEFUL_SETS,
    Resource,
)
from planes.kube.store.owners import LiveOwners
from planes.model.decide.decision import decide
from planes.model.errors import CniCode, JsonObject, Unavailable
from planes.model.objects import Pod
from planes.model.owners import has_reservations_by_owner
from planes.model.spec.plane_spec import Plane
from tests.attacks.owners import JOINED, RESERVED, addresses, cluster, owner, pod
from tests.kube.store.store_scene import Scene
from tests.support.clock import FakeClock
from tests.support.cni.calls import add_request
from tests.support.kube.fake_kube import FakeKube
from tests.support.planes import plane_object

Live = tuple[Resource, str, str, list[JsonObject]]


def live(resource: Resource, name: str, uid: str, *owners: JsonObject) -> Live:
    """Describe an object that is there; UIDs are the test's own words for them."""
    return resource, name, uid, list(owners)


def put(kube: FakeKube, *there: Live) -> dict[str, str]:
    """Put objects in; return the UID that the server made for each of the test's words."""
    uids: dict[str, str] = {}
    for resource, name, uid, owners in there:
        named = [{**one, "uid": uids.get(one["uid"], one["uid"])} for one in owners]
        meta = {"name": name, "namespace": "shop", "ownerReferences": named}
        stored = kube.put_object(resource, {"metadata": meta, "spec": {"template": "secret"}})
        uids[uid] = stored["metadata"]["uid"]
    return uids


def planes() -> Sequence[Plane]:
    return cluster().catalog.planes


def naming(asked: Pod, uids: dict[str, str]) -> Pod:
    return replace(asked, owner_uid=uids.get(asked.owner_uid, asked.owner_uid))


HASH = {"pod-template-hash": "abc"}


@pytest.mark.parametrize(
    ("there", "asked", "doubt"),
    [
        ([live(STATEFUL_SETS, "db", "u-db")], pod("db-0", owner()), ""),
        ([live(STATEFUL_SETS, "db", "other")], pod("db-0", owner()), "no StatefulSet db with the"),
        ([], pod("db-0", owner()), "no StatefulSet db with the UID"),
        (
            [
                live(DEPLOYMENTS, "web", "u-web"),
                live(REPLICA_SETS, "web-abc", "u-rs", owner("Deployment", "web", "u-web")),
            ],
            pod("web-abc-x", owner("ReplicaSet", "web-abc", "u-rs"), labels=HASH),
            "",
        ),
        (
            [live(REPLICA_SETS, "web-abc", "u-rs"), live(DEPLOYMENTS, "web", "u-web")],
            pod("web-abc-x", owner("ReplicaSet", "web-abc", "u-rs"), labels=HASH),
            "is not of Deployment web",
        ),
        (
            [live(REPLICA_SETS, "web-abc", "u-rs"), live(DEPLOYMENTS, "web", "u-web")],
            pod("web-abc", owner("ReplicaSet", "web-abc", "u-rs"), labels=HASH),
            "is not of Deployment web",
        ),
        (
            [
                live(REPLICA_SETS, "web-abc", "u-rs", owner("Deployment", "web", "forged")),
                live(DEPLOYMENTS, "web", "u-web"),
            ],
            pod("web-abc-x", owner("ReplicaSet", "web-abc", "u-rs"), labels=HASH),
            "no Deployment web with the UID",
        ),
        (
            [live(REPLICA_SETS, "alone", "u-rs")],
            pod("alone-x", owner("ReplicaSet", "alone", "u-rs")),
            "",
        ),
    ],
)
async def test_tenant_s_reference_is_compared_with_what_is_there(
    there: list[Live], asked: Pod, doubt: str
) -> None:
    kube = FakeKube()
    asked = naming(asked, put(kube, *there))
    found = await LiveOwners(kube, FakeClock(), planes).doubt(asked)
    assert doubt in found
    assert bool(found) == bool(doubt)


async def test_what_was_found_to_be_true_is_asked_for_again_after_a_minute() -> None:
    kube, clock = FakeKube(), FakeClock()
    real = naming(pod("db-0", owner()), put(kube, live(STATEFUL_SETS, "db", "u-db")))
    owners = LiveOwners(kube, clock, planes)
    for _ in range(3):
        assert await owners.doubt(real) == ""
    assert len(kube.requests) == 1
    clock.advance(61)
    kube.remove_object(STATEFUL_SETS, "db", "shop")
    assert await owners.doubt(real)
    assert await owners.doubt(real)
    assert len(kube.requests) == 3


async def test_tenant_gains_nothing_while_the_api_server_does_not_tell() -> None:
    kube = FakeKube()
    kube.fail_next(Unavailable("cannot get"), verb="get")
    with pytest.raises(Unavailable):
        await LiveOwners(kube, FakeClock(), planes).doubt(pod("db-0", owner()))


async def test_a_node_asks_only_where_a_plane_reserves_for_workloads() -> None:
    scene = Scene()
    async with scene.running(scene.for_node()) as store:
        assert await store.owner_doubt(pod("db-0", owner())) == ""
        before = len(scene.api.requests)
        scene.api.put_object(PLANES, plane_object(**RESERVED))
        await scene.until(lambda: has_reservations_by_owner(store.catalog.planes, "shop"))
        assert "no StatefulSet db" in await store.owner_doubt(pod("db-0", owner()))
        assert [one[0] for one in scene.api.requests[before:]] == ["get"]


async def test_tenant_s_pod_is_decided_on_its_node_with_the_doubt() -> None:
    store = cluster()
    store.put_pod(pod("db-0", owner()))
    pods = Pods(store, is_standalone=False)
    asked = add_request("db-0")
    subject = await pods.find(asked)
    assert addresses(decide(subject.pod, JOINED, store.catalog)) == ["10.9.0.10/24"]
    store.doubts["shop/db-0"] = "it is doubted"
    subject = await pods.find(asked)
    assert addresses(decide(subject.pod, JOINED, store.catalog)) == []
    store.doubts["shop/db-0"] = Unavailable("cannot get")
    with pytest.raises(Unavailable) as caught:
        await pods.find(asked)
    assert caught.value.cni_code is CniCode.TRY_AGAIN
