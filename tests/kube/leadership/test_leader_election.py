"""At most one leader, whatever clocks, crashes and the API server do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planes.kube.leadership.fenced import FencedApi
from planes.kube.resources import LEASES, NAMESPACES
from planes.model.errors import Conflict, Unavailable
from tests.support.kube.contenders import AWAY, NAME, NAMESPACE, Place


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    made = Place()
    yield made
    await made.close()


async def test_the_first_leads_and_writes_what_client_go_writes(place: Place) -> None:
    first = place.add()
    await place.after(1)
    assert first.leadership.is_leader
    assert place.spec == {
        "holderIdentity": "replica-0",
        "leaseDurationSeconds": 15,
        "acquireTime": "2027-01-15T08:00:00.500000Z",
        "renewTime": "2027-01-15T08:00:00.500000Z",
        "leaseTransitions": 0,
    }


async def test_a_second_one_waits_while_the_first_renews(place: Place) -> None:
    first, second = place.add(), place.add()
    await place.after(120)
    assert (first.is_working, second.is_working) == (True, False)
    assert place.spec["renewTime"] > "2027-01-15T08:01:50"


async def test_a_clean_stop_hands_over_at_the_next_attempt(place: Place) -> None:
    first, second = place.add(), place.add()
    await place.after(5)
    await first.stop()
    assert place.spec["holderIdentity"] == ""
    await place.after(5)
    assert second.is_working
    assert place.spec["leaseTransitions"] == 1


async def test_work_has_ended_before_the_lease_is_given_back(place: Place) -> None:
    first = place.add()
    await place.after(1)
    holders: list[bool] = []
    place.kube.before_next(lambda: holders.append(first.is_working), verb="update")
    await first.stop()
    assert holders == [False]


async def test_a_crashed_leader_is_followed_when_its_lease_has_run_out(place: Place) -> None:
    first, second = place.add(), place.add()
    await place.after(3)
    first.line.is_cut = True
    await first.stop()
    await place.after(12)
    assert not second.is_working
    await place.after(10)
    assert second.is_working


@pytest.mark.parametrize("failure", ["is_cut", "is_silent"])
async def test_a_leader_that_cannot_renew_stops_before_another_starts(
    place: Place, failure: str
) -> None:
    first, second = place.add(), place.add()
    await place.after(3)
    setattr(first.line, failure, True)
    await place.after(10)
    assert (first.is_working, second.is_working) == (False, False)
    await place.after(10)
    assert second.is_working


async def test_a_short_outage_of_the_api_server_changes_nothing(place: Place) -> None:
    first, second = place.add(), place.add()
    await place.after(3)
    for each in place.replicas:
        each.line.is_cut = True
    await place.after(7)
    for each in place.replicas:
        each.line.is_cut = False
    await place.after(30)
    assert (first.is_working, second.is_working) == (True, False)
    assert place.spec["leaseTransitions"] == 0


@pytest.mark.parametrize("offset", [-86_400.0, 86_400.0])
async def test_a_wrong_wall_clock_takes_nothing_away(place: Place, offset: float) -> None:
    first, second = place.add(), place.add(offset)
    await place.after(60)
    assert (first.is_working, second.is_working) == (True, False)


async def test_somebody_else_s_write_to_the_lease_does_not_end_the_leadership(
    place: Place,
) -> None:
    first = place.add()
    await place.after(3)
    place.kube.fail_next(Conflict("cannot replace"), verb="update", resource=LEASES)
    await place.after(6)
    assert first.is_working


async def test_a_deleted_lease_is_made_again_by_its_holder(place: Place) -> None:
    first, second = place.add(), place.add()
    await place.after(3)
    place.kube.remove_object(LEASES, NAME, NAMESPACE)
    await place.after(30)
    assert (first.is_working, second.is_working) == (True, False)


async def test_work_that_fails_is_the_caller_s_failure(place: Place) -> None:
    async def fail() -> None:
        raise AWAY

    first = place.add()
    with pytest.raises(Unavailable):
        await asyncio.wait_for(_beside(first.leadership.lead(fail), place), 5)


async def _beside(work: object, place: Place) -> None:
    task = asyncio.ensure_future(work)  # type: ignore[call-overload]  # a coroutine
    while not task.done():
        await place.after(1)
    await task


async def test_a_held_up_process_writes_nothing_after_its_time(place: Place) -> None:
    """The loop stood still: nobody was cancelled yet, but time has passed."""
    first = place.add()
    await place.after(1)
    api = FencedApi(place.kube, first.leadership.check)
    await api.create(NAMESPACES, {"metadata": {"name": "a"}})
    place.clock.advance(11)
    with pytest.raises(Unavailable, match="does not hold the lease"):
        await api.create(NAMESPACES, {"metadata": {"name": "b"}})


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["cut", "mend", "hang", "crash", "stop", "add", "skew", "wait"]),
        st.integers(0, 2),
        st.floats(0.5, 20.0),
    ),
    max_size=12,
)


@settings(max_examples=40, deadline=None)
@given(STEPS)
def test_never_do_two_lead(steps: list[tuple[str, int, float]]) -> None:
    """Cut lines, lost answers, crashes, restarts, wrong clocks: `after` looks at every step."""
    asyncio.run(_play(steps))


async def _play(steps: list[tuple[str, int, float]]) -> None:
    place = Place()
    place.add(), place.add(3600.0)
    try:
        for what, which, seconds in steps:
            replica = place.replicas[which % len(place.replicas)]
            if what in {"cut", "hang", "mend"}:
                replica.line.is_cut = what == "cut"
                replica.line.is_silent = what == "hang"
            elif what in {"crash", "stop"}:
                replica.line.is_cut |= what == "crash"
                # Time goes on meanwhile: one that gets no answer gives up after a while.
                await _beside(replica.stop(), place)
            elif what in {"add", "skew"} and len(place.replicas) < 5:
                place.add(-7200.0 if what == "skew" else 0.0)
            await place.after(seconds)
        for each in place.replicas:
            each.line.is_cut = each.line.is_silent = False
        place.add()
        await place.after(45)
        assert sum(each.is_working for each in place.replicas) == 1
    finally:
        await place.close()
