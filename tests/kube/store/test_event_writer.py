"""Events over a fake API server: order, repetition, limits, and faults without effect."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import Any

import pytest

from planes.kube.errors import AlreadyExists
from planes.kube.resources import EVENTS, Resource
from planes.kube.store.event_writer import NAMESPACE_BURST, NODE_BURST, POD_BURST, EventWriter
from planes.model.errors import BadInput, Denied, JsonObject, NotFound, PlanesError, Unavailable
from planes.model.events import Event, about_node
from tests.support.clock import FakeClock
from tests.support.kube.fake_kube import FakeKube


def event(message: str = "Add net1", pod: str = "web", namespace: str = "shop") -> Event:
    return Event("AddedInterface", message, "Normal", namespace, pod, f"uid-{pod}")


class Scene:
    """A writer, its API server and its clock."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.api = FakeKube(clock=self.clock)
        self.drops: Counter[str] = Counter()
        self.writer = EventWriter(self.api, clock=self.clock, host="node-a", on_drop=self._on_drop)

    def _on_drop(self, reason: str) -> None:
        self.drops[reason] += 1

    def written(self, namespace: str = "shop") -> list[dict[str, Any]]:
        """Return the events there are, by pod and in order of their names."""
        return self.api.objects(EVENTS, namespace)

    def verbs(self) -> list[str]:
        return [verb for verb, *_ in self.api.requests]


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def test_an_event_names_pod_node_and_component(scene: Scene) -> None:
    await scene.writer.emit([event()])
    (obj,) = scene.written()
    assert obj["involvedObject"]["uid"] == "uid-web"
    assert obj["source"] == {"component": "netplane", "host": "node-a"}
    assert obj["message"] == "Add net1"


async def test_events_of_a_pod_keep_their_order(scene: Scene) -> None:
    texts = [f"Add net{number}" for number in range(20)]
    await scene.writer.emit([event(text) for text in texts])
    assert [obj["message"] for obj in scene.written()] == texts


async def test_a_repeated_event_is_counted_in_the_one_that_is_there(scene: Scene) -> None:
    await scene.writer.emit([event()])
    first = scene.written()[0]
    scene.clock.advance(60)
    await scene.writer.emit([event(), event()])
    (obj,) = scene.written()
    assert obj["count"] == 3
    assert obj["firstTimestamp"] == first["firstTimestamp"] != obj["lastTimestamp"]
    assert scene.verbs() == ["create", "patch", "patch"]


async def test_after_ten_quiet_minutes_an_event_is_written_anew(scene: Scene) -> None:
    await scene.writer.emit([event()])
    scene.clock.advance(601)
    await scene.writer.emit([event()])
    assert [obj["count"] for obj in scene.written()] == [1, 1]


async def test_a_repeated_event_whose_object_is_gone_is_written_anew(scene: Scene) -> None:
    await scene.writer.emit([event()])
    scene.api.remove_object(EVENTS, scene.written()[0]["metadata"]["name"], "shop")
    await scene.writer.emit([event()])
    assert [obj["count"] for obj in scene.written()] == [1]


async def test_a_pod_that_floods_is_limited_and_another_is_not(scene: Scene) -> None:
    await scene.writer.emit([event(f"Add {number}") for number in range(POD_BURST + 10)])
    await scene.writer.emit([event("Add net1", pod="other")])
    assert len(scene.written()) == POD_BURST + 1
    assert scene.drops == {"limit": 10}


async def test_a_pod_may_go_on_after_a_while(scene: Scene) -> None:
    await scene.writer.emit([event(f"Add {number}") for number in range(POD_BURST)])
    scene.clock.advance(60)
    await scene.writer.emit([event("late")])
    assert not scene.drops


async def test_all_pods_together_are_limited(scene: Scene) -> None:
    count = NODE_BURST + 5
    await scene.writer.emit([event(namespace=f"s{number}") for number in range(count)])
    assert scene.drops == {"limit": 5}


