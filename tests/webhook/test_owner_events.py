"""Warnings about a workload's pods become events of the workload, within bounds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest

from planes.kube.resources import (
    DAEMON_SETS,
    DEPLOYMENTS,
    EVENTS,
    JOBS,
    REPLICA_SETS,
    STATEFUL_SETS,
)
from planes.model.errors import Finding, JsonObject, Unavailable
from tests.support.clock import FakeClock
from tests.support.kube.fake_kube import FakeKube
from tests.support.webhook.admission import review_object
from webhook.owner_events import MOST_QUEUED, NAMESPACE_BURST, REPEAT_SECONDS, OwnerEvents
from webhook.review import Allowed, Answer, Rejected, parse

ACCOUNTS = "system:serviceaccount:kube-system:"
WARNED = Allowed(['there is no plane "busines"'])
PATH = "/validate/pods"
WORKLOADS = {one.kind: one for one in (DEPLOYMENTS, REPLICA_SETS, STATEFUL_SETS, DAEMON_SETS, JOBS)}


def named(kind: str, name: str, space: str, uid: str, number: int = 0) -> JsonObject:
    """Return a pod that names a workload as its controller."""
    api = "batch/v1" if kind == "Job" else "apps/v1"
    owner = {"apiVersion": api, "kind": kind, "name": name, "uid": uid, "controller": True}
    metadata: JsonObject = {"namespace": space, "ownerReferences": [owner]}
    if kind == "StatefulSet":
        metadata["name"] = f"{name}-{number}"
    else:
        metadata["generateName"] = f"{name}-"
    if kind == "ReplicaSet":
        metadata["labels"] = {"pod-template-hash": "abc"}
    return {"metadata": metadata, "spec": {}}


class Scene:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.kube = FakeKube(clock=self.clock)
        self.events = OwnerEvents(self.kube, self.clock)

    def live(self, kind: str, name: str, space: str = "shop", **meta: Any) -> str:
        """Have a workload there; return its UID."""
        there = self.kube.object(WORKLOADS[kind], name, space)
        if there is None:
            obj = {"metadata": {"name": name, "namespace": space, **meta}}
            there = self.kube.put_object(WORKLOADS[kind], obj)
        return str(there["metadata"]["uid"])

    def pod(
        self, kind: str = "ReplicaSet", name: str = "web-abc", space: str = "shop", number: int = 0
    ) -> JsonObject:
        """Return a pod of a workload that is there, and of its Deployment."""
        if kind != "ReplicaSet":
            return named(kind, name, space, self.live(kind, name, space), number)
        above = {"kind": "Deployment", "name": "web", "uid": self.live("Deployment", "web", space)}
        owners = [{"apiVersion": "apps/v1", **above, "controller": True}]
        return named(kind, name, space, self.live(kind, name, space, ownerReferences=owners))

    def ask(
        self,
        obj: JsonObject,
        answer: Answer = WARNED,
        user: str = f"{ACCOUNTS}replicaset-controller",
        **more: Any,
    ) -> None:
        asked = review_object(obj, **{"userInfo": {"username": user}, **more})
        self.events.answered(PATH, parse(orjson.dumps(asked)), answer)

    def told(self, space: str = "shop") -> list[tuple[str, str]]:
        """Return kind and name of what the events are about."""
        found = [each["involvedObject"] for each in self.kube.objects(EVENTS, space)]
        return sorted((each["kind"], each["name"]) for each in found)

    async def settle(self, seconds: int = 3) -> None:
        for _ in range(seconds):
            for _ in range(80):
                await asyncio.sleep(0)
            self.clock.advance(1)
        for _ in range(80):
            await asyncio.sleep(0)


@asynccontextmanager
async def running() -> AsyncIterator[Scene]:
    made = Scene()
    task = asyncio.ensure_future(made.events.run())
    try:
        yield made
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with running() as made:
        yield made


async def test_a_deployments_author_finds_it_on_the_replica_set_and_the_deployment(
    scene: Scene,
) -> None:
    scene.ask(scene.pod())
    await scene.settle()
    assert scene.told() == [("Deployment", "web"), ("ReplicaSet", "web-abc")]
    about = {each["involvedObject"]["uid"] for each in scene.kube.objects(EVENTS, "shop")}
    assert about == {scene.live("ReplicaSet", "web-abc"), scene.live("Deployment", "web")}
    for event in scene.kube.objects(EVENTS, "shop"):
        assert event["type"] == "Warning"
        assert 'there is no plane "busines"' in event["message"]


@pytest.mark.parametrize(
    ("kind", "account"),
    [
        ("StatefulSet", "statefulset-controller"),
        ("DaemonSet", "daemon-set-controller"),
        ("Job", "job-controller"),
    ],
)
async def test_other_workloads_get_theirs(scene: Scene, kind: str, account: str) -> None:
    scene.ask(scene.pod(kind, "db"), user=ACCOUNTS + account)
    await scene.settle()
    assert scene.told() == [(kind, "db")]


async def test_each_replica_and_each_webhook_says_it_once(scene: Scene) -> None:
    for number in range(50):
        scene.ask(
            scene.pod("StatefulSet", "db", number=number), user=f"{ACCOUNTS}statefulset-controller"
        )
    other = OwnerEvents(scene.kube, scene.clock)
    asked = review_object(scene.pod("StatefulSet", "db"))
    asked["request"]["userInfo"] = {"username": f"{ACCOUNTS}statefulset-controller"}
    other.answered(PATH, parse(orjson.dumps(asked)), WARNED)
    task = asyncio.ensure_future(other.run())
    await scene.settle()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert scene.told() == [("StatefulSet", "db")]
    tries = [each for each in scene.kube.requests if each[:2] == ("create", "events")]
    assert len(tries) == 2


async def test_a_dry_run_a_refusal_and_a_pod_without_warning_make_none(scene: Scene) -> None:
    scene.ask(scene.pod("StatefulSet", "db"), user=f"{ACCOUNTS}statefulset-controller", dryRun=True)
    scene.ask(scene.pod(), Rejected([Finding("", "cannot")], ["also"]))
    scene.ask(scene.pod(), Allowed())
    await scene.settle()
    assert scene.told() == []


@pytest.mark.parametrize("user", ["mallory", f"{ACCOUNTS}job-controller"])
async def test_tenant_pods_that_name_an_owner_by_themselves_make_none(
    scene: Scene, user: str
) -> None:
    scene.ask(scene.pod(), user=user)
    await scene.settle()
    assert scene.told() == []


async def test_a_review_in_a_controllers_name_makes_no_event_where_it_knows_no_uid(
    scene: Scene,
) -> None:
    """Whoever reaches admission's port may send it; names of others' workloads can be guessed."""
    scene.pod()
    scene.live("StatefulSet", "db")
    controllers = {"ReplicaSet": "replicaset-controller", "StatefulSet": "statefulset-controller"}
    for kind, name in (("ReplicaSet", "web-abc"), ("ReplicaSet", "web-x"), ("StatefulSet", "db")):
        forged = named(kind, name, "shop", "guessed")
        scene.ask(forged, user=ACCOUNTS + controllers[kind])
    other = scene.live("ReplicaSet", "alone", "mallory")
    scene.ask(named("ReplicaSet", "web-abc", "shop", other))
    await scene.settle()
    assert scene.told() == []


async def test_a_replica_set_of_nobody_makes_no_event_about_a_deployment(scene: Scene) -> None:
    """Its author may have no right to write about that one."""
    scene.live("Deployment", "web")
    scene.ask(named("ReplicaSet", "web-abc", "shop", scene.live("ReplicaSet", "web-abc")))
    await scene.settle()
    assert scene.told() == []


async def test_tenant_workloads_without_end_spend_their_own_share_alone(scene: Scene) -> None:
    for number in range(3 * MOST_QUEUED):
        name = f"db{number}"
        scene.ask(scene.pod("StatefulSet", name), user=f"{ACCOUNTS}statefulset-controller")
    scene.ask(scene.pod("StatefulSet", "db", "other"), user=f"{ACCOUNTS}statefulset-controller")
    await scene.settle()
    assert len(scene.told()) == NAMESPACE_BURST
    assert scene.told("other") == [("StatefulSet", "db")]


async def test_what_could_not_be_written_stops_nothing(scene: Scene) -> None:
    scene.kube.fail_next(Unavailable("cannot write"), verb="create", resource=EVENTS)
    scene.ask(scene.pod("StatefulSet", "one"), user=f"{ACCOUNTS}statefulset-controller")
    scene.ask(scene.pod("StatefulSet", "two"), user=f"{ACCOUNTS}statefulset-controller")
    await scene.settle()
    assert scene.told() == [("StatefulSet", "two")]


async def test_a_fault_that_stays_is_told_again_when_its_event_is_gone(scene: Scene) -> None:
    scene.ask(scene.pod("StatefulSet", "db"), user=f"{ACCOUNTS}statefulset-controller")
    await scene.settle()
    (event,) = scene.kube.objects(EVENTS, "shop")
    scene.kube.remove_object(EVENTS, event["metadata"]["name"], "shop")
    scene.clock.advance(REPEAT_SECONDS)
    scene.ask(scene.pod("StatefulSet", "db"), user=f"{ACCOUNTS}statefulset-controller")
    await scene.settle()
    assert scene.told() == [("StatefulSet", "db")]
