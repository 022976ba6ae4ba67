"""`FakeKube` behaves as an API server does, where tests rely on it."""

from __future__ import annotations

import asyncio

import pytest

from planes.kube.api import Kind, KubeApi, PatchKind, Query
from planes.kube.errors import AlreadyExists, Expired
from planes.kube.resources import IPBLOCKS, PLANES, PODS, SECRETS
from planes.model.errors import BadInput, Conflict, JsonObject, NotFound, Unavailable
from tests.support.kube.fake_kube import FakeKube

ON_NODE1 = Query(PODS, fields="spec.nodeName=node1")


def pod(name: str, node: str = "", **labels: str) -> JsonObject:
    metadata = {"name": name, "namespace": "shop", "labels": labels}
    return {"metadata": metadata, "spec": {"nodeName": node} if node else {}}


def plane(name: str = "red") -> JsonObject:
    return {"metadata": {"name": name}, "spec": {"type": "macvlan"}, "status": {"nads": 1}}


async def names(kube: FakeKube, query: Query) -> list[str]:
    return [o["metadata"]["name"] async for page in kube.pages(query) for o in page.items]


async def take(kube: FakeKube, query: Query, version: str, count: int) -> list[tuple[str, str]]:
    seen: list[tuple[str, str]] = []
    changes = kube.watch(query, version)
    async for change in changes:
        seen.append((str(change.kind), change.obj["metadata"].get("name", "")))
        if len(seen) == count:
            await changes.aclose()
    return seen


def test_it_is_a_kube_api() -> None:
    api: KubeApi = FakeKube()
    assert api is not None


async def test_a_created_object_has_what_the_server_gives_it() -> None:
    made = await FakeKube().create(PLANES, plane())
    assert made["apiVersion"] == "netplane.io/v1alpha1"
    assert made["kind"] == "Plane"
    assert "status" not in made
    metadata = made["metadata"]
    assert metadata["uid"]
    assert (metadata["generation"], metadata["resourceVersion"]) == (1, "1")
    assert metadata["creationTimestamp"].endswith("Z")


async def test_a_taken_name_is_refused_and_a_generated_one_is_new() -> None:
    kube = FakeKube((PODS, pod("web")))
    with pytest.raises(AlreadyExists):
        await kube.create(PODS, pod("web"), namespace="shop")
    unnamed = {"metadata": {"generateName": "web-"}}
    first = await kube.create(PODS, unnamed, namespace="shop")
    second = await kube.create(PODS, unnamed, namespace="shop")
    assert first["metadata"]["name"] != second["metadata"]["name"]


async def test_neither_given_nor_gotten_objects_are_kept() -> None:
    given = pod("web", app="web")
    kube = FakeKube((PODS, given))
    given["metadata"]["labels"]["app"] = "changed"
    (await kube.get(PODS, "web", namespace="shop"))["metadata"]["labels"]["app"] = "changed"
    assert kube.objects(PODS)[0]["metadata"]["labels"] == {"app": "web"}


async def test_replace_compares_and_swaps() -> None:
    kube = FakeKube((PLANES, plane()))
    old = await kube.get(PLANES, "red")
    old["spec"]["type"] = "vlan"
    new = await kube.replace(PLANES, old)
    assert (new["metadata"]["generation"], new["status"]) == (2, {"nads": 1})
    with pytest.raises(Conflict):
        await kube.replace(PLANES, old)
    del old["metadata"]["resourceVersion"]
    with pytest.raises(BadInput):
        await kube.replace(PLANES, old)


async def test_status_and_spec_are_written_apart() -> None:
    kube = FakeKube((PLANES, plane()))
    patch = {"spec": {"type": "vlan"}, "status": {"nads": 2}, "metadata": {"labels": {"a": "b"}}}
    written = await kube.patch(PLANES, "red", patch, subresource="status")
    assert (written["spec"], written["status"]) == ({"type": "macvlan"}, {"nads": 2})
    assert "labels" not in written["metadata"]
    assert written["metadata"]["generation"] == 1
    annotated = FakeKube((PODS, pod("web")))
    patch = {"metadata": {"annotations": {"a": "b"}}}
    got = await annotated.patch(PODS, "web", patch, namespace="shop", subresource="status")
    assert got["metadata"]["annotations"] == {"a": "b"}


async def test_a_patch_has_preconditions() -> None:
    kube = FakeKube((PODS, pod("web")))
    for condition in ({"uid": "another"}, {"resourceVersion": "99"}):
        with pytest.raises(Conflict):
            await kube.patch(PODS, "web", {"metadata": condition}, namespace="shop")
    test = [{"op": "test", "path": "/metadata/name", "value": "other"}]
    with pytest.raises(BadInput):
        await kube.patch(PODS, "web", test, namespace="shop", kind=PatchKind.JSON)
    with pytest.raises(NotFound):
        await kube.patch(PODS, "api", {}, namespace="shop")


async def test_a_write_without_effect_makes_no_version() -> None:
    kube = FakeKube((PODS, pod("web")))
    before = kube.resource_version
    await kube.patch(PODS, "web", {"metadata": {"labels": None}}, namespace="shop")
    between = kube.resource_version
    await kube.patch(PODS, "web", {"metadata": {"labels": None}}, namespace="shop")
    assert (int(between) - int(before), kube.resource_version) == (1, between)


