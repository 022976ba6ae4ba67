"""The mark is set and removed within the request that labels a namespace."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from planes.model.errors import JsonObject
from planes.model.names import JOINED_LABEL
from tests.support.kube.patch import patched
from tests.support.shop_store import shop_store
from tests.support.store import FakeStore
from tests.support.webhook.admission import review_object
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
    return mutate_namespace(review, store or shop_store())


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


def mark_warnings(
    labels: dict[str, str], before: dict[str, str] | None = None, operation: str = "UPDATE"
) -> list[str]:
    """Return what the author of labels is warned of; `before` are those of the old object."""
    old = None if before is None else namespace(before)
    given = answer(labels, operation=operation, oldObject=old)
    assert isinstance(given, Patched | Allowed)
    return list(given.warnings)


def test_who_sets_the_mark_is_told_that_it_was_taken_off_and_how_to_join() -> None:
    """Kubectl says "labeled" of a label that is not there."""
    for before, operation in (({}, "UPDATE"), (None, "CREATE")):
        (text,) = mark_warnings({JOINED_LABEL: "true"}, before, operation)
        assert text.startswith("cannot set netplane.io/joined: Netplane alone sets it")
        assert "plane.netplane.io/NAME=enabled" in text


def test_who_takes_the_mark_off_or_sets_another_is_told_that_it_is_back() -> None:
    marked = {**MEMBER, JOINED_LABEL: "true"}
    (text,) = mark_warnings(MEMBER, marked)
    assert text.startswith("cannot take netplane.io/joined off: the namespace joins planes")
    (text,) = mark_warnings({**MEMBER, JOINED_LABEL: "no"}, marked)
    assert text.startswith("cannot set netplane.io/joined to another value than true")


def test_warnings_of_the_mark_fit_into_what_a_client_shows_whole() -> None:
    found = mark_warnings({JOINED_LABEL: "true"}, {}) + mark_warnings(
        MEMBER, {JOINED_LABEL: "true"}
    )
    assert all(len(text) <= 256 for text in found)
    assert len(found) == 2


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({**MEMBER, JOINED_LABEL: "true"}, {JOINED_LABEL: "true"}),
        ({}, MEMBER),
        (None, MEMBER),
        ({}, {**MEMBER, JOINED_LABEL: "true"}),
        ({JOINED_LABEL: "true"}, {}),
    ],
    ids=["leaves", "joins", "is made joining", "joins and marks", "takes a wrong mark off"],
)
def test_nobody_else_is_warned_of_the_mark(
    before: dict[str, str] | None, after: dict[str, str]
) -> None:
    assert mark_warnings(after, before) == []


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


def warnings(labels: dict[str, str] | None, **more: Any) -> list[str]:
    given = answer(labels, **more)
    assert isinstance(given, Allowed | Patched)
    return list(given.warnings)


def test_a_label_that_names_no_plane_is_warned_about_with_the_near_name() -> None:
    (text,) = warnings({"plane.netplane.io/busines": "enabled"})
    assert text == (
        'metadata.labels[plane.netplane.io/busines]: there is no plane "busines"; '
        "did you mean business?"
    )


def test_a_required_plane_that_is_none_says_so() -> None:
    (text,) = warnings({"plane.netplane.io/busines": "required"})
    assert "cannot attach the required plane" in text
    assert "did you mean business?" in text


@pytest.mark.parametrize(
    ("value", "meant"), [("enable", "enabled"), ("Required", "required"), ("true", "")]
)
def test_a_value_that_means_nothing_is_warned_about(value: str, meant: str) -> None:
    (text,) = warnings({"plane.netplane.io/business": value})
    assert f'"{value}" is neither enabled nor required: it joins nothing' in text
    assert (f"did you mean {meant}?" in text) if meant else ("did you mean" not in text)


@pytest.mark.parametrize("key", ["planes.netplane.io/business", "netplane.io/business"])
def test_a_key_that_is_nearly_that_of_a_plane_is_warned_about(key: str) -> None:
    (text,) = warnings({key: "enabled"})
    assert "it joins nothing; did you mean plane.netplane.io/business?" in text


def test_labels_that_are_right_and_those_of_others_are_not_warned_about() -> None:
    assert warnings({**MEMBER, "colour": "blue", JOINED_LABEL: "true"}) == []


def test_a_wrong_label_from_before_is_not_warned_about_again() -> None:
    wrong = {"plane.netplane.io/busines": "enabled"}
    old = namespace(wrong)
    assert warnings({**wrong, "colour": "blue"}, old=old, operation="UPDATE") == []
    assert warnings({"plane.netplane.io/busines": "yes"}, old=old, operation="UPDATE")
