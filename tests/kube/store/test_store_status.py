"""The store's writes about pods: network-status and events, and how many requests they take."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from cni.planning.pods import Pods
from planes.kube.resources import EVENTS, NAMESPACES, PODS
from planes.kube.store.status_writer import WITHDRAW_SECONDS
from planes.kube.store.store import KubeStore
from planes.model.addresses import parse_address
from planes.model.errors import Conflict, JsonObject, Unavailable
from planes.model.events import Event
from planes.model.names import NETPLANE_NAMESPACE, STATUS_ANNOTATION
from planes.model.objects import CONFIG_MIRROR_ANNOTATION, NadRef, Pod
from tests.kube.store.store_scene import STATUS, Scene
from tests.support.cni.calls import add_request
from tests.support.kube.fake_kube import FakeKube

OTHER = STATUS.replace("10.9.0.7", "10.9.0.8")


@pytest.fixture
def scene() -> Scene:
    return Scene()


def seen(store: KubeStore, name: str = "web") -> Pod:
    pod = store.pod("shop", name)
    assert pod is not None
    return pod


def on_server(scene: Scene, name: str = "web") -> str | None:
    obj = scene.api.object(PODS, name, "shop")
    assert obj is not None
    status: str | None = (obj["metadata"].get("annotations") or {}).get(STATUS_ANNOTATION)
    return status


async def test_an_add_costs_one_patch_and_its_events(scene: Scene) -> None:
    uid = scene.put_pod()["metadata"]["uid"]
    async with scene.running(scene.for_node()) as store:
        asked = add_request("web", uid)
        subject = await Pods(store, is_standalone=False, node="node-a").find(asked)
        await store.put_status(subject.pod, STATUS)
        event = Event("AddedInterface", "Add net1", "Normal", "shop", "web", uid)
        await store.emit(event)
        assert scene.asked() == ["patch pods/status", "create events"]


async def test_an_own_status_is_seen_before_the_watch_tells_of_it(scene: Scene) -> None:
    scene.put_pod()
    async with scene.running(scene.for_node()) as store:
        await store.put_status(seen(store), STATUS)
        assert seen(store).annotations[STATUS_ANNOTATION] == STATUS
        await asyncio.sleep(0)
        place = NadRef(NETPLANE_NAMESPACE, "business"), parse_address("10.9.0.7")
        assert store.catalog.claims.holders(*place)


async def test_a_status_is_put_on_the_pod_that_is_meant_alone(scene: Scene) -> None:
    scene.put_pod()
    async with scene.running(scene.for_node()) as store:
        old = seen(store)
        scene.api.remove_object(PODS, "web", "shop")
        scene.put_pod()
        await store.put_status(old, STATUS)
        assert on_server(scene) is None


async def test_a_pod_that_is_gone_needs_no_status(scene: Scene) -> None:
    async with scene.running(scene.for_node()) as store:
        await store.put_status(Pod("shop", "gone", uid="u1"), STATUS)
        assert scene.asked() == ["patch pods/status"]


async def test_a_write_that_met_another_is_tried_again(scene: Scene) -> None:
    scene.put_pod()
    async with scene.running(scene.for_node()) as store:
        scene.api.fail_next(Conflict("cannot patch: it has been modified"), verb="patch")
        await store.put_status(seen(store), STATUS)
        assert on_server(scene) == STATUS


async def test_writes_that_always_meet_others_are_unavailable(scene: Scene) -> None:
    scene.put_pod()
    async with scene.running(scene.for_node()) as store:
        scene.api.fail_next(Conflict("cannot patch: it has been modified"), verb="patch", times=9)
        with pytest.raises(Unavailable, match="others write it at the same time"):
            await store.put_status(seen(store), STATUS)


async def test_an_api_server_that_is_away_fails_the_write(scene: Scene) -> None:
    scene.put_pod()
    async with scene.running(scene.for_node()) as store:
        scene.api.fail_next(Unavailable("cannot reach the API server"), verb="patch")
        with pytest.raises(Unavailable, match="cannot reach"):
            await store.put_status(seen(store), STATUS)


async def test_a_static_pod_is_written_by_the_uid_the_server_knows(scene: Scene) -> None:
    scene.put_pod("static", {CONFIG_MIRROR_ANNOTATION: "hash"})
    async with scene.running(scene.for_node()) as store:
        await store.put_status(Pod("shop", "static", uid="hash"), STATUS)
        assert on_server(scene, "static") == STATUS


async def test_a_static_pod_is_found_by_its_kubelets_uid_without_a_request(scene: Scene) -> None:
    scene.put_pod("static", {CONFIG_MIRROR_ANNOTATION: "hash"})
    async with scene.running(scene.for_node()) as store:
        asked = add_request("static", "hash")
        subject = await Pods(store, is_standalone=False, node="node-a").find(asked)
        assert subject.is_known
        assert scene.asked() == []


async def test_events_of_a_mirror_pod_are_told_where_kubectl_looks(scene: Scene) -> None:
    uid = scene.put_pod("static", {CONFIG_MIRROR_ANNOTATION: "hash"})["metadata"]["uid"]
    async with scene.running(scene.for_node()) as store:
        await store.emit(Event("AddedInterface", "Add net1", "Normal", "shop", "static", uid))
        (event,) = scene.api.objects(EVENTS)
        assert event["involvedObject"]["uid"] == "hash"


async def test_a_pod_created_anew_is_read_live_when_the_watch_lags(scene: Scene) -> None:
    scene.put_pod()
    async with scene.running(scene.for_node()) as store:
        scene.api.remove_object(PODS, "web", "shop")
        uid = scene.put_pod()["metadata"]["uid"]
        asked = add_request("web", uid)
        subject = await Pods(store, is_standalone=False, node="node-a").find(asked)
        assert subject.pod.uid == uid
        assert scene.asked() == ["get pods"]


async def test_a_pod_that_goes_on_without_a_sandbox_loses_its_status(scene: Scene) -> None:
    scene.put_pod("web", {STATUS_ANNOTATION: STATUS})
    async with scene.running(scene.for_node()) as store:
        await store.drop_status("shop", "web")
        assert on_server(scene) is None
        assert STATUS_ANNOTATION not in seen(store).annotations


async def test_a_pod_that_is_being_deleted_costs_no_request(scene: Scene) -> None:
    obj = scene.put_pod("web", {STATUS_ANNOTATION: STATUS})
    obj["metadata"]["finalizers"] = ["example.com/wait"]
    scene.api.put_object(PODS, obj)
    await scene.api.delete(PODS, "web", namespace="shop")
    async with scene.running(scene.for_node()) as store:
        before = scene.asked()
        await store.drop_status("shop", "web")
        await store.drop_status("shop", "gone")
        assert scene.asked() == before


async def test_an_add_after_a_del_has_the_last_word(scene: Scene) -> None:
    scene.put_pod("web", {STATUS_ANNOTATION: STATUS})
    async with scene.running(scene.for_node()) as store:
        pod = seen(store)
        await asyncio.gather(store.drop_status("shop", "web"), store.put_status(pod, OTHER))
        assert on_server(scene) == OTHER


class Stuck(FakeKube):
    """An API server that never answers a PATCH."""

    async def patch(self, *_: Any, **__: Any) -> JsonObject:
        """Wait for ever."""
        await asyncio.Event().wait()
        raise AssertionError


async def test_a_del_does_not_wait_long_for_an_api_server_that_is_away() -> None:
    scene = Scene(Stuck)
    scene.put_pod("web", {STATUS_ANNOTATION: STATUS})
    async with scene.running(scene.for_node()) as store, asyncio.timeout(WITHDRAW_SECONDS + 5):
        with pytest.raises(Unavailable, match="no answer within 2 s"):
            await store.drop_status("shop", "web")


async def test_events_need_no_namespace_that_is_known(scene: Scene) -> None:
    scene.api.remove_object(NAMESPACES, "shop")
    async with scene.running(scene.for_node()) as store:
        await store.emit(Event("PlaneDenied", "no", "Warning", "shop", "web", ""))
        assert len(scene.api.objects(EVENTS)) == 1
