"""The mark of namespaces follows planes and labels, whoever changes them."""

from __future__ import annotations

from typing import Any

import pytest

from planes.kube.resources import NAMESPACES, PLANES
from planes.model.names import JOINED_LABEL
from tests.webhook.controller.reign import Reign

MEMBER = {"plane.netplane.io/business": "enabled"}


async def test_who_joins_by_label_is_marked_and_others_are_not(reign: Reign) -> None:
    reign.put_plane()
    reign.put_namespace("shop", MEMBER)
    reign.put_namespace("plain")
    reign.start()
    await reign.settle()
    assert (reign.is_marked("shop"), reign.is_marked("plain")) == (True, False)
    assert reign.writes("namespaces") == 1
    assert reign.status()["namespaces"] == 1


async def test_the_mark_goes_with_the_label(reign: Reign) -> None:
    reign.put_plane()
    reign.put_namespace("shop", MEMBER)
    reign.start()
    await reign.settle()
    reign.put_namespace("shop", {JOINED_LABEL: "true"})
    await reign.settle()
    assert not reign.is_marked("shop")


@pytest.mark.parametrize(
    "spec",
    [
        {"namespaceSelector": {"matchLabels": {"tier": "front"}}},
        {"allNamespaces": True},
    ],
)
async def test_a_plane_that_selects_by_itself_marks_what_it_selects(
    reign: Reign, spec: dict[str, Any]
) -> None:
    reign.put_namespace("shop", {"tier": "front"})
    reign.put_namespace("kube-system", {"tier": "front"})
    reign.start()
    await reign.settle()
    assert not reign.is_marked("shop")
    reign.put_plane(**spec)
    await reign.settle()
    assert (reign.is_marked("shop"), reign.is_marked("kube-system")) == (True, False)
    reign.kube.remove_object(PLANES, "business")
    await reign.settle()
    assert not reign.is_marked("shop")


async def test_a_label_for_a_plane_that_does_not_exist_is_looked_at_too(reign: Reign) -> None:
    """Its pods are refused (required) or warned about: somebody has to be asked."""
    reign.put_namespace("shop", {"plane.netplane.io/busines": "required"})
    reign.start()
    await reign.settle()
    assert reign.is_marked("shop")


async def test_a_plane_at_fault_keeps_its_namespaces_marked(reign: Reign) -> None:
    selector = {"matchLabels": {"tier": "front"}}
    reign.put_namespace("shop", {"tier": "front"})
    reign.put_plane(namespaceSelector=selector)
    reign.start()
    await reign.settle()
    reign.put_plane(namespaceSelector=selector, network={"type": "odd"})
    await reign.settle(10)
    assert reign.is_marked("shop")
    assert reign.condition("Accepted") == ("False", "Invalid")


async def test_a_mark_of_another_value_is_put_right(reign: Reign) -> None:
    reign.put_plane()
    reign.put_namespace("shop", {**MEMBER, JOINED_LABEL: "maybe"})
    reign.start()
    await reign.settle()
    assert reign.is_marked("shop")


async def test_a_namespace_removed_before_it_is_marked_is_no_failure(reign: Reign) -> None:
    reign.put_plane()
    reign.put_namespace("shop", MEMBER)
    reign.kube.before_next(
        lambda: reign.kube.remove_object(NAMESPACES, "shop"), verb="patch", resource=NAMESPACES
    )
    reign.start()
    await reign.settle(6)
    assert reign.writes("namespaces") == 1
    assert reign.failures() == 0


async def test_what_happened_while_nobody_watched_is_found(reign: Reign) -> None:
    reign.put_plane()
    reign.put_namespace("shop", MEMBER)
    reign.start()
    await reign.settle()
    reign.kube.expire()
    reign.kube.cut_watches()
    reign.kube.remove_object(NAMESPACES, "shop")
    reign.put_namespace("other", MEMBER)
    await reign.settle(10)
    assert reign.is_marked("other")
    assert reign.status()["namespaces"] == 1


async def test_many_namespaces_are_all_marked_once(reign: Reign) -> None:
    reign.put_plane(allNamespaces=True)
    for number in range(300):
        reign.put_namespace(f"n{number}")
    reign.start()
    for _ in range(40):
        await reign.settle()
    assert reign.writes("namespaces") == 300
    assert reign.status()["namespaces"] == 300
