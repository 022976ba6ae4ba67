"""An `Informer` tells several handlers of one watch, also one that is added late."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator

import pytest

from planes.kube.api import Page, Query
from planes.kube.errors import Expired
from planes.kube.informers.informer import Informer
from planes.kube.informers.reflector import LONGEST_PAUSE
from planes.kube.resources import PODS
from planes.model.errors import JsonObject, Unavailable
from tests.support.clock import FakeClock
from tests.support.kube.fake_kube import FakeKube
from tests.support.kube.view import View, settle


def pod(name: str, namespace: str = "shop", **labels: str) -> JsonObject:
    return {"metadata": {"name": name, "namespace": namespace, "labels": labels}}


class World:
    """A server, an informer with one handler, and handlers that come and go."""

    def __init__(self, *objects: JsonObject) -> None:
        self.kube = FakeKube(*((PODS, obj) for obj in objects))
        self.clock = FakeClock()
        self.first = View()
        self.informer = Informer(self.kube, Query(PODS), self.first, clock=self.clock)
        self._tasks: list[asyncio.Task[None]] = []

    def follow(self, view: View, namespace: str = "") -> asyncio.Task[None]:
        return self._run(asyncio.create_task(self.informer.follow(view, namespace)))

    def _run(self, task: asyncio.Task[None]) -> asyncio.Task[None]:
        self._tasks.append(task)
        return task

    async def start(self) -> None:
        self._run(asyncio.create_task(self.informer.reflector.run()))
        await settle()

    async def stop(self) -> None:
        for task in self._tasks:
            await ended(task)

    def asked(self, verb: str) -> int:
        return sum(request[0] == verb for request in self.kube.requests)


class LateLists(FakeKube):
    """A server whose first list is of the moment when `answer` is set, not of the request's."""

    def __init__(self) -> None:
        super().__init__()
        self.answer = asyncio.Event()

    async def pages(self, query: Query) -> AsyncGenerator[Page, None]:
        if not self.lists:
            self.lists.append("")
            await self.answer.wait()
        async with contextlib.aclosing(super().pages(query)) as pages:
            async for page in pages:
                yield page


class BadEnd(View):
    """A handler that raises at the end of a listing."""

    def finish(self) -> None:
        raise ValueError("at the end")


async def ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


@contextlib.asynccontextmanager
async def running(*objects: JsonObject) -> AsyncIterator[World]:
    world = World(*objects)
    await world.start()
    try:
        yield world
    finally:
        await world.stop()


async def test_a_late_handler_is_listed_for_and_then_told_what_all_are_told() -> None:
    async with running(pod("a")) as world:
        late = View()
        world.follow(late)
        await settle()
        world.kube.put_object(PODS, pod("b"))
        world.kube.remove_object(PODS, "a", "shop")
        await settle()
        assert late.calls == ["begin", "put a", "finish", "put b", "drop a"]
        assert world.first.calls == late.calls
        assert (world.asked("list"), world.asked("watch")) == (2, 1)


async def test_a_handler_that_left_is_told_nothing_more() -> None:
    async with running(pod("a")) as world:
        late = View()
        task = world.follow(late)
        await settle()
        await ended(task)
        world.kube.put_object(PODS, pod("b"))
        await settle()
        assert late.names == {"shop/a"}
        assert world.first.names == {"shop/a", "shop/b"}


async def test_a_late_handler_is_told_of_its_namespace_alone() -> None:
    async with running(pod("a"), pod("x", "other")) as world:
        late = View()
        world.follow(late, "shop")
        await settle()
        world.kube.put_object(PODS, pod("y", "other"))
        world.kube.remove_object(PODS, "x", "other")
        world.kube.put_object(PODS, pod("b"))
        await settle()
        assert late.calls == ["begin", "put a", "finish", "put b"]
        assert world.kube.requests[-1] == ("list", "pods", "shop", "")


async def test_a_new_listing_is_told_to_all() -> None:
    async with running(pod("a")) as world:
        late = View()
        world.follow(late)
        await settle()
        world.clock.advance(60)
        world.kube.cut_watches(Expired("cannot watch: 410"))
        world.kube.remove_object(PODS, "a", "shop")
        await settle()
        assert late.calls[3:] == ["begin", "finish"]
        assert late.names == world.first.names == set()


async def test_one_that_is_added_before_the_first_listing_is_told_it() -> None:
    world = World(pod("a"))
    world.kube.fail_next(Unavailable("cannot list: down"), verb="list", times=2)
    late = View()
    try:
        world.follow(late)
        await world.start()
        world.clock.advance(LONGEST_PAUSE)
        await settle()
        assert late.names == world.first.names == {"shop/a"}
    finally:
        await world.stop()


async def test_what_was_deleted_before_a_listing_of_the_watch_is_not_kept_of_its_own_list() -> None:
    world = World()
    kube = LateLists()
    world.informer = Informer(kube, Query(PODS), world.first, clock=world.clock)
    kube.put_object(PODS, pod("a"))
    late = View()
    try:
        await world.start()
        world.follow(late)
        await settle()
        kube.remove_object(PODS, "a", "shop")
        kube.answer.set()
        await settle()
        kube.put_object(PODS, pod("b"))
        await settle()
        assert late.names == world.first.names == {"shop/b"}
    finally:
        await world.stop()


async def test_one_that_is_added_during_a_listing_that_fails_is_told_the_next() -> None:
    world = World(pod("a"))
    world.kube.fail_next(Unavailable("cannot list: down"), verb="list")
    late = View()
    try:
        await world.start()
        world.follow(late)
        await settle()
        assert late.calls == []
        world.clock.advance(LONGEST_PAUSE)
        await settle()
        assert late.calls == ["begin", "put a", "finish"]
    finally:
        await world.stop()


async def test_a_list_for_one_that_fails_is_tried_again_and_told_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with running(pod("a")) as world:
        world.kube.fail_next(Unavailable("cannot list: down"), verb="list", times=2)
        late = View()
        with caplog.at_level(logging.INFO, "planes.kube.informers.informer"):
            world.follow(late)
            for _ in range(2):
                await settle()
                assert not late.names
                world.clock.advance(2)
            await settle()
        assert late.names == {"shop/a"}
        assert [record.message for record in caplog.records] == ["watch failed"]


async def test_a_handler_that_raises_keeps_no_other_from_being_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with running() as world:
        bad, good = View(refuses="a"), View()
        world.follow(bad)
        world.follow(good)
        await settle()
        world.kube.put_object(PODS, pod("a"))
        world.kube.put_object(PODS, pod("b"))
        await settle()
        assert (bad.names, good.names) == ({"shop/b"}, {"shop/a", "shop/b"})
        assert [record.message for record in caplog.records] == ["object not taken over"]


async def test_one_that_raises_at_the_end_of_a_listing_keeps_no_other_from_being_told() -> None:
    kube, good = FakeKube((PODS, pod("a"))), View()
    informer = Informer(kube, Query(PODS), BadEnd(), good, clock=FakeClock())
    with pytest.raises(ValueError, match="at the end"):
        await informer.reflector.run()
    assert good.names == {"shop/a"}
