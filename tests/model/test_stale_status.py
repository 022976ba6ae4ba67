"""A new pod loses what a node wrote of the pod it is a copy of, and nothing else."""

from __future__ import annotations

import pytest

from planes.model.decide.decision import decide
from planes.model.decide.stale_status import drop_stale_status, forged_statuses
from planes.model.names import OLD_STATUS_ANNOTATION, STATUS_ANNOTATION, STATUS_ANNOTATIONS
from planes.model.objects import Pod
from planes.model.patch import annotation_patch, apply, removal_patch
from tests.support.model import (
    admit,
    injected_of,
    make_catalog,
    make_namespace,
    make_plane,
    networks_of,
    pod_object,
)

JOINED, CATALOG = make_namespace(business="enabled"), make_catalog(make_plane())


@pytest.mark.parametrize("key", STATUS_ANNOTATIONS)
@pytest.mark.parametrize("text", ["[]", "", "  ", '[{"name": "cbr0"}]'])
def test_a_status_is_removed_whatever_it_says(key: str, text: str) -> None:
    pod = Pod.from_object(pod_object(annotations={key: text, "note": "kept"}))
    cleaned = drop_stale_status(pod)
    assert cleaned.pod.annotations == {"note": "kept"}
    assert cleaned.removed == (key,)
    assert [warning.path for warning in cleaned.warnings] == (
        [f"metadata.annotations[{key}]"] if text.strip() else []
    )


def test_a_pod_without_a_status_stays_the_same_object() -> None:
    pod = Pod.from_object(pod_object(annotations={"note": "kept"}))
    assert drop_stale_status(pod).pod is pod


@pytest.mark.parametrize("key", STATUS_ANNOTATIONS)
def test_a_status_that_comes_past_the_hook_is_refused_unless_it_is_empty(key: str) -> None:
    forged = Pod.from_object(pod_object(annotations={key: "[]"}))
    assert [finding.status for finding in forged_statuses(forged)] == [403]
    assert decide(forged, JOINED, CATALOG, creating=True).status == 403
    assert not decide(forged, JOINED, CATALOG).denied
    blank = Pod.from_object(pod_object(annotations={key: " "}))
    assert not decide(blank, JOINED, CATALOG, creating=True).denied


def test_the_removal_is_done_once() -> None:
    obj = pod_object(annotations={STATUS_ANNOTATION: "[]", OLD_STATUS_ANNOTATION: "[]"})
    removed = drop_stale_status(Pod.from_object(obj)).removed
    after = apply(removal_patch(obj, removed), obj)
    assert after["metadata"]["annotations"] == {}
    assert removal_patch(after, removed) == []
    assert drop_stale_status(Pod.from_object(after)).removed == ()


def test_networks_injected_into_the_original_pod_are_neither_doubled_nor_lost() -> None:
    _, before = admit(pod_object(static={"business": ["192.168.100.7"]}), JOINED, CATALOG)
    before["metadata"]["annotations"][STATUS_ANNOTATION] = "[]"
    cleaned = drop_stale_status(Pod.from_object(before))
    decision = decide(cleaned.pod, JOINED, CATALOG, creating=True)
    after = apply(removal_patch(before, cleaned.removed), before)
    after = apply(annotation_patch(after, decision.annotations), after)
    assert not decision.errors
    assert networks_of(after) == networks_of(before)
    assert injected_of(after) == ["business"]
    assert STATUS_ANNOTATION not in after["metadata"]["annotations"]
