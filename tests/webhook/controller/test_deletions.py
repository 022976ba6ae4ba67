"""A plane that pods use is not deleted; an unused one is deleted at once."""

from __future__ import annotations

import pytest

from planes.kube.resources import EVENTS, PLANES
from planes.model.errors import Conflict, JsonObject
from planes.model.names import IN_USE_FINALIZER, NETWORKS_ANNOTATION
from planes.model.objects import Namespace, Pod
from tests.webhook.controller.running_controller import RunningController

MEMBER = {"plane.netplane.io/business": "enabled"}


def finalizers(controller: RunningController, name: str = "business") -> list[str]:
    found = controller.kube.object(PLANES, name)
    assert found is not None
    return list(found["metadata"].get("finalizers") or ())


def is_there(controller: RunningController) -> bool:
    return controller.kube.object(PLANES, "business") is not None


def having(name: str, namespace: str = "shop") -> Pod:
    return Pod(namespace, name, annotations={NETWORKS_ANNOTATION: "netplane-system/business"})


def join(controller: RunningController, namespace: str = "shop") -> None:
    controller.put_namespace(namespace, MEMBER)
    controller.store.put_namespace(Namespace(namespace, MEMBER))


async def delete(controller: RunningController) -> None:
    await controller.kube.delete(PLANES, "business")
    await controller.settle(6)


def events(controller: RunningController) -> list[JsonObject]:
    return [e for e in controller.kube.objects(EVENTS) if e["reason"] == "DeletionBlocked"]


async def test_every_plane_gets_the_finalizer_also_one_from_before(
    controller: RunningController,
) -> None:
    controller.put_plane()
    controller.put_plane(
        "other", deletionPolicy="Block", network={"type": "macvlan", "master": "e2"}
    )
    controller.start()
    await controller.settle(2)
    assert finalizers(controller) == finalizers(controller, "other") == [IN_USE_FINALIZER]


async def test_a_plane_with_a_pod_stays_until_the_pod_is_gone(
    controller: RunningController,
) -> None:
    join(controller)
    controller.put_plane()
    controller.put_pods([having("web-1")])
    controller.start()
    await controller.settle(2)
    await delete(controller)
    assert is_there(controller)
    assert controller.condition("DeletionBlocked") == ("True", "PodsAttached")
    assert controller.condition("Accepted") == ("True", "Valid")
    controller.store.remove_pod("shop", "web-1")
    await controller.settle(6)
    assert not is_there(controller)


async def test_the_condition_and_one_event_name_the_first_pods_and_count_the_rest(
    controller: RunningController,
) -> None:
    join(controller)
    controller.put_plane()
    controller.put_pods(having(f"web-{number}") for number in range(9))
    controller.start()
    await controller.settle(2)
    await delete(controller)
    await controller.settle(30)
    (found,) = [e for e in controller.status()["conditions"] if e["type"] == "DeletionBlocked"]
    assert "9 pods (shop/web-0, shop/web-1, shop/web-2 and 6 more)" in found["message"]
    assert "remove the label plane.netplane.io/business" in found["message"]
    (event,) = events(controller)
    assert "9 pods (shop/web-0, shop/web-1, shop/web-2 and 6 more)" in event["message"]


async def test_a_plane_that_nobody_has_goes_at_once(controller: RunningController) -> None:
    join(controller)
    controller.put_plane()
    controller.start()
    await controller.settle(2)
    await delete(controller)
    assert not is_there(controller)
    assert events(controller) == []


async def test_with_orphan_no_finalizer_holds_it(controller: RunningController) -> None:
    join(controller)
    controller.put_plane(deletionPolicy="Orphan")
    controller.put_pods([having("web-1")])
    controller.start()
    await controller.settle(2)
    assert finalizers(controller) == []
    await delete(controller)
    assert not is_there(controller)


async def test_orphan_chosen_while_the_deletion_waits_lets_it_go(
    controller: RunningController,
) -> None:
    join(controller)
    obj = controller.put_plane()
    controller.put_pods([having("web-1")])
    controller.start()
    await controller.settle(2)
    await delete(controller)
    assert is_there(controller)
    await controller.kube.patch(
        PLANES, "business", {"spec": {**obj["spec"], "deletionPolicy": "Orphan"}}
    )
    await controller.settle(2)
    assert not is_there(controller)


async def test_finalizers_of_others_are_left_alone(controller: RunningController) -> None:
    join(controller)
    controller.put_plane()
    theirs = {"metadata": {"finalizers": ["example.com/audit"]}}
    await controller.kube.patch(PLANES, "business", theirs)
    controller.start()
    await controller.settle(2)
    assert finalizers(controller) == ["example.com/audit", IN_USE_FINALIZER]
    await delete(controller)
    assert finalizers(controller) == ["example.com/audit"]


async def test_tenant_pods_of_a_namespace_that_has_not_joined_hold_nothing(
    controller: RunningController,
) -> None:
    join(controller)
    controller.put_namespace("stranger")
    controller.store.put_namespace(Namespace("stranger", {}))
    controller.put_plane()
    controller.put_pods([having("web-1", "stranger")])
    controller.start()
    await controller.settle(2)
    await delete(controller)
    assert not is_there(controller)


async def test_nothing_is_let_go_before_pods_were_read(controller: RunningController) -> None:
    join(controller)
    controller.put_plane()
    await controller.kube.patch(
        PLANES, "business", {"metadata": {"finalizers": [IN_USE_FINALIZER]}}
    )
    controller.store.is_synced = False
    controller.start()
    await delete(controller)
    assert is_there(controller)
    controller.store.is_synced = True
    await controller.settle(6)
    assert not is_there(controller)


@pytest.mark.parametrize("policy", ["Block", "Orphan"])
async def test_a_leader_that_comes_while_the_deletion_waits_goes_on_with_it(
    controller: RunningController, policy: str
) -> None:
    join(controller)
    controller.put_plane(deletionPolicy=policy)
    await controller.kube.patch(
        PLANES, "business", {"metadata": {"finalizers": [IN_USE_FINALIZER]}}
    )
    await controller.kube.delete(PLANES, "business")
    controller.put_pods([having("web-1")])
    controller.start()
    await controller.settle(6)
    assert is_there(controller) == (policy == "Block")
    controller.store.remove_pod("shop", "web-1")
    await controller.settle(6)
    assert not is_there(controller)


async def test_a_plane_that_somebody_writes_at_the_same_time_is_no_failure(
    controller: RunningController,
) -> None:
    controller.put_plane()
    conflict = Conflict("cannot patch: the object has been modified")
    controller.kube.fail_next(conflict, verb="patch", resource=PLANES, times=1)
    controller.start()
    await controller.settle(10)
    assert finalizers(controller) == [IN_USE_FINALIZER]
    tries = [each for each in controller.kube.requests if each[:2] == ("patch", "planes")]
    assert len(tries) > 1, "the first one met the conflict"
    assert controller.failures() == 0
