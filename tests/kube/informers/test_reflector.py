"""A `Reflector` keeps its handler's objects the server's, through every fault."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

import pytest
from prometheus_client import CollectorRegistry

from planes.kube.api import Query
from planes.kube.errors import Expired, Unauthenticated
from planes.kube.informers.metrics import WatchMetrics
from planes.kube.informers.reflector import Reflector
from planes.kube.resources import PODS
from planes.model.errors import Denied, JsonObject, PlanesError, Unavailable
from planes.run.metrics import Metrics
from tests.support.clock import FakeClock
from tests.support.kube.fake_kube import FakeKube
from tests.support.kube.view import View, settle

QUERY = Query(PODS)


def pod(name: str, **labels: str) -> JsonObject:
    return {"metadata": {"name": name, "namespace": "shop", "labels": labels}}


@contextlib.asynccontextmanager
async def running(
    kube: FakeKube, view: View, clock: FakeClock, metrics: WatchMetrics | None = None
) -> AsyncIterator[Reflector]:
    reflector = Reflector(kube, QUERY, view, clock=clock, randomness=lambda: 0.5, metrics=metrics)
    task = asyncio.create_task(reflector.run())
    try:
        await settle()
        yield reflector
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def asked(kube: FakeKube, verb: str) -> int:
    return sum(request[0] == verb for request in kube.requests)


async def test_it_lists_page_by_page_and_then_follows() -> None:
    kube, view = FakeKube((PODS, pod("a")), (PODS, pod("b"))), View()
    kube.page_size = 1
    async with running(kube, view, FakeClock()) as reflector:
        assert reflector.is_synced
        kube.put_object(PODS, pod("c"))
        kube.put_object(PODS, pod("a", app="web"))
        kube.remove_object(PODS, "b", "shop")
        await settle()
        assert view.calls == [
            *("begin", "put a", "put b", "finish"),
            *("put c", "put a", "drop b"),
        ]
        assert kube.requests == [("list", "pods", "", "")] * 2 + [("watch", "pods", "", "")]


async def test_it_is_not_synced_before_the_first_whole_listing() -> None:
    kube, view, clock = FakeKube((PODS, pod("a"))), View(), FakeClock()
    kube.fail_next(Unavailable("cannot list: down"), verb="list")
    async with running(kube, view, clock) as reflector:
        assert not reflector.is_synced
        clock.advance(1)
        await settle()
        assert reflector.is_synced


async def test_a_cut_watch_goes_on_where_it_was_without_a_listing() -> None:
    kube, view, clock = FakeKube((PODS, pod("a"))), View(), FakeClock()
    async with running(kube, view, clock):
        kube.cut_watches()
        await settle()
        kube.put_object(PODS, pod("b"))
        clock.advance(1)
        await settle()
        assert view.calls == ["begin", "put a", "finish", "put b"]
        assert (asked(kube, "list"), asked(kube, "watch")) == (1, 2)


async def test_an_end_in_good_order_is_no_pause() -> None:
    kube, view, clock = FakeKube(), View(), FakeClock()
    async with running(kube, view, clock):
        clock.advance(300)
        kube.end_watches()
        await settle()
        assert (kube.watches, clock.sleepers, asked(kube, "list")) == (1, 0, 1)


async def test_watches_that_end_at_once_are_not_asked_for_without_pause() -> None:
    kube, view, clock = FakeKube(), View(), FakeClock()
    async with running(kube, view, clock):
        kube.end_watches()
        await settle()
        assert (kube.watches, clock.sleepers) == (0, 1)


async def test_a_bookmark_moves_on_what_a_watch_resumes_from() -> None:
    kube, view, clock = FakeKube((PODS, pod("a"))), View(), FakeClock()
    async with running(kube, view, clock):
        kube.expire()
        kube.bookmark()
        await settle()
        kube.cut_watches()
        clock.advance(1)
        await settle()
        clock.advance(1)
        await settle()
        assert (asked(kube, "list"), kube.watches) == (1, 1)


async def test_an_expired_version_is_listed_anew_at_once() -> None:
    kube, view, clock = FakeKube((PODS, pod("a")), (PODS, pod("b"))), View(), FakeClock()
    async with running(kube, view, clock) as reflector:
        clock.advance(60)
        kube.cut_watches(Expired("cannot watch: 410"))
        kube.remove_object(PODS, "a", "shop")
        await settle()
        assert view.calls[4:] == ["begin", "put b", "finish"]
        assert (view.names, clock.sleepers) == ({"shop/b"}, 0)
        assert reflector.is_synced


async def test_what_expires_again_and_again_is_paced() -> None:
    kube, view, clock = FakeKube((PODS, pod("a"))), View(), FakeClock()
    kube.fail_next(Expired("cannot watch: 410"), verb="watch", times=3)
    async with running(kube, view, clock):
        assert (asked(kube, "list"), clock.sleepers) == (2, 1)


async def test_pauses_grow_to_a_bound_and_begin_anew_after_success() -> None:
    kube, view, clock = FakeKube(), View(), FakeClock()
    kube.fail_next(Unavailable("cannot list: down"), verb="list", times=9)
    pauses = []
    async with running(kube, view, clock):
        while not kube.watches:
            pauses.append(await next_pause(clock))
        assert pauses == [0.75, 1.5, 3.0, 6.0, 12.0, 22.5, 22.5, 22.5, 22.5]
        kube.bookmark()
        await settle()
        kube.cut_watches()
        await settle()
        assert await next_pause(clock) == 0.75


async def next_pause(clock: FakeClock) -> float:
    """Move time until the pause there is now is over; return how long it was."""
    seconds = 0.0
    while clock.sleepers:
        clock.advance(0.75)
        seconds += 0.75
        if not clock.sleepers:
            break
    await settle()
    return seconds


@pytest.mark.parametrize("error", [Denied("cannot list: 403"), Unauthenticated("cannot: 401")])
async def test_who_is_locked_out_asks_ever_more_slowly_and_complains_once(
    error: PlanesError, caplog: pytest.LogCaptureFixture
) -> None:
    """Soon at first: a server that has just started denies what it will allow in a moment."""
    kube, view, clock = FakeKube(), View(), FakeClock()
    kube.fail_next(error, verb="list", times=6)
    with caplog.at_level(logging.INFO, "planes.kube.informers.reflector"):
        async with running(kube, view, clock):
            pauses = [await next_pause(clock) for _ in range(6)]
            assert pauses == [0.75, 1.5, 3.0, 6.0, 12.0, 22.5]
            kube.bookmark()
            await settle()
    assert [record.message for record in caplog.records] == ["watch failed", "watch recovered"]


async def test_what_expires_after_other_failures_is_listed_anew_at_once() -> None:
    """So it goes after a restart of a server: no connection, not allowed yet, too old."""
    kube, view, clock = FakeKube((PODS, pod("a"))), View(), FakeClock()
    async with running(kube, view, clock):
        kube.cut_watches()
        await settle()
        kube.fail_next(Denied("cannot watch: 403"), verb="watch")
        await next_pause(clock)
        kube.fail_next(Expired("cannot watch: 410"), verb="watch")
        kube.put_object(PODS, pod("b"))
        await next_pause(clock)
        assert view.names == {"shop/a", "shop/b"}
        assert (asked(kube, "list"), kube.watches, clock.sleepers) == (2, 1, 0)


async def test_an_object_the_follower_cannot_take_stops_nothing_and_is_told_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    kube, view = FakeKube((PODS, pod("bad")), (PODS, pod("good"))), View(refuses="bad")
    registry = CollectorRegistry()
    metrics = WatchMetrics(Metrics(registry))
    async with running(kube, view, FakeClock(), metrics) as reflector:
        kube.put_object(PODS, pod("bad", app="web"))
        kube.put_object(PODS, pod("later"))
        await settle()
        assert reflector.is_synced
        assert view.names == {"shop/good", "shop/later"}
        assert registry.get_sample_value("netplane_watch_faults_total", {"watch": "pods"}) == 2
    first = caplog.records[0]
    assert first.message == "object not taken over"
    assert first.__dict__["pod"] == "shop/bad"
    assert first.exc_info


async def test_metrics_tell_of_objects_lists_starts_failures_and_silence() -> None:
    registry = CollectorRegistry()
    kube, view, clock = FakeKube((PODS, pod("a")), (PODS, pod("b"))), View(), FakeClock()
    async with running(kube, view, clock, WatchMetrics(Metrics(registry))) as reflector:
        kube.put_object(PODS, pod("c"))
        kube.put_object(PODS, pod("c", app="web"))
        kube.remove_object(PODS, "a", "shop")
        kube.remove_object(PODS, "b", "shop")
        await settle()
        kube.cut_watches()
        clock.advance(1)
        await settle()
        clock.advance(6)
        await settle()
        assert reflector.silent_seconds == 7.0
        names = ("objects", "lists_total", "starts_total", "failures_total", "silent_seconds")
        found = [
            registry.get_sample_value(f"netplane_watch_{name}", {"watch": "pods"}) for name in names
        ]
        assert found == [1, 1, 2, 1, 7]


async def test_others_get_their_turn_during_a_long_listing() -> None:
    kube, view = FakeKube(*((PODS, pod(f"p{n}")) for n in range(500))), View()
    reflector = Reflector(kube, QUERY, view, clock=FakeClock())
    task = asyncio.create_task(reflector.run())
    turns = 0
    while not reflector.is_synced:
        await asyncio.sleep(0)
        turns += 1
    task.cancel()
    assert turns >= 500 // 64
