"""The joined label of namespaces follows planes and labels."""

from __future__ import annotations

from typing import Any

import pytest

from planes.kube.resources import NAMESPACES, PLANES
from planes.model.names import JOINED_LABEL
from tests.webhook.controller.running_controller import RunningController

MEMBER = {"plane.netplane.io/business": "enabled"}


async def test_who_joins_by_label_is_marked_and_others_are_not(
    controller: RunningController,
) -> None:
    controller.put_plane()
    controller.put_namespace("shop", MEMBER)
    controller.put_namespace("plain")
    controller.start()
    await controller.settle()
    assert (controller.is_marked("shop"), controller.is_marked("plain")) == (True, False)
    assert controller.writes("namespaces") == 1
    assert controller.status()["namespaces"] == 1


async def test_the_mark_goes_with_the_label(controller: RunningController) -> None:
    controller.put_plane()
    controller.put_namespace("shop", MEMBER)
    controller.start()
    await controller.settle()
    controller.put_namespace("shop", {JOINED_LABEL: "true"})
    await controller.settle()
    assert not controller.is_marked("shop")


@pytest.mark.parametrize(
    "spec",
    [
        {"namespaceSelector": {"matchLabels": {"tier": "front"}}},
        {"allNamespaces": True},
    ],
)
async def test_a_plane_that_selects_by_itself_marks_what_it_selects(
    controller: RunningController, spec: dict[str, Any]
) -> None:
    controller.put_namespace("shop", {"tier": "front"})
    controller.put_namespace("kube-system", {"tier": "front"})
    controller.start()
    await controller.settle()
    assert not controller.is_marked("shop")
    controller.put_plane(**spec)
    await controller.settle()
    assert (controller.is_marked("shop"), controller.is_marked("kube-system")) == (True, False)
    controller.kube.remove_object(PLANES, "business")
    await controller.settle()
    assert not controller.is_marked("shop")


async def test_a_label_for_a_plane_that_does_not_exist_is_looked_at_too(
    controller: RunningController,
) -> None:
    """Its pods are refused (required) or warned about: somebody has to be asked."""
    controller.put_namespace("shop", {"plane.netplane.io/busines": "required"})
    controller.start()
    await controller.settle()
    assert controller.is_marked("shop")


async def test_a_plane_at_fault_keeps_its_namespaces_marked(controller: RunningController) -> None:
    selector = {"matchLabels": {"tier": "front"}}
    controller.put_namespace("shop", {"tier": "front"})
    controller.put_plane(namespaceSelector=selector)
    controller.start()
    await controller.settle()
    controller.put_plane(namespaceSelector=selector, network={"type": "odd"})
    await controller.settle(10)
    assert controller.is_marked("shop")
    assert controller.condition("Accepted") == ("False", "Invalid")


async def test_a_mark_of_another_value_is_put_right(controller: RunningController) -> None:
    controller.put_plane()
    controller.put_namespace("shop", {**MEMBER, JOINED_LABEL: "maybe"})
    controller.start()
    await controller.settle()
    assert controller.is_marked("shop")


async def test_a_namespace_removed_before_it_is_marked_is_no_failure(
    controller: RunningController,
) -> None:
    controller.put_plane()
    controller.put_namespace("shop", MEMBER)
    controller.kube.before_next(
        lambda: controller.kube.remove_object(NAMESPACES, "shop"), verb="patch", resource=NAMESPACES
    )
    controller.start()
    await controller.settle(6)
    assert controller.writes("namespaces") == 1
    assert controller.failures() == 0


async def test_what_happened_while_nobody_watched_is_found(controller: RunningController) -> None:
    controller.put_plane()
    controller.put_namespace("shop", MEMBER)
    controller.start()
    await controller.settle()
    controller.kube.expire()
    controller.kube.cut_watches()
    controller.kube.remove_object(NAMESPACES, "shop")
    controller.put_namespace("other", MEMBER)
    await controller.settle(10)
    assert controller.is_marked("other")
    assert controller.status()["namespaces"] == 1


async def test_many_namespaces_are_all_marked_once(controller: RunningController) -> None:
    controller.put_plane(allNamespaces=True)
    for number in range(300):
        controller.put_namespace(f"n{number}")
    controller.start()
    for _ in range(40):
        await controller.settle()
    assert controller.writes("namespaces") == 300
    assert controller.status()["namespaces"] == 300
