"""A tenant writes large objects, and many: everybody else keeps their memory and their NADs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planes.kube.api import Change, Query
from planes.kube.nad_book import MOST_NAMES, NadBook
from planes.kube.pod_views import NodePods
from planes.kube.resources import NADS, NAMESPACES, PLANES
from planes.kube.skim import OF_NADS, PIECE_BYTES, Bound, EventSkim, ListSkim, Skimmed
from planes.model import bounds
from planes.model.decide.decision import decide
from planes.model.errors import JsonObject
from planes.model.names import NETPLANE_NAMESPACE, NETWORKS_ANNOTATION
from planes.model.objects import Nad, NadRef, Pod
from planes.model.state.catalog import Catalog
from tests.attacks.worlds import nad_object
from tests.kube.store_scene import Scene
from tests.support.model import make_namespace, pod_object
from tests.support.planes import plane_object
from tests.support.scripted_api import ScriptedApi, client_of, event, says, scripted_api, streams


def skimmed(**metadata: str) -> Skimmed:
    """Give what is known of an object of 1 MiB."""
    return Skimmed({("metadata", key): text for key, text in metadata.items()}, 1 << 20)


LARGE = "x" * (1500 << 10)
OWN = NadRef("shop", "own")


def config(**ipam: Any) -> str:
    network = {"cniVersion": "1.0.0", "type": "macvlan", "master": "eth1"}
    return orjson.dumps({**network, "ipam": {"type": "host-local", **ipam}}).decode()


def catalog_with(text: str) -> Catalog:
    return Catalog.build(nads=[Nad(*OWN, text)])


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ('{"type":"bridge","x":"' + "x" * (32 << 10) + '"}', "more than 32 KiB"),
        ('{"type":"bridge","x":[' + ",".join(["{}"] * 3000) + "]}", "commas and brackets"),
        (config(ranges=[[{"subnet": f"10.0.{n}.0/24"}] for n in range(65)]), "65 ranges"),
        (config(ranges=[[{"subnet": f"10.0.{n}.0/24"} for n in range(65)]]), "65 ranges"),
        (config(routes=[{"dst": f"10.{n}.0.0/16"} for n in range(257)]), "257 routes"),
    ],
)
def test_tenant_nad_out_of_bounds_is_refused_and_its_bytes_are_not_kept(
    text: str, cause: str
) -> None:
    catalog = catalog_with(text)
    assert cause in catalog.facts_of(OWN).fault
    assert catalog.facts_of(OWN).remedy
    assert catalog.nads[OWN].config == ""
    decision = decide(Pod.from_object(pod_object(networks="own")), make_namespace(), catalog)
    assert cause in decision.message


def test_tenant_nad_within_bounds_is_used() -> None:
    catalog = catalog_with(config(ranges=[[{"subnet": f"10.0.{n}.0/24"}] for n in range(64)]))
    assert not catalog.facts_of(OWN).fault
    assert len(catalog.facts_of(OWN).ranges) == 64


def test_tenant_annotations_of_a_nad_are_not_kept() -> None:
    book = book_of(
        nad_object("own", annotations={"k8s.v1.cni.cncf.io/resourceName": "a/b", "c": "d"})
    )
    (nad,) = book.values()
    assert nad.annotations == {"k8s.v1.cni.cncf.io/resourceName": "a/b"}


def book_of(*objects: JsonObject, trusted: tuple[str, ...] = ()) -> NadBook:
    book = NadBook(lambda: None, trusted)
    book.begin()
    for obj in objects:
        book.put(obj)
    book.finish()
    return book


def usable(book: NadBook) -> list[str]:
    return sorted(nad.name for nad in book.values() if not nad.fault)


def test_tenant_nads_beyond_a_namespaces_number_are_refused_and_those_created_first_count() -> None:
    last = [nad_object(f"a{n:04}", created="2026-02-02T00:00:00Z") for n in range(300)]
    first = [nad_object(f"z{n:04}", created="2026-01-01T00:00:00Z") for n in range(200)]
    names = usable(book_of(*last, *first))
    assert len(names) == bounds.MAX_NADS_OF_NAMESPACE
    assert {f"z{n:04}" for n in range(200)} <= set(names)
    assert names == usable(book_of(*reversed([*last, *first])))


def test_tenant_nads_keep_to_their_namespaces_bytes() -> None:
    large = '{"type":"bridge","x":"' + "x" * 32_000 + '"}'
    book = book_of(*(nad_object(f"n{n:03}", config=large) for n in range(200)))
    kept = sum(len(nad.config) for nad in book.values())
    assert kept <= bounds.MAX_NAD_BYTES_OF_NAMESPACE
    (refused,) = [nad for nad in book.values() if nad.name == "n199"]
    assert "those that were created first count" in refused.fault
    assert refused.config == ""


def test_tenant_nads_beyond_all_measure_are_not_even_remembered_by_name() -> None:
    book = book_of(*(nad_object(f"n{n:05}") for n in range(MOST_NAMES + 500)))
    assert sum(1 for _ in book.values()) == MOST_NAMES


def test_tenant_nads_cost_the_administrators_namespace_nothing() -> None:
    own = [nad_object(f"n{n:04}", namespace=NETPLANE_NAMESPACE) for n in range(2000)]
    book = book_of(*own, trusted=(NETPLANE_NAMESPACE,))
    assert len(usable(book)) == 2000


async def test_tenant_nads_before_a_planes_own_one_do_not_push_it_out() -> None:
    scene = Scene()
    for number in range(400):
        scene.api.put_object(NADS, nad_object(f"a{number:03}"))
    scene.api.put_object(NADS, nad_object("zebra"))
    async with scene.running(scene.for_admission()) as store:
        ref = NadRef("shop", "zebra")
        assert store.catalog.nads[ref].fault
        network = {"nadRef": {"namespace": "shop", "name": "zebra"}}
        plane = plane_object("striped", network=network, subnets=[])
        scene.api.put_object(PLANES, plane)
        await scene.until(lambda: not store.catalog.facts_of(ref).fault)


async def test_tenant_nad_counts_once_its_namespace_has_room_for_it() -> None:
    scene = Scene()
    for number in range(bounds.MAX_NADS_OF_NAMESPACE):
        scene.api.put_object(NADS, nad_object(f"z{number:03}"))
    async with scene.running(scene.for_node()) as store:
        ref = NadRef("shop", f"z{bounds.MAX_NADS_OF_NAMESPACE - 1:03}")  # `own` is the first
        assert store.catalog.nads[ref].fault
        scene.api.remove_object(NADS, "z000", "shop")
        await scene.until(lambda: not store.catalog.nads[ref].fault)


def test_tenant_write_of_a_nad_leaves_the_reading_of_all_others() -> None:
    one = Catalog.build(nads=[Nad("shop", f"n{n}", config()) for n in range(50)])
    two = one.with_nads({OWN: Nad(*OWN, config())})
    assert OWN in two.nads
    assert all(two.facts[ref] is one.facts[ref] for ref in one.nads)
    assert two.same_named("own") == (OWN,)
    assert OWN not in two.with_nads({OWN: None}).nads


# Objects as they come over the wire.


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
    book = book_of(skimmed(namespace="shop", name="own"))
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


async def test_tenant_pod_that_is_too_large_still_counts_for_its_quota() -> None:
    scene = Scene()
    async with scene.running(scene.for_admission()) as store:
        pod = skimmed(namespace="shop", name="web")
        pod["metadata"]["annotations"] = {NETWORKS_ANNOTATION: "netplane-system/business"}
        store._pods.put(pod)
        await scene.settled()
        usage = store.catalog.claims.usage(NadRef(NETPLANE_NAMESPACE, "business"), "shop")
        assert usage.attachments == 1
