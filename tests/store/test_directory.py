"""DirStore over real directories: its objects, when it notices changes, what it publishes."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from planes.model.errors import Unavailable
from planes.model.events import Event
from planes.model.names import NETPLANE_NAMESPACE, STATUS_ANNOTATION
from planes.model.objects import NadRef, Pod
from planes.run.clock import Clock, SystemClock
from planes.store.directory import DirStore
from planes.store.pod_files import PodFiles
from planes.store.protocol import Store
from planes.store.scan import Look
from tests.support.clock import FakeClock
from tests.support.planes import plane_object
from tests.support.store import FakeStore

STATUS = '[{"name":"netplane-system/business","interface":"net1","ips":["10.9.0.7"]}]'
BUSINESS = NadRef(NETPLANE_NAMESPACE, "business")


def pod_object(name: str, uid: str = "u1", **annotations: str) -> dict[str, object]:
    meta = {"name": name, "namespace": "shop", "uid": uid, "annotations": annotations}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"nodeName": "node-a"}}


def make_store(tmp_path: Path, clock: Clock) -> DirStore:
    (tmp_path / "m").mkdir(exist_ok=True)
    return DirStore(tmp_path / "m", tmp_path / "state", clock=clock, node="node-a")


def write(tmp_path: Path, name: str, *objects: object) -> Path:
    path = tmp_path / "m" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n---\n".join(json.dumps(obj) for obj in objects))
    return path


@pytest.fixture
async def store(tmp_path: Path) -> DirStore:
    write(tmp_path, "plane.yaml", plane_object())
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    write(tmp_path, "ns.json", namespace)
    write(tmp_path, "pods/shop_web.json", pod_object("web"))
    store = make_store(tmp_path, FakeClock())
    await store.refresh(Look.ALL_AT_ONCE)
    return store


@pytest.fixture
async def watching(tmp_path: Path) -> AsyncIterator[DirStore]:
    store = make_store(tmp_path, SystemClock())
    task = asyncio.create_task(store.run())
    await until(lambda: store.is_synced)
    yield store
    task.cancel()
    await asyncio.wait({task})


async def until(is_true: Callable[[], bool], seconds: float = 5) -> float:
    start = time.monotonic()
    while not is_true():
        assert time.monotonic() < start + seconds
        await asyncio.sleep(0.01)
    return time.monotonic() - start


def test_both_stores_are_stores(tmp_path: Path) -> None:
    stores: list[Store] = [make_store(tmp_path, FakeClock()), FakeStore()]
    assert [store.is_synced for store in stores] == [False, True]


async def test_planes_namespaces_pods_and_rendered_nads_are_offered(store: DirStore) -> None:
    plane, pod = store.catalog.plane("business"), store.pod("shop", "web")
    assert plane is not None
    assert pod is not None
    assert store.namespace("shop") is not None
    assert BUSINESS in store.catalog.nads
    assert (pod.uid, pod.node) == ("u1", "node-a")
    assert store.namespace("other") is None
    assert store.problems() == ()


async def test_a_change_is_seen_within_a_second(watching: DirStore, tmp_path: Path) -> None:
    path = write(tmp_path, "plane.yaml", plane_object())
    assert await until(lambda: watching.catalog.plane("business") is not None) < 1
    write(tmp_path, "plane.yaml", plane_object(purpose="changed"))
    assert await until(lambda: _purpose(watching) == "changed") < 1
    path.unlink()
    assert await until(lambda: watching.catalog.plane("business") is None) < 1


def _purpose(store: DirStore) -> str:
    plane = store.catalog.plane("business")
    return plane.purpose if plane else ""


async def test_a_broken_file_is_told_once_and_the_last_good_state_stays(
    store: DirStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "m" / "plane.yaml"
    path.write_text("kind: Plane\n  spec: x\n")
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            await store.refresh(Look.ALL_AT_ONCE)
        write(tmp_path, "plane.yaml", plane_object())
        await store.refresh(Look.ALL_AT_ONCE)
    assert store.catalog.plane("business") is not None
    assert [record.message for record in caplog.records] == ["manifest ignored", "manifest mended"]
    assert caplog.records[0].__dict__["where"] == f"{path}:2"


async def test_of_two_objects_with_one_name_the_first_file_counts(
    store: DirStore, tmp_path: Path
) -> None:
    """By the files' names, so every restart and every node decides the same."""
    other = write(tmp_path, "a-plane.yaml", plane_object(purpose="first"))
    await store.refresh(Look.ALL_AT_ONCE)
    assert _purpose(store) == "first"
    (problem,) = store.problems()
    assert problem.where == f"{tmp_path / 'm' / 'plane.yaml'}:1"
    assert str(other) in problem.reason


