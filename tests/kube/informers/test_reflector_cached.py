"""A `Reflector` with lists from the API server's cache: no etcd read, and never an older state."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from planes.kube.api import Query
from planes.kube.errors import Expired
from planes.kube.informers.reflector import Reflector
from planes.kube.resources import PODS
from planes.model.errors import BadInput, JsonObject, Unavailable
from tests.support.clock import FakeClock
from tests.support.kube.fake_kube import FakeKube
from tests.support.kube.view import View, settle


def pod(name: str) -> JsonObject:
    return {"metadata": {"name": name, "namespace": "shop"}}


@contextlib.asynccontextmanager
async def running(kube: FakeKube, clock: FakeClock, at_least: str = "0") -> AsyncIterator[View]:
    view = View()
    query = Query(PODS, at_least=at_least)
    reflector = Reflector(kube, query, view, clock=clock, randomness=lambda: 0.5)
    task = asyncio.create_task(reflector.run())
    try:
        await settle()
        yield view
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def again(kube: FakeKube, clock: FakeClock) -> None:
    """Have the watch expire, and what follows settle."""
    kube.cut_watches(Expired("cannot watch: 410"))
    for _ in range(3):
        await settle()
        clock.advance(30)
    await settle()


async def test_the_first_list_is_of_any_moment_and_a_later_one_of_none_before_what_is_known() -> (
    None
):
    kube, clock = FakeKube((PODS, pod("a"))), FakeClock()
    async with running(kube, clock):
        kube.put_object(PODS, pod("b"))
        await settle()
        known = kube.resource_version
        await again(kube, clock)
        assert kube.lists == ["0", known]


async def test_a_version_that_is_refused_makes_the_next_list_one_of_the_newest() -> None:
    for refusal in (Expired("cannot list: too large"), BadInput("cannot list: no such version")):
        kube, clock = FakeKube((PODS, pod("a"))), FakeClock()
        async with running(kube, clock) as view:
            known = kube.resource_version
            kube.fail_next(refusal, verb="list")
            await again(kube, clock)
            assert kube.lists == ["0", known, ""]
            await again(kube, clock)
            assert kube.lists == ["0", known, "", known]
            assert view.names == {"shop/a"}


async def test_a_server_that_is_away_is_asked_for_the_same_again() -> None:
    kube, clock = FakeKube((PODS, pod("a"))), FakeClock()
    kube.fail_next(Unavailable("cannot list: down"), verb="list")
    async with running(kube, clock):
        clock.advance(1)
        await settle()
        assert kube.lists == ["0", "0"]


async def test_who_wants_the_newest_always_gets_it() -> None:
    kube, clock = FakeKube((PODS, pod("a"))), FakeClock()
    async with running(kube, clock, at_least=""):
        await again(kube, clock)
        assert kube.lists == ["", ""]
