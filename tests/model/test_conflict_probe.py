"""How a plane's addresses are probed, and the bounds of what an answer costs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from planes.model.spec.conflict_probe import (
    FIRST_REST_SECONDS,
    LONGEST_REST_SECONDS,
    MOST_QUARANTINED,
    ConflictProbe,
    most_quarantined,
    rest_seconds,
)
from planes.model.spec.plane import find_plane_faults
from tests.support.planes import make_plane, plane_object


def test_the_default_takes_less_than_half_a_second() -> None:
    probe = make_plane(ipam={"conflictDetection": "Probe"}).probe
    assert probe == ConflictProbe(3, 0.1, 0.2)
    assert (probe.count - 1) * probe.interval + probe.wait < 0.5


def test_without_it_nothing_is_probed() -> None:
    assert make_plane().probe is None
    assert make_plane(ipam={"conflictDetection": "None"}).probe is None


def test_the_false_of_earlier_versions_is_none() -> None:
    assert make_plane(ipam={"conflictDetection": False}).probe is None
    assert find_plane_faults(plane_object(ipam={"conflictDetection": True}))[1]


def test_the_schedule_can_be_set() -> None:
    told = {"count": 5, "intervalMilliseconds": 20, "waitMilliseconds": 1000}
    plane = make_plane(ipam={"conflictDetection": "Probe", "probe": told})
    assert plane.probe == ConflictProbe(5, 0.02, 1.0)


@given(st.integers(1, 10**6))
def test_each_further_conflict_rests_longer_to_a_bound(conflicts: int) -> None:
    assert FIRST_REST_SECONDS <= rest_seconds(conflicts) <= LONGEST_REST_SECONDS
    assert rest_seconds(conflicts) <= rest_seconds(conflicts + 1)


@given(st.integers(0, 2**64))
def test_no_more_than_a_part_of_the_addresses_rests(capacity: int) -> None:
    most = most_quarantined(capacity)
    assert 1 <= most <= MOST_QUARANTINED
    assert most == 1 or most <= capacity / 4