async def test_addresses_that_pods_have_or_ask_for_are_claims(
    store: DirStore, tmp_path: Path
) -> None:
    wish = json.dumps([{"name": "business", "namespace": "netplane-system", "ips": ["10.9.0.9"]}])
    asking = pod_object("asking", **{"k8s.v1.cni.cncf.io/networks": wish})
    path = write(tmp_path, "pods/shop_asking.json", asking)
    await store.refresh(Look.ALL_AT_ONCE)
    assert claimed(store) == {"10.9.0.9": ["shop/asking"]}
    web = store.pod("shop", "web")
    assert web is not None
    await store.put_status(web, STATUS)
    assert claimed(store) == {"10.9.0.7": ["shop/web"], "10.9.0.9": ["shop/asking"]}
    path.unlink()
    await store.drop_status("shop", "web")
    await store.refresh(Look.ALL_AT_ONCE)
    assert claimed(store) == {}


def claimed(store: DirStore) -> dict[str, list[str]]:
    plane = store.catalog.plane("business")
    assert plane is not None
    spans = plane.subnets[0].dynamic
    found = {
        str(address): [claim.pod for claim in store.catalog.claims.holders(BUSINESS, address)]
        for span in spans
        for address in span
    }
    return {address: pods for address, pods in found.items() if pods}


async def test_a_status_is_a_file_and_shows_on_the_pod_at_once(
    store: DirStore, tmp_path: Path
) -> None:
    pod = store.pod("shop", "web")
    assert pod is not None
    await store.put_status(pod, STATUS)
    path = tmp_path / "state" / "status" / "shop" / "web.json"
    assert path.read_text() == STATUS
    shown = store.pod("shop", "web")
    assert shown is not None
    assert shown.annotations[STATUS_ANNOTATION] == STATUS
    await store.drop_status("shop", "web")
    await store.drop_status("shop", "web")
    shown = store.pod("shop", "web")
    assert not path.parent.exists()
    assert shown == pod


async def test_a_status_that_another_process_wrote_is_seen(store: DirStore, tmp_path: Path) -> None:
    path = tmp_path / "state" / "status" / "shop" / "web.json"
    path.parent.mkdir(parents=True)
    path.write_text(STATUS)
    await store.refresh()
    pod = store.pod("shop", "web")
    assert pod is not None
    assert pod.annotations[STATUS_ANNOTATION] == STATUS


async def test_a_status_of_a_pod_without_manifest_is_published_all_the_same(
    store: DirStore, tmp_path: Path
) -> None:
    """Podman gives names of its own, and some that are no file names."""
    await store.put_status(Pod("../up", ".hidden"), STATUS)
    (path,) = (tmp_path / "state" / "status").rglob("*.json")
    assert path.parent.parent == tmp_path / "state" / "status"
    await store.drop_status("../up", ".hidden")
    assert not path.exists()


async def test_a_status_that_cannot_be_written_is_an_error(store: DirStore, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "status").touch()
    with pytest.raises(Unavailable, match="cannot write the network-status of pod shop/web"):
        await store.put_status(Pod("shop", "web"), STATUS)


async def test_fetching_a_pod_needs_no_look_that_has_happened_before(
    store: DirStore, tmp_path: Path
) -> None:
    """Kubelet calls the moment the pod is there."""
    write(tmp_path, "pods/shop_new.json", pod_object("new"))
    write(tmp_path, "more.yaml", pod_object("many"))
    found = [await store.fetch_pod("shop", name) for name in ("new", "many", "none")]
    assert [pod and pod.name for pod in found] == ["new", "many", None]


async def test_fetching_gives_the_pod_of_now_not_of_the_last_look(
    store: DirStore, tmp_path: Path
) -> None:
    write(tmp_path, "pods/shop_web.json", pod_object("web", uid="u2"))
    pod = await store.fetch_pod("shop", "web")
    assert pod is not None
    assert pod.uid == "u2"


async def test_a_pod_file_lies_where_the_store_looks_first(store: DirStore, tmp_path: Path) -> None:
    PodFiles(tmp_path / "m").put(pod_object("made"))
    assert (tmp_path / "m" / "pods" / "shop_made.json").is_file()
    assert await store.fetch_pod("shop", "made") is not None


async def test_events_are_lines_with_names_of_their_own(store: DirStore, tmp_path: Path) -> None:
    event = Event("AddedInterface", "Add net1 [10.9.0.7/24]", "Normal", "shop", "web", "u1")
    await store.emit(event)
    await store.emit(event)
    lines = (tmp_path / "state" / "events.jsonl").read_text().splitlines()
    first, second = (json.loads(line) for line in lines)
    assert first["metadata"]["name"] != second["metadata"]["name"]
    assert (first["reason"], first["message"]) == (event.reason, event.message)
    assert first["firstTimestamp"] == "2027-01-15T08:00:00Z"


async def test_an_event_that_cannot_be_written_fails_nothing(
    store: DirStore, tmp_path: Path
) -> None:
    (tmp_path / "state").touch()
    await store.emit(Event("AddedInterface", "Add net1", "Normal", "shop", "web", "u1"))


async def test_addresses_may_be_shared_by_stores(tmp_path: Path) -> None:
    write(tmp_path, "plane.yaml", plane_object())
    shared = tmp_path / "addresses"
    one, two = (
        DirStore(tmp_path / "m", tmp_path / node, clock=FakeClock(), addresses_dir=shared)
        for node in ("a", "b")
    )
    assert await one.addresses.holders("business") == {}
    assert await two.addresses.holders("business") == {}
    assert not shared.exists()
