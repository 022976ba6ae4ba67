"""Annotations of networks beside the place where a pod gets them are told, with the right place."""

from __future__ import annotations

from typing import Any

import pytest

from planes.model.decide.placement_check import misplaced_annotations
from planes.model.errors import JsonObject
from planes.model.names import NETWORKS_ANNOTATION, STATIC_IPS_ANNOTATION

TEMPLATE = "spec.template.metadata.annotations"
IN_A_CRON_JOB = f"spec.jobTemplate.{TEMPLATE}"


def put(obj: JsonObject, path: str, value: Any) -> JsonObject:
    """Return an object with a value at a path of member names, dots between."""
    name, dot, rest = path.partition(".")
    return {**obj, name: put(obj.get(name, {}), rest, value) if dot else value}


def workload(kind: str, *places: str, key: str = NETWORKS_ANNOTATION) -> JsonObject:
    obj: JsonObject = {"kind": kind, "metadata": {"name": "web"}, "spec": {}}
    for place in places:
        obj = put(obj, place, {key: "mv"})
    return obj


@pytest.mark.parametrize("kind", ["Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job"])
@pytest.mark.parametrize(
    "place",
    [
        "metadata.annotations",
        "annotations",
        "spec.annotations",
        "spec.template.annotations",
        "spec.template.spec.annotations",
    ],
)
def test_a_workload_s_own_annotation_reaches_no_pod(kind: str, place: str) -> None:
    (finding,) = misplaced_annotations(workload(kind, place))
    assert finding.path == f"{place}[{NETWORKS_ANNOTATION}]"
    assert finding.remedy == f"write {NETWORKS_ANNOTATION} into {TEMPLATE}"
    assert kind in finding.message


@pytest.mark.parametrize(
    "place",
    [
        "metadata.annotations",
        "spec.jobTemplate.metadata.annotations",
        "spec.jobTemplate.spec.annotations",
        "spec.jobTemplate.spec.template.annotations",
    ],
)
def test_a_cron_job_has_more_wrong_places(place: str) -> None:
    (finding,) = misplaced_annotations(workload("CronJob", place))
    assert finding.path == f"{place}[{NETWORKS_ANNOTATION}]"
    assert finding.remedy.endswith("spec.jobTemplate.spec.template.metadata.annotations")


def test_the_right_place_is_silent_and_makes_the_others_harmless() -> None:
    assert misplaced_annotations(workload("Deployment", TEMPLATE)) == ()
    assert misplaced_annotations(workload("CronJob", "spec.jobTemplate." + TEMPLATE)) == ()
    assert misplaced_annotations(workload("Deployment", TEMPLATE, "metadata.annotations")) == ()
    assert misplaced_annotations(workload("Pod", "metadata.annotations")) == ()


def test_a_pod_has_its_neighbouring_places_too() -> None:
    (finding,) = misplaced_annotations(workload("Pod", "spec.annotations"))
    assert finding.remedy.endswith("into metadata.annotations")


def test_a_misspelt_key_is_named_right_in_the_wrong_place_too() -> None:
    obj = workload("Deployment", "metadata.annotations", key="netplane.io/static-ip")
    (finding,) = misplaced_annotations(obj)
    assert finding.remedy == f"write {STATIC_IPS_ANNOTATION} into {TEMPLATE}"


@pytest.mark.parametrize(
    "obj", [{}, {"kind": 7}, {"kind": "Deployment", "spec": []}, {"kind": "X"}]
)
def test_what_is_no_workload_gives_nothing(obj: JsonObject) -> None:
    assert misplaced_annotations(obj) == ()