async def test_delete_asks_for_uid_and_version_and_takes_what_is_gone_for_done() -> None:
    kube = FakeKube((PODS, pod("web")))
    with pytest.raises(Conflict):
        await kube.delete(PODS, "web", namespace="shop", uid="another")
    with pytest.raises(Conflict):
        await kube.delete(PODS, "web", namespace="shop", resource_version="another")
    await kube.delete(PODS, "web", namespace="shop", uid=kube.objects(PODS)[0]["metadata"]["uid"])
    await kube.delete(PODS, "web", namespace="shop")
    assert kube.objects(PODS) == []


async def test_finalizers_hold_an_object() -> None:
    kube = FakeKube((PLANES, {"metadata": {"name": "red", "finalizers": ["a/b"]}}))
    await kube.delete(PLANES, "red")
    assert kube.objects(PLANES)[0]["metadata"]["deletionTimestamp"]
    await kube.patch(PLANES, "red", {"metadata": {"finalizers": None}})
    assert kube.objects(PLANES) == []


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Query(PODS, "shop"), ["a", "b", "c"]),
        (Query(PODS, "other"), []),
        (Query(PODS, labels="app=web"), ["a"]),
        (Query(PODS, labels="app!=web"), ["b", "c"]),
        (Query(PODS, labels="app in (web, db),!old"), ["a"]),
        (Query(PODS, labels="app notin (web),app"), ["b"]),
        (ON_NODE1, ["a", "b"]),
        (Query(PODS, fields="spec.nodeName!=node1"), ["c"]),
        (Query(PODS, fields="spec.hostNetwork==false,metadata.name=c"), ["c"]),
    ],
)
async def test_selectors(query: Query, expected: list[str]) -> None:
    old = pod("b", "node1", app="db", old="yes")
    kube = FakeKube((PODS, pod("a", "node1", app="web")), (PODS, old), (PODS, pod("c")))
    assert await names(kube, query) == expected


async def test_a_field_that_is_not_selectable_is_refused() -> None:
    with pytest.raises(BadInput):
        await names(FakeKube((IPBLOCKS, plane())), Query(IPBLOCKS, fields="spec.cidr=x"))


async def test_pages_are_of_one_moment_or_expired() -> None:
    kube = FakeKube(*((PODS, pod(f"p{n}")) for n in range(5)))
    kube.page_size = 2
    pages = kube.pages(Query(PODS))
    first = await anext(pages)
    kube.put_object(PODS, pod("zz"))
    second = await anext(pages)
    assert [len(first.items), len(second.items)] == [2, 2]
    assert second.resource_version == first.resource_version == "5"
    kube.expire()
    with pytest.raises(Expired):
        await anext(pages)
    assert kube.requests == [("list", "pods", "", "")] * 3


async def test_metadata_only_has_no_spec() -> None:
    kube = FakeKube((PODS, pod("web", "node1")))
    pages = [page async for page in kube.pages(Query(PODS, is_metadata_only=True))]
    assert "spec" not in pages[0].items[0]
    assert pages[0].items[0]["kind"] == "PartialObjectMetadata"


async def test_a_watch_tells_what_came_after_a_version_and_what_comes() -> None:
    kube = FakeKube((PODS, pod("a", "node1")))
    version = kube.resource_version
    kube.put_object(PODS, pod("b", "node1"))
    kube.put_object(SECRETS, pod("b"))
    watching = asyncio.create_task(take(kube, ON_NODE1, version, 4))
    await asyncio.sleep(0)
    kube.put_object(PODS, pod("a", "node1", app="web"))
    kube.put_object(PODS, pod("a", "node2"))
    kube.remove_object(PODS, "b", "shop")
    assert await watching == [("ADDED", "b"), ("MODIFIED", "a"), ("DELETED", "a"), ("DELETED", "b")]
    assert kube.watches == 0


async def test_a_deleted_object_carries_the_version_of_its_end() -> None:
    kube = FakeKube((PODS, pod("a")))
    kube.remove_object(PODS, "a", "shop")
    change = await anext(kube.watch(Query(PODS), "1"))
    assert (change.kind, change.obj["metadata"]["resourceVersion"]) == (Kind.DELETED, "2")


async def test_watches_are_cut_ended_bookmarked_and_expired() -> None:
    kube = FakeKube((PODS, pod("a")))

    async def until_end(version: str) -> None:
        async for change in kube.watch(Query(PODS), version):
            assert change.kind is Kind.BOOKMARK

    broken = asyncio.create_task(until_end("1"))
    await asyncio.sleep(0)
    kube.bookmark()
    kube.cut_watches()
    with pytest.raises(Unavailable):
        await broken
    ended = asyncio.create_task(until_end("1"))
    await asyncio.sleep(0)
    kube.end_watches()
    await ended
    kube.expire()
    with pytest.raises(Expired):
        await until_end("1")


async def test_the_next_request_of_a_kind_fails_or_comes_too_late() -> None:
    kube = FakeKube((PODS, pod("a")))
    kube.fail_next(Unavailable("cannot: down"), verb="get", resource=PODS)
    assert await names(kube, Query(PODS)) == ["a"]
    with pytest.raises(Unavailable):
        await kube.get(PODS, "a", namespace="shop")
    kube.before_next(lambda: kube.remove_object(PODS, "a", "shop"), verb="patch")
    with pytest.raises(NotFound):
        await kube.patch(PODS, "a", {}, namespace="shop", subresource="status")
    assert kube.requests[-1] == ("patch", "pods/status", "shop", "a")
