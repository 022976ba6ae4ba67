"""What looks at a node prove, in a simulation with every kind of node, late answers and breaks."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planes.model.state.fencing import (
    BREAK_SECONDS,
    CONNECTED_SECONDS,
    GONE_SECONDS,
    SILENT_SECONDS,
    SOON_SECONDS,
    Fence,
    NodeLook,
    NodeSeen,
)

STOP_SECONDS = 45.0
"""How long a connected kubelet takes at most to stop a pod that is gone."""


def look(at: float, *, is_there: bool = True, renewal: str = "", **more: bool) -> NodeLook:
    return NodeLook(at, at + 0.1, is_there, renewal=renewal, **more)


def seen(*looks: NodeLook) -> NodeSeen:
    found = NodeSeen.first(looks[0])
    for each in looks[1:]:
        found = found.after(each)
    return found


def test_a_node_is_gone_after_two_looks_that_are_far_enough_apart() -> None:
    first = look(0, is_there=False)
    assert seen(first).fence() is None
    assert seen(first, look(GONE_SECONDS, is_there=False)).fence() is None
    assert seen(first, look(GONE_SECONDS + 0.1, is_there=False)).fence() is Fence.GONE
    assert seen(first).wait() == pytest.approx(GONE_SECONDS)


def test_the_time_begins_anew_where_a_node_came_back_between_two_looks() -> None:
    looks = [look(0, is_there=False), look(30), look(41, is_there=False)]
    assert seen(*looks).fence() is None
    assert seen(*looks, look(82, is_there=False)).fence() is Fence.GONE


def test_a_lease_that_outlasts_its_node_must_have_been_silent_for_five_minutes() -> None:
    first = look(0, is_there=False, renewal="12:00:00")
    assert seen(first, look(299, is_there=False, renewal="12:00:00")).fence() is None
    assert seen(first, look(301, is_there=False, renewal="12:00:00")).fence() is Fence.GONE


def test_a_lease_that_outlasts_its_node_is_looked_for_soon_and_then_ever_more_rarely() -> None:
    found, looks = NodeSeen.first(look(0, is_there=False, renewal="a")), 1
    assert found.wait() == SOON_SECONDS
    while found.fence() is None:
        found = found.after(look(found.last.ended + found.wait(), is_there=False, renewal="a"))
        looks += 1
    assert found.last.began < SILENT_SECONDS + SOON_SECONDS
    assert looks < 12


def test_a_lease_that_is_renewed_keeps_its_node_whatever_time_it_says() -> None:
    """A deleted Node object, and a kubelet that runs on: also with a clock that is years off."""
    looks = [look(at, is_there=False, renewal=f"1999-{at}") for at in range(0, 1000, 100)]
    assert seen(*looks).fence() is None


def test_a_lease_that_vanished_a_moment_ago_proves_nothing_yet() -> None:
    looks = [look(0, is_there=False, renewal="a"), look(100, is_there=False)]
    assert seen(*looks).fence() is None
    assert seen(*looks, look(161, is_there=False)).fence() is Fence.GONE


def test_a_node_out_of_service_is_fenced_while_it_is_so() -> None:
    assert seen(look(0, is_out_of_service=True)).fence() is Fence.OUT_OF_SERVICE
    assert seen(look(0, is_out_of_service=True), look(10)).fence() is None


def renewing(start: int, end: int) -> list[NodeLook]:
    return [look(at, renewal=str(at)) for at in range(start, end, 10)]


def test_a_connected_node_has_stopped_a_pod_after_a_minute() -> None:
    assert not seen(*renewing(0, 80)).has_stopped(5)
    assert seen(*renewing(0, 91)).has_stopped(5)


def test_a_silent_node_has_stopped_nothing() -> None:
    assert not seen(*[look(at, renewal="a") for at in range(0, 10_000, 10)]).has_stopped(0)


def test_a_node_that_was_cut_off_has_to_be_connected_for_a_minute_again() -> None:
    """Its first renewal comes before its first look at its pods."""
    away = [look(at, renewal="a") for at in range(0, 1000, 10)]
    assert not seen(*away, *renewing(1000, 1050)).has_stopped(5)
    assert seen(*away, *renewing(1000, 1091)).has_stopped(5)


def test_a_time_without_looks_counts_as_a_break() -> None:
    assert not seen(*renewing(0, 60), *renewing(500, 540)).has_stopped(5)


@dataclass(frozen=True)
class Event:
    """A pause before a look, how long its answers take, and what the node is like at that time."""

    pause: float
    delay: float
    is_cut_off: bool
    is_there: bool


@dataclass
class Kubelet:
    """A kubelet that renews its Lease while it is connected, and stops what is gone a while later.

    Attributes:
        now: seconds since the pod was deleted.
    """

    now: float = 0.0
    renewed_at: float = 0.0
    has_stopped: bool = False
    _connected_for: int = 0

    def run(self, seconds: float, *, is_cut_off: bool) -> None:
        """Let time pass, second by second."""
        for _ in range(int(seconds)):
            self.now += 1
            self._connected_for = 0 if is_cut_off else self._connected_for + 1
            self.has_stopped = self.has_stopped or self._connected_for >= STOP_SECONDS
            if not is_cut_off and int(self.now) % 10 == 0:
                self.renewed_at = self.now


events = st.lists(
    st.builds(
        Event,
        st.sampled_from([1.0, 10.0, 15.0, 35.0, 61.0, 400.0]),
        st.sampled_from([0.0, 1.0, 30.0]),
        st.booleans(),
        st.booleans(),
    ),
    min_size=2,
    max_size=40,
)


@given(events, st.booleans())
def test_no_proof_while_the_node_may_run_the_pod(drawn: list[Event], deletes_node: bool) -> None:
    """The pod is gone in the API at 0; the node stops it once it was connected for 45 seconds.

    Nobody says that the node is off here, so its Lease outlasts a Node object that is deleted.
    """
    kubelet = Kubelet()
    found: NodeSeen | None = None
    for event in drawn:
        kubelet.run(event.pause, is_cut_off=event.is_cut_off)
        began, renewal = kubelet.now, str(kubelet.renewed_at)
        silence = began - kubelet.renewed_at
        had_stopped = kubelet.has_stopped
        kubelet.run(event.delay, is_cut_off=event.is_cut_off)
        is_there = event.is_there or not deletes_node
        seen_now = NodeLook(began, kubelet.now, is_there, renewal=renewal)
        found = NodeSeen.first(seen_now) if found is None else found.after(seen_now)
        assert not found.has_stopped(0.0) or had_stopped
        assert found.fence() is None or silence >= SILENT_SECONDS
        assert found.wait() >= 0


def test_constants_keep_their_order() -> None:
    assert STOP_SECONDS < CONNECTED_SECONDS
    assert BREAK_SECONDS < CONNECTED_SECONDS < SILENT_SECONDS
