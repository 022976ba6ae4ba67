"""A Deployment whose addresses are all in use cannot roll out: who can help is told how."""

from __future__ import annotations

from typing import Any

import pytest

from planes.model.decide.decision import Decision, decide
from planes.model.decide.workload_check import shared_faults
from planes.model.errors import JsonObject
from planes.model.names import NETWORKS_ANNOTATION, STATIC_IPS_ANNOTATION
from planes.model.objects import Pod
from tests.support.model import (
    admit,
    make_catalog,
    make_nad,
    make_namespace,
    make_plane,
    pod_object,
    replica,
)

ONE = {"business": ["192.168.100.7"]}
JOINED = make_namespace(business="enabled")
PLANE = make_plane()
ON_PLANE = '[{"name":"business","namespace":"netplane-system","ips":["192.168.100.7"]}]'


def deployment(annotations: dict[str, str], replicas: int = 1, **spec: Any) -> JsonObject:
    template = {"metadata": {"annotations": annotations}, "spec": {}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"replicas": replicas, "template": template, **spec},
    }


def static(*addresses: str) -> dict[str, str]:
    listed = ", ".join(f'"{address}"' for address in addresses)
    return {STATIC_IPS_ANNOTATION: f'{{"business": [{listed}]}}'}


def rolling(**rolling_update: Any) -> JsonObject:
    return {"strategy": {"type": "RollingUpdate", "rollingUpdate": rolling_update}}


def faults(obj: JsonObject) -> list[str]:
    return [str(each) for each in shared_faults(obj, JOINED, make_catalog(PLANE))]


@pytest.mark.parametrize(
    ("annotations", "replicas", "spec"),
    [
        (static("192.168.100.7"), 1, {}),
        (static("192.168.100.7"), 1, {"strategy": {"type": "RollingUpdate"}}),
        (static("192.168.100.7"), 1, rolling(maxUnavailable="50%")),
        (static("192.168.100.7-192.168.100.9"), 3, {}),
        (static("192.168.100.7-192.168.100.9"), 3, rolling(maxUnavailable=0, maxSurge=2)),
        ({NETWORKS_ANNOTATION: ON_PLANE}, 1, {}),
    ],
)
def test_a_rolling_update_without_an_address_to_spare_is_a_fault(
    annotations: dict[str, str], replicas: int, spec: JsonObject
) -> None:
    (fault,) = faults(deployment(annotations, replicas, **spec))
    assert "cannot ever roll out" in fault
    assert "strategy.type: Recreate" in fault
    assert "maxSurge: 0 and maxUnavailable: 1" in fault


@pytest.mark.parametrize(
    ("annotations", "replicas", "spec"),
    [
        (static("192.168.100.7"), 1, {"strategy": {"type": "Recreate"}}),
        (static("192.168.100.7"), 1, rolling(maxSurge=0, maxUnavailable=1)),
        (static("192.168.100.7"), 1, rolling(maxUnavailable="100%")),
        (static("192.168.100.7"), 1, rolling(maxSurge=0, maxUnavailable="10%")),
        (static("192.168.100.7-192.168.100.8"), 1, {}),
        (static("192.168.100.7-192.168.100.10"), 4, {}),
        ({}, 1, {}),
    ],
)
def test_one_that_ends_a_pod_first_or_has_an_address_to_spare_is_none(
    annotations: dict[str, str], replicas: int, spec: JsonObject
) -> None:
    assert faults(deployment(annotations, replicas, **spec)) == []


def test_other_workloads_end_a_pod_before_they_start_the_next() -> None:
    obj = {**deployment(static("192.168.100.7")), "kind": "StatefulSet"}
    assert faults(obj) == []


def of_web(name: str, hash_: str, **more: Any) -> JsonObject:
    owner = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": f"web-{hash_}",
        "uid": hash_,
        "controller": True,
    }
    return pod_object(name, ownerReferences=[owner], **more)


def admitted(pod: JsonObject) -> JsonObject:
    return admit(pod, JOINED, make_catalog(PLANE))[1]


def second(first: JsonObject, pod: JsonObject, **options: Any) -> Decision:
    catalog = make_catalog(PLANE, pods=[admitted(first)], **options)
    return decide(Pod.from_object(pod), JOINED, catalog, creating=True)


