"""A tenant writes objects of megabytes: they are named in the log, and not decoded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planes.kube.api import Change, Query
from planes.kube.client.skim import OF_NADS, PIECE_BYTES, Bound, EventSkim, ListSkim, Skimmed
from planes.kube.resources import NADS, NAMESPACES
from planes.kube.store.nad_cache import NadCache
from planes.kube.store.pod_views import NodePods
from planes.model.errors import JsonObject
from planes.model.names import NETPLANE_NAMESPACE, NETWORKS_ANNOTATION
from planes.model.objects import NadRef
from tests.kube.store.store_scene import Scene
from tests.support.kube.scripted_api import (
    ScriptedApi,
    client_of,
    event,
    says,
    scripted_api,
    streams,
)

LARGE = "x" * (1500 << 10)


def skimmed(**metadata: str) -> Skimmed:
    """Return what is known of an object of 1 MiB."""
    return Skimmed({("metadata", key): text for key, text in metadata.items()}, 1 << 20)


def nad_bytes(name: str, text: str = "{}", **metadata: Any) -> JsonObject:
    return {
        "apiVersion": "k8s.cni.cncf.io/v1",
        "kind": "NetworkAttachmentDefinition",
        "metadata": {**metadata, "name": name, "namespace": "shop", "resourceVersion": "7"},
        "spec": {"config": text},
    }


@pytest.fixture
async def api(tmp_path: Any) -> Any:
    async with scripted_api(tmp_path) as serving:
        yield serving


@pytest.mark.parametrize(
    "large",
    [
        nad_bytes("large", LARGE),
        nad_bytes("large", '"' * (700 << 10)),
        nad_bytes("large", labels={f"l{number}": "" for number in range(100_000)}),
        nad_bytes("large", managedFields=[{f"f:{number}": {} for number in range(100_000)}]),
    ],
    ids=["config", "quotes", "labels", "managed fields"],
)
async def test_tenant_object_of_a_megabyte_is_named_and_not_decoded(
    api: ScriptedApi, large: JsonObject
) -> None:
    small = nad_bytes("small")
    listed = {"apiVersion": "v1", "items": [small, large], "metadata": {"resourceVersion": "9"}}
    api.then(says(listed), streams(event("ADDED", large), event("ADDED", small)))
    async with client_of(api) as client:
        pages = [page async for page in client.pages(Query(NADS))]
        changes: list[Change] = [each async for each in client.watch(Query(NADS), "9")]
    first, second = [obj for page in pages for obj in page.items]
    assert first == small
    assert pages[-1].resource_version == "9"
    assert [change.obj for change in changes] == [second, first]
    assert isinstance(second, Skimmed)
    assert second["metadata"] == {"name": "large", "namespace": "shop", "resourceVersion": "7"}


async def test_tenant_nad_of_a_megabyte_is_refused_by_name() -> None:
    book = NadCache(lambda: None, ())
    book.put(skimmed(namespace="shop", name="own"))
    (nad,) = book.values()
    assert "the object has 1048576 bytes" in nad.fault


TEXT = st.text(st.sampled_from('a"\\{}[],:é\n'), max_size=6)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)
NAMED = st.fixed_dictionaries({"name": TEXT, "labels": JSON, "uid": TEXT})
OBJECTS = st.lists(st.fixed_dictionaries({"spec": JSON, "metadata": NAMED}), max_size=3)


@settings(max_examples=60, deadline=None)
@given(OBJECTS, st.booleans(), st.integers(1, 40))
def test_tenant_objects_of_any_form_are_told_apart_in_any_pieces(
    objects: list[JsonObject], is_sorted: bool, piece: int
) -> None:
    listing = {"metadata": {"resourceVersion": "5", "continue": 'm"'}, "items": objects}
    data = orjson.dumps(listing, option=orjson.OPT_SORT_KEYS if is_sorted else 0)
    for bound in (OF_NADS, Bound(0, 0)):
        skim = ListSkim(bound)
        found = [obj for part in _pieces(data, piece) for obj in skim.feed(part)]
        assert skim.found == listing["metadata"]
        if bound is OF_NADS:
            assert found == objects
        else:
            names = [{key: obj["metadata"][key] for key in ("name", "uid")} for obj in objects]
            assert [each["metadata"] for each in found] == names


@settings(max_examples=60, deadline=None)
@given(OBJECTS, st.integers(1, 40))
def test_tenant_events_of_any_form_are_named_in_any_pieces(
    objects: list[JsonObject], piece: int
) -> None:
    for obj in objects:
        skim = EventSkim()
        for part in _pieces(orjson.dumps({"type": "ADDED", "object": obj}), piece):
            skim.feed(part)
        found = skim.ended()
        assert found["type"] == "ADDED"
        assert found["object"]["metadata"]["name"] == obj["metadata"]["name"]


def _pieces(data: bytes, size: int) -> Iterator[bytes]:
    assert size <= PIECE_BYTES
    return (data[at : at + size] for at in range(0, len(data), size))


@given(st.binary(max_size=200))
def test_tenant_bytes_that_are_no_json_raise_nothing_while_they_are_skimmed(data: bytes) -> None:
    skim = EventSkim()
    skim.feed(data)
    assert isinstance(skim.ended()["object"], Skimmed)


# What is made of an object that could not be decoded.


async def test_tenant_namespace_that_grows_too_large_stays_joined() -> None:
    scene = Scene()
    store = scene.for_admission()
    async with scene.running(store):
        before = store.namespace("shop")
        known = scene.api.object(NAMESPACES, "shop")
        assert known is not None
        store._namespaces.put(skimmed(name="shop", uid=known["metadata"]["uid"]))
        assert store.namespace("shop") == before


def test_tenant_pod_that_is_too_large_is_not_judged_by_a_part_of_it() -> None:
    view = NodePods("node-a", lambda *_: None)
    meta = {"name": "web", "namespace": "shop", "uid": "u", "resourceVersion": "1"}
    view.begin()
    view.put({"metadata": meta})
    view.finish()
    view.put(skimmed(**meta))
    assert view.seen("shop", "web") is None  # so it is read live
    view.put({"metadata": {**meta, "labels": {f"l{n}": "x" * 60 for n in range(1200)}}})
    assert view.seen("shop", "web") is None
    view.put({"metadata": {**meta, "annotations": {"note": "x" * (200 << 10)}}})
    seen = view.seen("shop", "web")
    assert seen is not None
    assert not seen.pod.annotations


async def test_tenant_pod_that_is_too_large_still_counts_for_its_quota() -> None:
    scene = Scene()
    async with scene.running(scene.for_admission()) as store:
        pod = skimmed(namespace="shop", name="web")
        pod["metadata"]["annotations"] = {NETWORKS_ANNOTATION: "netplane-system/business"}
        store._pods.put(pod)
        await scene.settled()
        usage = store.catalog.claims.usage(NadRef(NETPLANE_NAMESPACE, "business"), "shop")
        assert usage.attachments == 1
