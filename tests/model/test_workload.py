"""Workloads become pods as their controllers make them, and are checked as a whole."""

from __future__ import annotations

from typing import Any

import pytest

from planes.model.decide.workload_check import shared_faults
from planes.model.errors import BadInput, JsonObject
from planes.model.names import NETWORKS_ANNOTATION, STATIC_IPS_ANNOTATION
from planes.model.objects import Pod
from planes.model.workload import MAX_PODS, pods_of
from tests.support.model import admit, make_catalog, make_namespace, make_plane, networks_of


def workload(kind: str, annotations: dict[str, str] | None = None, **spec: Any) -> JsonObject:
    meta = {"labels": {"app": "web"}, **({"annotations": annotations} if annotations else {})}
    template = {"metadata": meta, "spec": {"containers": [{"name": "c"}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"template": template, **spec},
    }


def pods(obj: JsonObject) -> list[Pod]:
    return [Pod.from_object(pod) for pod in pods_of(obj)]


def test_a_stateful_set_numbers_its_pods() -> None:
    found = pods(workload("StatefulSet", replicas=2, ordinals={"start": 3}))
    assert [(pod.name, pod.ordinal) for pod in found] == [("web-3", 3), ("web-4", 4)]
    assert {(pod.owner_kind, pod.owner_name) for pod in found} == {("StatefulSet", "web")}


def test_a_deployment_makes_pods_of_its_replica_set() -> None:
    found = pods(workload("Deployment", replicas=3))
    assert len({pod.name for pod in found}) == 3
    for pod in found:
        assert pod.name.startswith(f"{pod.owner_name}-")
        assert pod.owner_kind == "ReplicaSet"
        assert "web" in pod.owners
        assert pod.labels["app"] == "web"
        assert pod.ordinal is None


def test_the_same_manifest_gives_the_same_pods_and_another_template_others() -> None:
    assert pods_of(workload("Deployment")) == pods_of(workload("Deployment"))
    changed = workload("Deployment", {"a": "b"})
    assert pods(changed)[0].owner_name != pods(workload("Deployment"))[0].owner_name


@pytest.mark.parametrize(
    ("obj", "count"),
    [
        (workload("DaemonSet"), 1),
        (workload("ReplicaSet", replicas=2), 2),
        (workload("Deployment", replicas=0), 0),
        (workload("Job", parallelism=2, completions=5), 2),
        (workload("Job", completionMode="Indexed", completions=3), 3),
        ({"kind": "Service", "metadata": {"name": "web"}}, 0),
        ({"kind": "List", "items": [workload("StatefulSet"), workload("DaemonSet")]}, 2),
        ({}, 0),
    ],
)
def test_each_kind_makes_its_pods(obj: JsonObject, count: int) -> None:
    assert len(pods_of(obj)) == count


def test_an_indexed_job_numbers_its_pods() -> None:
    found = pods(workload("Job", completionMode="Indexed", completions=2))
    assert [pod.ordinal for pod in found] == [0, 1]


def test_a_cron_job_makes_the_pods_of_its_job() -> None:
    cron = {
        "kind": "CronJob",
        "metadata": {"name": "nightly", "namespace": "shop"},
        "spec": {"jobTemplate": {"spec": workload("Job")["spec"]}},
    }
    assert [pod.owner_name for pod in pods(cron)] == ["nightly-0"]


def test_a_pod_without_name_gets_one() -> None:
    (pod,) = pods({"kind": "Pod", "metadata": {"generateName": "run-"}})
    assert pod.name.startswith("run-")


@pytest.mark.parametrize(
    "obj",
    [
        workload("Deployment", replicas=-1),
        workload("Deployment", replicas="2"),
        workload("Deployment", replicas=MAX_PODS + 1),
        workload("Deployment", template=None),
        {"kind": "StatefulSet", "metadata": {}, "spec": {}},
        {"kind": "List", "items": [7]},
    ],
)
def test_a_malformed_workload_is_refused(obj: JsonObject) -> None:
    with pytest.raises(BadInput, match="cannot "):
        pods_of(obj)


def test_replicas_that_share_a_static_address_are_found() -> None:
    text = '[{"name":"business","namespace":"netplane-system","ips":["192.168.100.10/16"]}]'
    obj = workload("Deployment", {NETWORKS_ANNOTATION: text}, replicas=3)
    (finding,) = shared_faults(obj, make_namespace(business="enabled"), make_catalog(make_plane()))
    assert finding.message == ("cannot give 192.168.100.10 to 3 pods: they would share one address")
    assert finding.path.startswith("spec.template.metadata.annotations")


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_a_list_shorter_than_the_replicas_is_found(kind: str) -> None:
    static = '{"business": ["192.168.100.10-192.168.100.11"]}'
    obj = workload(kind, {STATIC_IPS_ANNOTATION: static}, replicas=3)
    namespace, catalog = make_namespace(business="enabled"), make_catalog(make_plane())
    (finding,) = shared_faults(obj, namespace, catalog)
    assert "the list has 2 IPv4 addresses and needs 3" in finding.message
    enough = {**obj, "spec": {**obj["spec"], "replicas": 2, "strategy": {"type": "Recreate"}}}
    assert shared_faults(enough, namespace, catalog) == ()


def test_each_replica_is_admitted_with_an_address_of_its_own() -> None:
    static = '{"business": ["192.168.100.10-192.168.100.12"]}'
    namespace, catalog = make_namespace(business="enabled"), make_catalog(make_plane())
    obj = workload("StatefulSet", {STATIC_IPS_ANNOTATION: static}, replicas=3)
    found = [networks_of(admit(pod, namespace, catalog)[1])[0]["ips"] for pod in pods_of(obj)]
    assert found == [[f"192.168.100.{host}/16"] for host in (10, 11, 12)]
