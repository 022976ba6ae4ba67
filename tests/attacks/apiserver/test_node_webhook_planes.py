"""Somebody with the webhook's token, before planes: the finalizer alone is theirs to write."""

from __future__ import annotations

from typing import Any

import pytest

from planes.model.errors import JsonObject
from planes.model.names import IN_USE_FINALIZER
from tests.attacks.apiserver.shipped import Shipped, by_policy
from tests.attacks.apiserver.test_node_blocks import MANAGER
from tests.cluster.rest import NAMESPACES, PLANES
from tests.support.planes import plane_object

MOST_MANAGERS = 32
"""As many as base/policies/webhook.yaml lets an object have by the webhook's writes."""
SPOILT: dict[str, JsonObject] = {
    "its spec": {"spec": {"purpose": "theirs"}},
    "a label": {"metadata": {"labels": {"a": "b"}}},
    "an annotation": {"metadata": {"annotations": {"a": "b"}}},
    "another finalizer": {"metadata": {"finalizers": ["x.y/z", IN_USE_FINALIZER, "a.b/c"]}},
    "a finalizer of others": {"metadata": {"finalizers": []}},
    "its own finalizer twice": {"metadata": {"finalizers": ["x.y/z", *[IN_USE_FINALIZER] * 2]}},
    "its own finalizer without end": {
        "metadata": {"finalizers": ["x.y/z", *[IN_USE_FINALIZER] * 60_000]}
    },
    "managers that own much": {
        "metadata": {
            "finalizers": ["x.y/z", IN_USE_FINALIZER],
            "managedFields": [
                {
                    **MANAGER,
                    "apiVersion": "netplane.io/v1alpha1",
                    "fieldsV1": {"f:metadata": {"f:labels": {"f:a": {}, "f:b": {}}}},
                }
            ],
        }
    },
}


@pytest.fixture(scope="module")
def plane(shipped: Shipped) -> str:
    """A plane with a finalizer of somebody else's; its path."""
    obj = plane_object("theirs")
    obj["metadata"]["finalizers"] = ["x.y/z"]
    made = shipped.admin.create(PLANES, obj)
    assert made.is_success, made.message
    return f"{PLANES}/theirs"


def test_node_webhook_sets_and_removes_its_finalizer(shipped: Shipped, plane: str) -> None:
    """The control: what it is for; beside fields that many others have written."""
    for number in range(14):
        patch = {"metadata": {"annotations": {f"a{number}": "b"}, "labels": {"n": str(number)}}}
        assert shipped.admin.merge(f"{plane}?fieldManager=hand-{number}", patch).is_success
        for finalizers in (["x.y/z", IN_USE_FINALIZER], ["x.y/z"]):
            reply = shipped.webhook.merge(plane, {"metadata": {"finalizers": finalizers}})
            assert reply.is_success, reply.message
            assert reply.body["metadata"]["finalizers"] == finalizers


@pytest.mark.parametrize("patch", SPOILT.values(), ids=SPOILT)
def test_node_webhook_token_changes_nothing_else_of_planes(
    shipped: Shipped, plane: str, patch: Any
) -> None:
    before = shipped.read(plane)
    assert by_policy(shipped.webhook.merge(plane, patch))
    assert shipped.read(plane) == before


@pytest.mark.parametrize("kind", [PLANES, NAMESPACES])
def test_node_webhook_token_makes_no_object_grow_by_its_managers(
    shipped: Shipped, kind: str
) -> None:
    """Each write may add one, as the API server does: an object of 1.5 MiB goes to every node."""
    path = f"{kind}/grown"
    obj = plane_object("grown") if kind == PLANES else {"metadata": {"name": "grown"}}
    made = shipped.admin.create(kind, obj)
    assert made.is_success, made.message
    (first,) = made.body["metadata"]["managedFields"]
    for number in range(MOST_MANAGERS + 8):
        known = shipped.read(path)["metadata"]["managedFields"]
        more = {**first, "manager": f"{number}-{'x' * 100}", "operation": "Apply"}
        reply = shipped.webhook.merge(path, {"metadata": {"managedFields": [*known, more]}})
    assert by_policy(reply)
    assert len(shipped.read(path)["metadata"]["managedFields"]) == MOST_MANAGERS
    assert shipped.admin.ask("DELETE", path).is_success


def test_node_webhook_token_makes_and_deletes_no_plane(shipped: Shipped, plane: str) -> None:
    assert shipped.webhook.create(PLANES, plane_object("own")).status == 403
    assert shipped.webhook.ask("DELETE", plane).status == 403
