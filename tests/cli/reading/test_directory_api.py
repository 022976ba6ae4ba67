"""A directory of manifests, read as an API server is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from planes.cli.reading.directory_api import DirectoryApi
from planes.kube.api import Query
from planes.kube.resources import EVENTS, IPBLOCKS, NAMESPACES, PLANES, PODS
from planes.kube.store.pod_views import POD_FIELDS
from planes.model.errors import NotFound
from planes.model.names import STATUS_ANNOTATION
from planes.store.records import EventLog, StatusFiles
from tests.support.planes import plane_object


def pod(name: str, node: str, status: str = "") -> dict[str, object]:
    annotations = {STATUS_ANNOTATION: status} if status else {}
    meta = {"name": name, "namespace": "shop", "annotations": annotations}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"nodeName": node}}


@pytest.fixture
def manifests(tmp_path: Path) -> Path:
    directory = tmp_path / "manifests"
    directory.mkdir()
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    objects = [plane_object(), namespace, pod("a", "n1", "[forged]"), pod("b", "n2")]
    for number, obj in enumerate(objects):
        (directory / f"{number}.json").write_text(json.dumps(obj))
    return directory


async def names(api: DirectoryApi, query: Query) -> list[str]:
    return [obj["metadata"]["name"] async for page in api.pages(query) for obj in page.items]


async def test_each_kind_is_listed(manifests: Path) -> None:
    api = DirectoryApi(manifests)
    assert await names(api, Query(PLANES)) == ["business"]
    assert await names(api, Query(NAMESPACES)) == ["shop"]
    assert await names(api, Query(PODS, fields=POD_FIELDS)) == ["a", "b"]
    assert await names(api, Query(IPBLOCKS)) == []


async def test_fields_and_namespace_select(manifests: Path) -> None:
    api = DirectoryApi(manifests)
    assert await names(api, Query(PODS, fields="spec.nodeName=n2")) == ["b"]
    assert await names(api, Query(PODS, fields="spec.nodeName!=n2")) == ["a"]
    assert await names(api, Query(PODS, namespace="other")) == []


async def test_an_object_is_read_by_name(manifests: Path) -> None:
    api = DirectoryApi(manifests)
    assert (await api.get(PODS, "a", namespace="shop"))["spec"] == {"nodeName": "n1"}
    with pytest.raises(NotFound, match="cannot find Pod shop/c in the manifests") as caught:
        await api.get(PODS, "c", namespace="shop")
    assert caught.value.remedy == "look at its name and its namespace (-n)"


async def test_a_name_that_is_nearly_right_is_named(manifests: Path) -> None:
    with pytest.raises(NotFound) as caught:
        await DirectoryApi(manifests).get(PLANES, "busines")
    assert caught.value.remedy == "did you mean business?"


async def test_only_the_status_that_a_daemon_published_counts(
    manifests: Path, tmp_path: Path
) -> None:
    StatusFiles(tmp_path).put("shop", "b", "[]")
    api = DirectoryApi(manifests, tmp_path)
    found = {name: await api.get(PODS, name, namespace="shop") for name in "ab"}
    shown = {n: obj["metadata"]["annotations"].get(STATUS_ANNOTATION) for n, obj in found.items()}
    assert shown == {"a": None, "b": "[]"}


async def test_what_a_reader_changes_is_his_own(manifests: Path) -> None:
    api = DirectoryApi(manifests)
    (await api.get(PLANES, "business"))["spec"].clear()
    assert (await api.get(PLANES, "business"))["spec"]


async def test_events_are_those_of_the_log(manifests: Path, tmp_path: Path) -> None:
    EventLog(tmp_path).append({"reason": "AddedInterface", "metadata": {"name": "x"}})
    with EventLog(tmp_path).path.open("ab") as log:
        log.write(b'{"reason": "cut')
    api = DirectoryApi(manifests, tmp_path)
    (page,) = [page async for page in api.pages(Query(EVENTS))]
    assert [event["reason"] for event in page.items] == ["AddedInterface"]


async def test_what_is_ignored_is_a_problem(manifests: Path) -> None:
    (manifests / "broken.yaml").write_text("kind: [")
    (problem,) = DirectoryApi(manifests).problems
    assert "broken.yaml" in problem.where