@pytest.mark.parametrize("labels", [{}, {"pod-template-hash": "b"}])
def test_the_next_pod_of_a_rolling_update_is_refused_in_words_for_its_author(
    labels: dict[str, str],
) -> None:
    old = of_web("web-a-11111", "a", static=ONE)
    new = of_web("web-b-22222", "b", static=ONE, labels=labels)
    decision = second(old, new)
    assert decision.status == 409
    (error,) = decision.errors
    assert error.remedy.startswith("in Deployment web set strategy.type: Recreate")
    assert "with several replicas list an address for each" in error.remedy
    assert "free now" not in error.remedy


@pytest.mark.parametrize("name", ["web-cache-a-11111", "web-cache-0", "website-a-11111"])
def test_a_pod_of_another_workload_whose_name_begins_alike_is_no_rollout(name: str) -> None:
    decision = second(pod_object(name, static=ONE), of_web("web-b-22222", "b", static=ONE))
    assert "pod template of Deployment web" in decision.errors[0].remedy


@pytest.mark.parametrize("kind", ["ReplicaSet", "DaemonSet", "Job"])
def test_pods_of_one_owner_need_an_address_each(kind: str) -> None:
    """Another address in the template would be one for all of them again."""
    owner = {"apiVersion": "v1", "kind": kind, "name": "node", "uid": "n", "controller": True}
    pods = [pod_object(f"node-{word}", static=ONE, ownerReferences=[owner]) for word in "ab"]
    (error,) = second(*pods).errors
    assert error.remedy.startswith(f"{kind} node has several pods: list an address for each")


def test_another_pod_s_address_is_changed_in_the_template() -> None:
    decision = second(pod_object("legacy", static=ONE), of_web("web-b-22222", "b", static=ONE))
    assert "pod template of Deployment web" in decision.errors[0].remedy
    of_db = replica("db", 0, static=ONE)
    decision = second(pod_object("legacy", static=ONE), of_db)
    assert "pod template of StatefulSet db" in decision.errors[0].remedy
    decision = second(pod_object("legacy", static=ONE), pod_object("bare", static=ONE))
    assert decision.errors[0].remedy.startswith("free now: 192.168.100.8")


def test_where_no_address_of_a_list_is_free_the_rollout_is_named() -> None:
    two = {"business": ["192.168.100.7-192.168.100.8"]}
    old = [of_web(f"web-a-{n}", "a", static={"business": [f"192.168.100.{n}"]}) for n in (7, 8)]
    catalog = make_catalog(PLANE, pods=map(admitted, old))
    new = Pod.from_object(of_web("web-b-22222", "b", static=two))
    (error,) = decide(new, JOINED, catalog).errors
    assert "no IPv4 address of" in error.message
    assert "maxSurge: 0" in error.remedy


def test_the_first_pod_of_a_deployment_with_one_address_is_warned() -> None:
    pod = Pod.from_object(of_web("web-a-11111", "a", static=ONE))
    decision = decide(pod, JOINED, make_catalog(PLANE), creating=True)
    assert not decision.denied
    (warning,) = decision.warnings
    assert "a rolling update would wait for ever" in warning.message
    assert "Recreate" in warning.remedy


@pytest.mark.parametrize(
    "pod", [pod_object(static=ONE), replica("db", 0, static=ONE), of_web("web-a-11111", "a")]
)
def test_other_pods_are_not(pod: JsonObject) -> None:
    assert decide(Pod.from_object(pod), JOINED, make_catalog(PLANE), creating=True).warnings == ()


def test_an_address_on_a_nad_that_is_no_plane_s_is_attached_twice_as_under_multus() -> None:
    own = make_nad("own", config={"type": "macvlan", "master": "eth9", "ipam": {"type": "static"}})
    networks = '[{"name":"own","ips":["10.0.0.9/24"]}]'
    old = of_web("web-a-11111", "a", networks=networks)
    decision = second(old, of_web("web-b-22222", "b", networks=networks), nads=[own])
    assert not decision.denied
    assert any("web-a-11111 asks for it too" in each.message for each in decision.warnings)


def test_on_the_wire_of_a_plane_it_is_refused() -> None:
    own = make_nad("own", config={"type": "macvlan", "master": "eth1", "ipam": {"type": "static"}})
    networks = '[{"name":"own","ips":["192.168.100.9/16"]}]'
    old = of_web("web-a-11111", "a", networks=networks)
    decision = second(old, of_web("web-b-22222", "b", networks=networks), nads=[own])
    assert decision.status == 409
    assert "in Deployment web" in decision.errors[0].remedy
