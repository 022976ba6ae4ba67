"""How far a pod has come, whatever its status and the events about it hold."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planes.cli.explaining.pod_start import PodStage, start_of, told
from planes.cli.reading.events import SeenEvent

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)
WORDS = st.sampled_from(("False", "PodScheduled", "ErrImagePull", "\x1b[2J", "a\nb"))
ENTRY = st.fixed_dictionaries(
    {},
    optional={
        "type": WORDS | ANY,
        "status": WORDS | ANY,
        "message": WORDS | ANY,
        "name": WORDS | ANY,
        "state": ANY
        | st.fixed_dictionaries({"waiting": st.dictionaries(st.just("reason"), WORDS | ANY)}),
    },
)
ENTRIES = ANY | st.lists(ENTRY | ANY, max_size=3)
STATUS = st.fixed_dictionaries(
    {},
    optional={
        "phase": ANY | st.sampled_from(("Pending", "Running", "Failed")),
        "podIP": ANY,
        "conditions": ENTRIES,
        "containerStatuses": ENTRIES,
        "initContainerStatuses": ENTRIES,
    },
)
EVENT = SeenEvent("", "Pod", "shop", "web", "FailedCreatePodSandBox", "m", "Warning", "kubelet")


@given(STATUS | ANY, ANY | st.fixed_dictionaries({"nodeName": ANY}), ANY)
def test_whatever_a_pod_holds_it_is_told_in_printable_lines(
    status: object, spec: object, annotations: object
) -> None:
    obj = {"metadata": {"annotations": annotations}, "status": status, "spec": spec}
    found = start_of(obj, [EVENT], 10.0)
    assert found.text.isprintable()
    assert all(fault.message.isprintable() for fault in found.faults)


@pytest.mark.parametrize("odd", [[], {}, 3])
def test_a_phase_that_is_no_word_is_none(odd: object) -> None:
    obj = {"metadata": {}, "status": {"phase": odd}, "spec": {"nodeName": "n1"}}
    assert start_of(obj, [], 10.0).stage is PodStage.CREATING


@given(st.sampled_from(("Pending", "")), st.booleans())
def test_a_pod_that_does_not_run_is_never_said_to_start(phase: str, has_node: bool) -> None:
    spec = {"nodeName": "n1"} if has_node else {}
    found = start_of({"metadata": {}, "status": {"phase": phase}, "spec": spec}, [EVENT], 10.0)
    assert found.stage in {PodStage.CREATING, PodStage.UNSCHEDULED}
    assert found.text.startswith(("does not start", "does not run yet"))


def test_of_one_reason_the_newest_event_counts() -> None:
    obj = {"metadata": {}, "status": {"phase": "Pending"}, "spec": {"nodeName": "n1"}}
    texts = ("old", "new")
    events = [
        replace(EVENT, when=f"2026-11-21T0{n}:00:00Z", reason="FailedMount", message=text)
        for n, text in enumerate(texts)
    ]
    (fault,) = start_of(obj, events, 10.0).faults
    assert fault.message.startswith("cannot create the pod: new ")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (172800, "2 d"), (-5, "0 s")],
)
def test_times_are_told_as_people_say_them(seconds: float, text: str) -> None:
    assert told(seconds) == text
