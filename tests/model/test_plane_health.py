"""What nodes report of planes, however hostile, and the condition Available that comes of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planes.model.state.plane_health import (
    FRESH_SECONDS,
    MOST_CHARACTERS,
    MOST_PLANES,
    REASON_CHARACTERS,
    Health,
    HealthReport,
    availability,
    encode_report,
    read_report,
    reason_of,
)

NOW = 1_800_000_000
FAILS = Health(failures=5, failed_at=NOW - 10, attached_at=NOW - 5000, reason="cannot find eth2")
WORKS = Health(attached_at=NOW - 60)

healths = st.builds(
    Health,
    failures=st.integers(0, 10**9),
    failed_at=st.integers(0, 2**40),
    attached_at=st.integers(0, 2**40),
    reason=st.text(max_size=400).map(reason_of),
)
names = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.dictionaries(names, healths, max_size=80))
def test_a_report_fits_and_what_is_in_it_is_read_back(planes: dict[str, Health]) -> None:
    text = encode_report("node-1", planes)
    assert len(text) <= MOST_CHARACTERS
    assert text.startswith('{"node":"node-1",')
    report = read_report(text)
    assert report is not None
    assert report.node == "node-1"
    assert len(report.planes) <= MOST_PLANES
    assert all(planes[name] == health for name, health in report.planes.items())


@given(st.text(max_size=400))
def test_why_a_node_is_not_ready_is_read_back_as_one_short_line(reason: str) -> None:
    report = read_report(encode_report("n1", {}, unready=reason))
    assert report is not None
    assert report.unready == reason_of(reason)


@pytest.mark.parametrize("value", ["7", "null", '["x"]', '{"a": 1}'])
def test_a_reason_that_is_no_text_is_none(value: str) -> None:
    report = read_report(f'{{"node":"n1","unready":{value},"planes":{{}}}}')
    assert report is not None
    assert report.unready == ""


def test_planes_that_fail_come_first_where_not_all_fit() -> None:
    planes = {f"good-{number}": WORKS for number in range(200)}
    report = read_report(encode_report("n1", {**planes, "zzz": FAILS}))
    assert report is not None
    assert report.planes["zzz"] == FAILS


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "node": anything,
            "planes": st.dictionaries(
                names | st.text(max_size=8),
                anything
                | st.fixed_dictionaries(
                    {}, optional=dict.fromkeys(("failures", "failedAt", "reason"), anything)
                ),
                max_size=40,
            )
            | anything,
        },
    )
)
def test_a_report_of_any_content_is_read_or_ignored(obj: dict[str, Any]) -> None:
    report = read_report(json.dumps(obj, separators=(",", ":")))
    if report is None:
        return
    assert len(report.planes) <= MOST_PLANES
    for health in report.planes.values():
        assert len(health.reason) <= REASON_CHARACTERS
        assert health.reason.isprintable()
        assert min(health.failures, health.failed_at, health.attached_at) >= 0


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"node":""}', '{"node":7,"planes":{}}', "x" * 9000]
)
def test_what_is_no_report_is_ignored(text: str) -> None:
    assert read_report(text) is None


@pytest.mark.parametrize(
    "text",
    [
        '{"node":"n1","node":"n2","planes":{}}',
        '{"node":"n1","planes":{},"node":"n2"}',
        '{"node":"n1","planes":{},"\\u006eode":"n2"}',
        '{"planes":{},"node":"n2"}',
        ' {"node":"n2","planes":{}}',
    ],
)
def test_a_report_is_of_the_node_it_begins_with_or_of_none(text: str) -> None:
    """The policy sees no more than that of it, so whoever has n1 may write the first three."""
    assert read_report(text) is None


def test_members_that_are_none_are_left_out_and_the_others_stay() -> None:
    text = (
        '{"node":"n1","planes":{"Not A Name":{},"a":[],"b":{"failures":true},"c":{"failures":3}}}'
    )
    assert read_report(text) == HealthReport("n1", {"b": Health(), "c": Health(failures=3)})


@given(st.text(max_size=2000))
def test_a_reason_is_one_short_line(text: str) -> None:
    line = reason_of(text)
    assert len(line) <= REASON_CHARACTERS
    assert line.isprintable()


def test_nothing_reported_is_not_known() -> None:
    assert availability({}, NOW)[:2] == (None, "NotTried")


def test_a_plane_that_pods_get_is_available_also_when_nobody_has_started_lately() -> None:
    assert availability({"n1": WORKS}, NOW)[:2] == (True, "Attached")
    assert availability({"n1": WORKS}, NOW + 10 * FRESH_SECONDS)[:2] == (True, "Attached")


def test_a_plane_that_fails_wherever_it_is_tried_says_how_often_where_and_why() -> None:
    """The case: every pod of the plane failed, and it said it was in force."""
    later = Health(failures=3, failed_at=NOW - 1, reason="cannot find plugin")
    status, reason, message = availability({"n1": FAILS, "n2": later}, NOW)
    assert (status, reason) == (False, "AttachingFails")
    assert "the last 8 attempts on 2 nodes failed (n1, n2)" in message
    assert message.endswith("latest on n2: cannot find plugin")


def test_one_node_that_works_keeps_it_available_and_the_others_are_named() -> None:
    """Whoever has taken a node can say that it fails there, and nothing about the others."""
    status, reason, message = availability({"n1": FAILS, "n2": WORKS}, NOW)
    assert (status, reason) == (True, "SomeNodesFail")
    assert "lately on 1 node;" in message
    assert "latest on n1: cannot find eth2" in message


def test_a_failure_or_two_say_nothing() -> None:
    twice = Health(failures=2, failed_at=NOW, attached_at=NOW - 60, reason="gone")
    assert availability({"n1": twice}, NOW)[:2] == (True, "Attached")
    assert availability({"n1": Health(failures=2, failed_at=NOW)}, NOW)[:2] == (None, "NotTried")


def test_failures_age() -> None:
    assert availability({"n1": FAILS}, NOW + FRESH_SECONDS - 10)[0] is False
    assert availability({"n1": FAILS}, NOW + FRESH_SECONDS)[:2] == (True, "Attached")


def test_an_old_success_elsewhere_does_not_hide_that_everything_fails_now() -> None:
    old = Health(attached_at=NOW - FRESH_SECONDS - 1)
    assert availability({"n1": FAILS, "n2": old}, NOW)[0] is False


def test_times_to_come_are_not_believed() -> None:
    """They would never age."""
    hostile = Health(failures=9, failed_at=NOW + 86400, reason="for ever")
    assert availability({"n1": hostile}, NOW)[:2] == (None, "NotTried")
    assert availability({"n1": hostile, "n2": WORKS}, NOW)[:2] == (True, "Attached")


def test_a_thousand_failing_nodes_make_a_short_message() -> None:
    nodes = {f"node-{number:04}": FAILS for number in range(1000)}
    message = availability(nodes, NOW)[2]
    assert (
        "on 1000 nodes failed (node-0000, node-0001, node-0002, node-0003 and 996 more)" in message
    )
    assert len(message) < 700
