"""Which replicas run and what they serve, read from Leases by each observer's own clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from certs.replicas import Replicas
from planes.kube.resources import LEASES
from planes.model.errors import Unavailable
from tests.support.clock import FakeClock
from tests.support.kube.fake_kube import FakeKube

NAMESPACE = "netplane-system"
NOW = datetime(2027, 1, 15, 8, 0, tzinfo=UTC)


class Scene:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.api = FakeKube(clock=self.clock)
        self.one, self.two = self.replica("one"), self.replica("two")

    def replica(self, pod: str) -> Replicas:
        return Replicas(
            self.api, self.clock, namespace=NAMESPACE, prefix="netplane-webhook", pod=pod
        )

    async def watch_for(self, seconds: int) -> frozenset[str]:
        """Have one look at the others every ten seconds."""
        seen = await self.one.others()
        for _ in range(seconds // 10):
            self.clock.advance(10)
            seen = await self.one.others()
        return seen


async def test_others_are_heard_and_oneself_is_not() -> None:
    scene = Scene()
    await scene.one.report("a", NOW)
    await scene.two.report("b", NOW)
    assert await scene.one.others() == {"b"}


async def test_a_lease_says_who_what_and_when() -> None:
    scene = Scene()
    await scene.one.report("a1", NOW)
    (lease,) = scene.api.objects(LEASES, NAMESPACE)
    assert lease["metadata"]["name"] == "netplane-webhook-one"
    assert lease["metadata"]["labels"] == {"netplane.io/replica": "netplane-webhook"}
    assert lease["metadata"]["annotations"] == {"netplane.io/serving": "a1"}
    assert lease["spec"] == {
        "holderIdentity": "one",
        "leaseDurationSeconds": 40,
        "renewTime": "2027-01-15T08:00:00.000000Z",
    }


async def test_leases_of_something_else_are_left_alone() -> None:
    scene = Scene()
    other = {"metadata": {"name": "netplane-webhook", "namespace": NAMESPACE}}
    scene.api.put_object(LEASES, other)
    assert await scene.watch_for(100) == frozenset()
    assert len(scene.api.objects(LEASES)) == 1


async def test_the_silent_are_forgotten_and_removed_after_forty_seconds() -> None:
    scene = Scene()
    await scene.two.report("b", NOW)
    assert await scene.watch_for(30) == {"b"}
    assert await scene.watch_for(10) == frozenset()
    assert scene.api.objects(LEASES, NAMESPACE) == []


async def test_a_wrong_time_in_a_lease_counts_for_nothing() -> None:
    scene = Scene()
    for minute in range(4):
        await scene.two.report("b", NOW - timedelta(days=3650, minutes=minute))
        assert await scene.watch_for(30) == {"b"}


async def test_time_without_answers_from_the_api_is_not_held_against_anybody() -> None:
    scene = Scene()
    await scene.two.report("b", NOW)
    await scene.watch_for(10)
    scene.api.fail_next(Unavailable("cannot list"), times=30)
    for _ in range(30):
        scene.clock.advance(10)
        with pytest.raises(Unavailable):
            await scene.one.others()
    assert await scene.one.others() == {"b"}


async def test_one_that_was_taken_for_gone_and_comes_back_is_heard_again() -> None:
    scene = Scene()
    await scene.two.report("b", NOW)
    await scene.watch_for(50)
    scene.clock.advance(10)
    await scene.two.report("b", NOW)
    assert await scene.one.others() == {"b"}


async def test_one_that_comes_back_while_it_is_being_removed_stays() -> None:
    scene = Scene()
    await scene.two.report("b", NOW)
    await scene.watch_for(30)
    scene.clock.advance(10)

    def come_back() -> None:
        old = scene.api.object(LEASES, "netplane-webhook-two", NAMESPACE)
        assert old is not None
        scene.api.remove_object(LEASES, "netplane-webhook-two", NAMESPACE)
        scene.api.put_object(LEASES, old)

    scene.api.before_next(come_back, verb="delete")
    await scene.one.others()
    assert await scene.one.others() == {"b"}


async def test_the_same_is_said_again_only_from_time_to_time_and_news_at_once() -> None:
    scene = Scene()
    for serving in ("a", "a", "a", "b", "b"):
        await scene.one.report(serving, NOW)
    scene.clock.advance(10)
    await scene.one.report("b", NOW)
    verbs = [verb for verb, *_ in scene.api.requests]
    assert verbs == ["patch", "create", "patch", "patch"]


async def test_leaving_never_fails() -> None:
    scene = Scene()
    await scene.one.report("a", NOW)
    scene.api.fail_next(Unavailable("cannot delete"))
    await scene.one.leave()
    assert not scene.one.has_reported
