"""Whenever a handler comes and goes, it comes to know what the server has."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from hypothesis import given
from hypothesis import strategies as st

from planes.kube.api import Page, Query
from planes.kube.informers.informer import Informer
from planes.kube.informers.reflector import LONGEST_PAUSE
from planes.kube.resources import PODS
from planes.model.errors import Unavailable
from tests.kube.informers.test_informer import World, ended, pod
from tests.support.kube.fake_kube import FakeKube
from tests.support.kube.view import View, settle


class SlowLists(FakeKube):
    """Other tasks run before a list and between its pages."""

    async def pages(self, query: Query) -> AsyncGenerator[Page, None]:
        for _ in range(len(self.requests) % 7):
            await asyncio.sleep(0)
        async with contextlib.aclosing(super().pages(query)) as pages:
            async for page in pages:
                await asyncio.sleep(0)
                yield page


STEPS = st.one_of(
    st.tuples(st.just("put"), st.sampled_from("abcde")),
    st.tuples(st.just("remove"), st.sampled_from("abcde")),
    st.tuples(st.sampled_from(["follow", "leave", "cut", "end", "lose", "bookmark"]), st.just("")),
    st.tuples(st.just("fail"), st.sampled_from(["list", "watch"])),
)
TURNS = st.sampled_from([0, 1, 2, 3, 5, 20])


class LateWorld(World):
    """A world in which a handler comes and goes while anything else happens."""

    def __init__(self) -> None:
        super().__init__()
        self.kube = SlowLists()
        self.kube.page_size = 1
        self.kube.put_object(PODS, pod("a"))  # real servers list nothing as of version 0
        self.informer = Informer(self.kube, Query(PODS), self.first, clock=self.clock)
        self.late = View()
        self._following: asyncio.Task[None] | None = None
        self._count = 0

    async def do(self, what: str, name: str) -> None:
        if what == "put":
            self._count += 1
            self.kube.put_object(PODS, pod(name, count=str(self._count)))
        elif what == "remove":
            self.kube.remove_object(PODS, name, "shop")
        elif what == "follow":
            await self.leave()
            self._following = self.follow(self.late)
        elif what == "leave":
            await self.leave()
        elif what == "fail":
            self.kube.fail_next(Unavailable("cannot: down"), verb=name)
        elif what == "lose":
            self.kube.expire()
            self.kube.cut_watches()
        else:
            happen = {"cut": self.kube.cut_watches, "end": self.kube.end_watches}
            happen.get(what, self.kube.bookmark)()

    async def leave(self) -> None:
        if self._following is not None:
            await ended(self._following)
            self._following = None
            self.late = View()


async def play(steps: list[tuple[tuple[str, str], int]]) -> None:
    world = LateWorld()
    await world.start()
    for (what, name), turns in steps:
        await world.do(what, name)
        await settle(turns)
    if world._following is None:
        await world.do("follow", "")
    for _ in range(len(steps) + 2):
        await settle(60)
        world.clock.advance(LONGEST_PAUSE)
    await settle(60)
    assert world.kube.watches == 1
    assert world.late.objects == world.first.objects
    assert world.first.objects == {
        f"shop/{obj['metadata']['name']}": obj["metadata"]["resourceVersion"]
        for obj in world.kube.objects(PODS)
    }
    await world.stop()


@given(st.lists(st.tuples(STEPS, TURNS), min_size=5, max_size=30))
def test_the_late_handler_comes_to_know_what_the_server_has(
    steps: list[tuple[tuple[str, str], int]],
) -> None:
    asyncio.run(play(steps))
