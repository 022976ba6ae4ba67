"""Namespaces whose labels join nothing get an event, once and not too often."""

from __future__ import annotations

from planes.kube.resources import EVENTS, PLANES
from planes.model.errors import JsonObject, Unavailable
from tests.webhook.controller.running_controller import RunningController
from webhook.controller.labels import AGAIN_SECONDS, GRACE_SECONDS, NAMESPACE_BURST

WRONG = {"plane.netplane.io/busines": "enabled"}


def told(controller: RunningController, namespace: str = "shop") -> list[JsonObject]:
    found = controller.kube.objects(EVENTS, namespace)
    return [each for each in found if each["reason"] == "PlaneMissing"]


async def test_a_namespace_labelled_before_is_told_in_its_own_events(
    controller: RunningController,
) -> None:
    controller.put_plane()
    controller.put_namespace("shop", WRONG)
    controller.start()
    await controller.settle(GRACE_SECONDS + 10)
    (event,) = told(controller)
    assert event["type"] == "Warning"
    assert event["involvedObject"]["kind"] == "Namespace"
    assert event["involvedObject"]["name"] == "shop"
    assert 'there is no plane "busines"; did you mean business?' in event["message"]


async def test_it_is_told_once_an_hour_by_whichever_replica_leads(
    controller: RunningController,
) -> None:
    controller.put_plane()
    controller.put_namespace("shop", WRONG)
    controller.start()
    await controller.settle(GRACE_SECONDS + 600)
    await controller.stop()
    controller.start()
    await controller.settle(GRACE_SECONDS + 600)
    assert len(told(controller)) == 1
    tries = [each for each in controller.kube.requests if each[:3] == ("create", "events", "shop")]
    assert len(tries) == 2
    assert AGAIN_SECONDS > 2 * (GRACE_SECONDS + 600)


async def test_a_plane_that_comes_a_moment_later_is_no_fault(controller: RunningController) -> None:
    controller.put_namespace("shop", {"plane.netplane.io/business": "enabled"})
    controller.start()
    await controller.settle(GRACE_SECONDS / 2)
    controller.put_plane()
    await controller.settle(2 * GRACE_SECONDS)
    assert told(controller) == []


async def test_a_plane_that_goes_is_told_to_the_namespaces_that_had_it(
    controller: RunningController,
) -> None:
    controller.put_plane(deletionPolicy="Orphan")
    controller.put_namespace("shop", {"plane.netplane.io/business": "required"})
    controller.start()
    await controller.settle(10)
    await controller.kube.delete(PLANES, "business")
    await controller.settle(GRACE_SECONDS + 10)
    (event,) = told(controller)
    assert 'cannot attach the required plane "business": there is none' in event["message"]


async def test_tenant_labels_that_change_all_the_time_cost_a_bounded_number_of_events(
    controller: RunningController,
) -> None:
    controller.put_plane()
    controller.put_namespace("other", WRONG)
    controller.start()
    for number in range(20):
        controller.put_namespace("shop", {f"plane.netplane.io/wrong-{number}": "enabled"})
        await controller.settle(GRACE_SECONDS + 6)
    assert NAMESPACE_BURST <= len(told(controller)) <= NAMESPACE_BURST + 2
    assert len(told(controller, "other")) == 1


async def test_what_could_not_be_told_while_the_api_server_was_away_is_told_later(
    controller: RunningController,
) -> None:
    controller.put_plane()
    controller.put_namespace("shop", WRONG)
    away = Unavailable("cannot create Event: no answer in time")
    controller.kube.fail_next(away, verb="create", resource=EVENTS)
    controller.start()
    await controller.settle(GRACE_SECONDS + 30)
    assert len(told(controller)) == 1
    assert controller.failures() == 0