async def test_a_tenant_whose_pods_flood_leaves_others_their_events(scene: Scene) -> None:
    """Pods that are made anew all the time, each with as many events as a pod may have."""
    for number in range(2 * NODE_BURST // POD_BURST):
        texts = [f"cannot find network {text}" for text in range(POD_BURST)]
        await scene.writer.emit([event(text, f"p{number}", "evil") for text in texts])
    assert len(scene.written("evil")) == NAMESPACE_BURST
    await scene.writer.emit([event(pod=f"p{number}") for number in range(110)])
    assert len(scene.written()) == 110


async def test_pods_of_namespace_default_leave_the_node_its_own_events(scene: Scene) -> None:
    """One of them may be called as the node is."""
    for number in range(2 * NODE_BURST // POD_BURST):
        texts = [f"cannot find network {text}" for text in range(POD_BURST)]
        name = f"p{number}" if number else "node-a"
        await scene.writer.emit([event(text, name, "default") for text in texts])
    await scene.writer.emit([about_node("node-a", "MultusSettings", "x", warns=True)])
    assert [obj["reason"] for obj in scene.written("default")].count("MultusSettings") == 1


async def test_dropped_events_are_logged_once(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        await scene.writer.emit([event(f"Add {number}") for number in range(POD_BURST + 10)])
    assert [record.message for record in caplog.records] == [
        "events are dropped, see the metric events_dropped"
    ]


async def test_a_namespace_that_goes_is_no_news(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scene.api.fail_next(NotFound("cannot find it"))
    with caplog.at_level(logging.INFO):
        await scene.writer.emit([event(), event("next")])
    assert [obj["message"] for obj in scene.written()] == ["next"]
    assert not caplog.records
    assert scene.drops == {"refused": 1}


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (Unavailable("cannot reach"), "unavailable"),
        (BadInput("no"), "invalid"),
        (Denied("not allowed"), "denied"),
    ],
)
async def test_what_cannot_be_written_is_dropped_and_counted(
    scene: Scene, error: PlanesError, why: str
) -> None:
    scene.api.fail_next(error)
    await scene.writer.emit([event()])
    assert scene.drops == {why: 1}


async def test_an_outage_is_told_again_after_it_was_over(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    for text in "abc":
        scene.api.fail_next(Unavailable("cannot reach"), times=2)
        await scene.writer.emit([event(f"{text}1"), event(f"{text}2"), event(f"{text}3")])
    assert len(caplog.records) == 3


async def test_a_taken_name_is_replaced_by_the_next(scene: Scene) -> None:
    scene.api.fail_next(AlreadyExists("cannot create: already exists"))
    await scene.writer.emit([event()])
    assert (len(scene.written()), scene.drops) == (1, {})


async def test_names_fit_even_for_the_longest_pod_name(scene: Scene) -> None:
    await scene.writer.emit([event(pod="a" * 253)])
    (obj,) = scene.written()
    assert len(obj["metadata"]["name"]) <= 253


class Slow(FakeKube):
    """An API server that answers nothing but what is about the pod `quick`."""

    async def create(self, resource: Resource, obj: JsonObject, **where: Any) -> JsonObject:
        """Create an object, or wait for ever."""
        if obj["involvedObject"]["name"] != "quick":
            await asyncio.Event().wait()
        return await super().create(resource, obj, **where)


async def test_nobody_waits_long_for_an_api_server_that_does_not_answer() -> None:
    drops: Counter[str] = Counter()
    api = Slow()
    writer = EventWriter(
        api,
        clock=FakeClock(),
        host="node-a",
        on_drop=lambda reason: drops.update([reason]),
        seconds=0.05,
    )
    await writer.emit([event("a"), event("b"), event("c", pod="quick")])
    assert drops == {"late": 2}
    assert len(api.objects(EVENTS)) == 1
