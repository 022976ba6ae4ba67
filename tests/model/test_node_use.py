"""The use of blocks in the report of a node: bounded, and not reported too often."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planes.model.state.node_use import (
    MOST_PLANES_USED,
    MOST_USED,
    NodeUse,
    is_far,
    read_use,
    step_of,
)
from planes.model.state.plane_health import MOST_CHARACTERS, Health, encode_report, read_report

numbers = st.integers(0, MOST_USED)
counts = st.builds(NodeUse, numbers, numbers, numbers, numbers)
names = st.from_regex(r"[a-z]{1,63}", fullmatch=True)


@given(st.dictionaries(names, counts, max_size=40), st.dictionaries(names, st.text(), max_size=40))
def test_what_a_node_reports_is_read_again_within_bounds(
    use: dict[str, NodeUse], reasons: dict[str, str]
) -> None:
    health = {name: Health(9, 1, 1, reason[:160]) for name, reason in reasons.items()}
    text = encode_report("n1", health, use)
    assert len(text) <= MOST_CHARACTERS
    assert text.startswith('{"node":"n1",')
    report = read_report(text)
    assert report is not None
    assert report.use is not None
    assert len(report.use) == min(sum(map(any, use.values())), MOST_PLANES_USED)
    assert report.use.items() <= use.items()


@pytest.mark.parametrize(
    "value",
    [
        {"business": 3},
        {"business": [1, 0, 0]},
        {"business": [-1, 0, 0, 0]},
        {"business": [True, 0, 0, 0]},
        {"business": [1.5, 0, 0, 0]},
        {"business": [MOST_USED + 1, 0, 0, 0]},
        {"No Name": [1, 0, 0, 0]},
    ],
)
def test_node_entry_that_is_none_counts_nothing(value: Any) -> None:
    assert read_use(value) == {}


def test_node_report_of_more_planes_than_there_may_be_is_none() -> None:
    many = {f"p{number}": [1, 0, 0, 0] for number in range(MOST_PLANES_USED + 1)}
    hostile: list[Any] = [many, [], None, "x"]
    assert [read_use(value) for value in hostile] == [None] * 4


def test_a_report_tells_whether_addresses_were_counted() -> None:
    """An older daemon does not count them."""
    told: list[dict[str, NodeUse] | None] = [None, {}]
    for use in told:
        report = read_report(encode_report("n1", {}, use))
        assert report is not None
        assert report.use == use


@pytest.mark.parametrize(("dynamic", "step"), [(0, 1), (253, 1), (2048, 2), (65533, 8), (2**64, 8)])
def test_a_change_worth_a_report_grows_with_the_plane_and_is_bounded(
    dynamic: int, step: int
) -> None:
    assert step_of(dynamic) == step


def test_a_count_is_far_from_the_report_when_it_differs_by_the_step_of_its_plane() -> None:
    steps = {"small": 1, "large": 8}
    assert is_far({"small": NodeUse(1)}, {}, steps)
    assert is_far({}, {"small": NodeUse(0, 0, 0, 1)}, steps)
    assert not is_far({"large": NodeUse(7)}, {}, steps)
    assert is_far({"large": NodeUse(0, 8)}, {}, steps)
