"""The mark is set and removed within the request that labels a namespace."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from planes.model.errors import JsonObject
from planes.model.names import JOINED_LABEL
from tests.support.admission import review_object
from tests.support.kube_patch import patched
from tests.support.shop import shop
from tests.support.store import FakeStore
from webhook.namespaces import mutate_namespace
from webhook.review import Allowed, Answer, Errored, Patched, parse

MEMBER = {"plane.netplane.io/business": "enabled"}
NAMESPACES = {"group": "", "version": "v1", "resource": "namespaces"}
CONTROLLER = {"username": "system:serviceaccount:netplane-system:netplane-webhook"}


def namespace(labels: dict[str, str] | None) -> JsonObject:
    metadata: JsonObject = {"name": "team"}
    return {"metadata": metadata if labels is None else {**metadata, "labels": labels}}


def answer(labels: dict[str, str] | None, store: FakeStore | None = None, **more: Any) -> Answer:
    request = {"resource": NAMESPACES, "namespace": "team", **more}
    review = parse(orjson.dumps(review_object(namespace(labels), **request)))
    return mutate_namespace(review, store or shop())


def labels_after(labels: dict[str, str] | None, **more: Any) -> dict[str, str]:
    given = answer(labels, **more)
    obj = namespace(labels)
    if isinstance(given, Patched):
        obj = patched(obj, given.patch)
        assert isinstance(answer(obj["metadata"]["labels"]), Allowed), "asked again it is right"
    found: dict[str, str] = obj["metadata"].get("labels", {})
    return found


@pytest.mark.parametrize("operation", ["CREATE", "UPDATE"])
def test_who_joins_is_marked(operation: str) -> None:
    assert labels_after(MEMBER, operation=operation) == {**MEMBER, JOINED_LABEL: "true"}


def test_who_leaves_or_never_joined_loses_the_mark() -> None:
    assert labels_after({"colour": "blue", JOINED_LABEL: "true"}) == {"colour": "blue"}


def test_a_mark_of_another_value_is_put_right() -> None:
    assert labels_after({**MEMBER, JOINED_LABEL: "no"})[JOINED_LABEL] == "true"


def test_who_tries_to_join_a_plane_that_does_not_exist_is_marked() -> None:
    """Its pods are refused or warned about, so they must be asked about."""
    assert JOINED_LABEL in labels_after({"plane.netplane.io/busines": "enabled"})


@pytest.mark.parametrize("labels", [None, {}, {"colour": "blue"}, {**MEMBER, JOINED_LABEL: "true"}])
def test_what_is_right_is_left_alone(labels: dict[str, str] | None) -> None:
    assert answer(labels) == Allowed(audit={"decision": "nothing to change"})


def test_what_the_controller_writes_stands() -> None:
    """It has worked out the mark from all there is; two opinions would take turns for ever."""
    assert isinstance(answer({JOINED_LABEL: "true"}, userInfo=CONTROLLER), Allowed)


def test_before_planes_are_known_nothing_is_changed_and_nobody_waits() -> None:
    found = answer(MEMBER, FakeStore(is_synced=False))
    assert found == Allowed(audit={"decision": "left to the controller"})


@pytest.mark.parametrize(
    "more", [{"operation": "DELETE"}, {"subResource": "finalize"}, {"operation": "CONNECT"}]
)
def test_other_operations_pass(more: dict[str, Any]) -> None:
    assert isinstance(answer(MEMBER, **more), Allowed)


def test_a_namespace_that_cannot_be_read_is_the_api_server_s_to_refuse() -> None:
    assert isinstance(answer({"a": 1}), Allowed)  # type: ignore[dict-item]  # hostile


def test_rules_that_send_something_else_are_told_apart() -> None:
    found = answer(MEMBER, resource={"group": "", "resource": "pods"})
    assert isinstance(found, Errored)
    assert "this path is for namespaces" in str(found.error)
