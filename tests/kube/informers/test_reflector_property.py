"""A `Reflector` under any order of changes and faults ends with the server's objects."""

from __future__ import annotations

import asyncio
import contextlib

from hypothesis import given
from hypothesis import strategies as st

from planes.kube.api import Query
from planes.kube.errors import Expired
from planes.kube.informers.reflector import LONGEST_PAUSE, Reflector
from planes.kube.resources import PODS
from planes.model.errors import Denied, Unavailable
from tests.support.clock import FakeClock
from tests.support.kube.fake_kube import FakeKube
from tests.support.kube.view import View, settle

ERRORS = {
    "down": Unavailable("cannot: down"),
    "gone": Expired("cannot: 410"),
    "denied": Denied("cannot: 403"),
}
STEPS = st.one_of(
    st.tuples(st.just("put"), st.sampled_from("abcd"), st.sampled_from(["n1", "n2"])),
    st.tuples(st.just("remove"), st.sampled_from("abcd"), st.none()),
    st.tuples(st.sampled_from(["cut", "end", "expire", "lose", "bookmark"]), *[st.none()] * 2),
    st.tuples(st.just("fail"), st.sampled_from(["list", "watch"]), st.sampled_from(list(ERRORS))),
    st.tuples(st.just("advance"), st.sampled_from([0.3, 2.0, 40.0]), st.none()),
)
TURNS = st.sampled_from([0, 1, 3, 20])  # of the event loop before the next step


class Scene:
    """One server, one watching, and what may happen to them."""

    def __init__(self) -> None:
        self.kube = FakeKube()
        self.kube.page_size = 2
        self.clock = FakeClock()
        self.view = View()
        self.count = 0

    def put(self, name: str, node: str) -> None:
        self.count += 1  # so that every write is one
        metadata = {"name": name, "namespace": "shop", "labels": {"count": str(self.count)}}
        self.kube.put_object(PODS, {"metadata": metadata, "spec": {"nodeName": node}})

    def do(self, step: tuple[str, object, object]) -> None:
        what, first, second = step
        if what == "put":
            self.put(str(first), str(second))
        elif what == "remove":
            self.kube.remove_object(PODS, str(first), "shop")
        elif what == "fail":
            self.kube.fail_next(ERRORS[str(second)], verb=str(first))
        elif what == "advance" and isinstance(first, float):
            self.clock.advance(first)
        elif what == "lose":
            self.kube.expire()
            self.kube.cut_watches()
        else:
            self.happen(what)

    def happen(self, what: str) -> None:
        {
            "cut": self.kube.cut_watches,
            "end": self.kube.end_watches,
            "expire": self.kube.expire,
            "bookmark": self.kube.bookmark,
        }[what]()

    def expected(self) -> dict[str, str]:
        return {
            f"shop/{obj['metadata']['name']}": obj["metadata"]["resourceVersion"]
            for obj in self.kube.objects(PODS)
            if obj["spec"].get("nodeName") == "n1"
        }


Step = tuple[str, object, object]


async def play(steps: list[tuple[Step, int]]) -> None:
    scene = Scene()
    query = Query(PODS, fields="spec.nodeName=n1")
    watching = Reflector(scene.kube, query, scene.view, clock=scene.clock)
    task = asyncio.create_task(watching.run())
    for step, turns in steps:
        scene.do(step)
        await settle(turns)
    for _ in range(len(steps) + 2):
        await settle(40)
        scene.clock.advance(LONGEST_PAUSE)
    await settle(40)
    assert scene.kube.watches == 1
    assert scene.view.objects == scene.expected()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


@given(st.lists(st.tuples(STEPS, TURNS), min_size=5, max_size=30))
def test_the_view_becomes_that_of_the_server(steps: list[tuple[Step, int]]) -> None:
    asyncio.run(play(steps))
