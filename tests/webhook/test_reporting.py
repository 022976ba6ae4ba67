"""What the log has of reviews, and what it leaves out."""

from __future__ import annotations

import logging
from typing import Any

import orjson
import pytest

from planes.model.errors import Finding, Unavailable
from tests.support.clock import FakeClock
from tests.support.webhook.admission import UID, pod_object, review_object
from webhook.review import Allowed, Answer, Errored, Patched, Rejected, Review, parse
from webhook.review_log import ReviewLog

ADMITTED = Allowed(audit={"decision": "allowed", "planes": "business,storage"})


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO)
    return caplog


def review(**more: Any) -> Review:
    obj = pod_object()
    obj["metadata"]["uid"] = "pod-uid"
    return parse(orjson.dumps(review_object(obj, **more)))


def facts(log: pytest.LogCaptureFixture) -> dict[str, Any]:
    (record,) = log.records
    return vars(record)


def test_a_new_pod_with_planes_is_told_with_its_uid(log: pytest.LogCaptureFixture) -> None:
    ReviewLog(FakeClock()).answered("/validate/pods", review(), ADMITTED)
    found = facts(log)
    assert found["message"] == "pod admitted"
    assert (found["pod"], found["uid"], found["review"]) == ("shop/web-0", "pod-uid", UID)
    assert found["planes"] == ["business", "storage"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Rejected([Finding("a", "cannot a"), Finding("b", "cannot b")]), "a: cannot a"),
        (Errored(Unavailable("cannot c")), "cannot c"),
    ],
)
def test_a_refusal_is_told_with_its_reasons(
    log: pytest.LogCaptureFixture, answer: Answer, reason: str
) -> None:
    ReviewLog(FakeClock()).answered("/validate/pods", review(), answer)
    found = facts(log)
    assert (found["message"], found["reasons"][0]) == ("review refused", reason)
    assert (found["pod"], found["uid"], found["user"]) == ("shop/web-0", "pod-uid", "alice")


@pytest.mark.parametrize(
    ("answer", "more"),
    [
        (Allowed(audit={"decision": "allowed"}), {}),
        (ADMITTED, {"operation": "UPDATE"}),
        (Patched([], audit={"decision": "patched", "planes": "business"}), {}),
        (Allowed(audit={"decision": "left to validation", "planes": "business"}), {}),
    ],
)
def test_what_is_reported_elsewhere_or_has_no_plane_has_no_log_line(
    log: pytest.LogCaptureFixture, answer: Answer, more: dict[str, str]
) -> None:
    ReviewLog(FakeClock()).answered("/validate/pods", review(**more), answer)
    assert not log.records


def test_a_changed_namespace_is_told(log: pytest.LogCaptureFixture) -> None:
    resource = {"group": "", "resource": "namespaces"}
    changed = Patched([], audit={"decision": "marked"})
    ReviewLog(FakeClock()).answered("/mutate/namespaces", review(resource=resource), changed)
    assert facts(log)["decision"] == "marked"
    assert facts(log)["object"] == "web-0"


def test_a_flood_is_counted_instead_of_written(log: pytest.LogCaptureFixture) -> None:
    clock = FakeClock()
    reporter = ReviewLog(clock)
    for _ in range(1000):
        reporter.answered("/validate/pods", review(), ADMITTED)
    assert len(log.records) == 200
    clock.advance(1)
    reporter.answered("/validate/pods", review(), ADMITTED)
    assert vars(log.records[200])["count"] == 800
    assert log.records[201].message == "pod admitted"
