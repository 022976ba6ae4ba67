"""A tenant writes large objects, and many: other namespaces keep their memory and their NADs."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from planes.kube.resources import NADS, PLANES
from planes.kube.store.nad_cache import MOST_NAMES, NadCache
from planes.model import bounds
from planes.model.decide.decision import decide
from planes.model.errors import JsonObject
from planes.model.names import NETPLANE_NAMESPACE
from planes.model.objects import Nad, NadRef, Namespace, Pod
from planes.model.state.catalog import Catalog
from planes.model.state.memo import Memo
from tests.attacks.objects import nad_object
from tests.kube.store.store_scene import Scene
from tests.support.model import make_namespace, pod_object
from tests.support.planes import make_plane, plane_object

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


def book_of(*objects: JsonObject, trusted: tuple[str, ...] = ()) -> NadCache:
    book = NadCache(lambda: None, trusted)
    book.begin()
    for obj in objects:
        book.put(obj)
    book.finish()
    return book


def usable(book: NadCache) -> list[str]:
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


def test_tenant_labels_by_the_thousand_are_told_of_up_to_a_bound() -> None:
    labels = {f"plane.netplane.io/plane-{n}": "enabled" for n in range(2000)}
    labels["plane.netplane.io/zz"] = "required"
    planes = [make_plane(f"stage-{n}") for n in range(200)]
    membership = Catalog.build(planes).membership(Namespace("shop", labels))
    assert len(membership.warnings) == bounds.MAX_FINDINGS
    assert len(membership.errors) == 1


def test_tenant_texts_of_all_kinds_are_remembered_up_to_a_bound() -> None:
    memo: Memo[str] = Memo(lambda text, _: text * 10)
    for number in range(5000):
        memo.get(f"{number:04}" * 1000)
    assert len(memo) <= 64
    for number in range(5000):
        memo.get(f"{number}")
    assert len(memo) > 256
