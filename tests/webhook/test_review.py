"""AdmissionReview bytes in and out: what is answerable, and the exact form of the four answers."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planes.model.errors import BadInput, Finding, Unavailable
from tests.support.webhook.admission import UID, pod_object, review_object
from webhook.review import Allowed, Errored, Patched, Rejected, Review, encode, limited, parse

REVIEW = Review(uid=UID, operation="CREATE", resource="pods", namespace="shop", name="web-0")
HEAD = b'{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":'


def parsed(**request: Any) -> Review:
    return parse(orjson.dumps(review_object(pod_object(), **request)))


def test_allowed_is_the_uid_and_true() -> None:
    want = HEAD + b'{"uid":"%b","allowed":true}}' % UID.encode()
    assert encode(REVIEW, Allowed()) == want


def test_patched_carries_the_patch_in_base64() -> None:
    patch = [{"op": "add", "path": "/metadata/annotations", "value": {}}]
    want = (
        HEAD + b'{"uid":"%b","allowed":true,"patchType":"JSONPatch","patch":'
        b'"W3sib3AiOiJhZGQiLCJwYXRoIjoiL21ldGFkYXRhL2Fubm90YXRpb25zIiwidmFsdWUiOnt9fV0="}}'
    ) % UID.encode()
    assert encode(REVIEW, Patched(patch)) == want


def test_denied_names_the_field_the_cause_and_the_remedy() -> None:
    finding = Finding("metadata.annotations[x]", "cannot use 10.0.0.1", "use 10.0.0.2", 409)
    want = (
        HEAD + b'{"uid":"%b","allowed":false,"status":{"status":"Failure","message":'
        b'"metadata.annotations[x]: cannot use 10.0.0.1; use 10.0.0.2","reason":"Conflict",'
        b'"code":409,"details":{"name":"web-0","kind":"Pod","causes":[{"reason":'
        b'"FieldValueDuplicate","message":"cannot use 10.0.0.1; use 10.0.0.2",'
        b'"field":"metadata.annotations[x]"}]}},"auditAnnotations":{"decision":"denied"}}}'
    ) % UID.encode()
    assert encode(REVIEW, Rejected([finding], audit={"decision": "denied"})) == want


def test_errored_says_whether_to_try_again() -> None:
    want = (
        HEAD + b'{"uid":"%b","allowed":false,"status":{"status":"Failure","message":'
        b'"cannot judge; try again","reason":"ServiceUnavailable","code":503}}}'
    ) % UID.encode()
    assert encode(REVIEW, Errored(Unavailable("cannot judge", remedy="try again"))) == want


@pytest.mark.parametrize(
    ("statuses", "code"), [((422, 409), 422), ((409, 403, 422), 403), ((409, 409), 409)]
)
def test_several_errors_are_told_at_once_under_the_gravest_code(
    statuses: tuple[int, ...], code: int
) -> None:
    findings = [Finding(f"p{n}", f"cannot {n}", status=s) for n, s in enumerate(statuses)]
    status = orjson.loads(encode(REVIEW, Rejected(findings)))["response"]["status"]
    assert status["code"] == code
    assert status["message"].startswith(f"{len(statuses)} errors: (1) p0: cannot 0 (2) p1:")
    assert [cause["field"] for cause in status["details"]["causes"]] == [f.path for f in findings]


def test_a_generated_name_is_shown_by_its_prefix() -> None:
    review = parsed(name="", object={"metadata": {"generateName": "web-"}})
    status = orjson.loads(encode(review, Rejected([Finding("p", "cannot")])))["response"]["status"]
    assert status["details"]["name"] == "web-*"


def test_a_hostile_message_is_cut() -> None:
    findings = [Finding("p", "cannot " + "x" * 1000)] * 500
    status = orjson.loads(encode(REVIEW, Rejected(findings)))["response"]["status"]
    assert len(status["message"]) == 8192
    assert len(status["details"]["causes"]) == 64


def test_a_warning_is_one_printable_line_of_256_characters_at_most() -> None:
    (warning,) = limited(["a\r\nSet-Cookie: b\x00" + "x" * 300])
    assert warning.startswith("a Set-Cookie: b?xxx")
    assert len(warning) == 256


@given(st.lists(st.text(max_size=400), max_size=60))
def test_warnings_stay_within_what_the_api_server_passes_on(texts: list[str]) -> None:
    kept = limited(texts)
    assert sum(map(len, kept)) <= 4096
    assert all(len(each) <= 256 for each in kept)
    assert len(kept) <= len(texts)


def test_warnings_that_do_not_fit_are_counted() -> None:
    assert limited(["x" * 256] * 40)[-1] == "and 25 more warnings"


def test_a_request_is_read() -> None:
    user = {
        "username": "system:serviceaccount:netplane-system:netplane-cni",
        "groups": ["a", "b"],
        "extra": {"authentication.kubernetes.io/node-name": ["node-1"]},
    }
    review = parsed(userInfo=user, dryRun=True, subResource="status", operation="UPDATE")
    assert (review.uid, review.operation, review.resource) == (UID, "UPDATE", "pods")
    assert (review.subresource, review.is_dry_run) == ("status", True)
    assert (review.user.groups, review.user.node) == (("a", "b"), "node-1")


def test_resources_of_other_groups_carry_their_group() -> None:
    assert parsed(resource={"group": "apps", "resource": "deployments"}).resource == (
        "apps/deployments"
    )


UNANSWERABLE: list[tuple[bytes, str]] = [
    (b"", "cannot read the AdmissionReview"),
    (b"no json", "line 1 column"),
    (b"[]", "must be an object, not a list"),
    (b"[" * 100_000, "deep|depth"),
    (b'{"kind":"Pod","apiVersion":"v1"}', "not of kind AdmissionReview"),
    (b'{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1beta1"}', "v1"),
    (b'{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"}', "request.uid is missing"),
]


@pytest.mark.parametrize(("body", "text"), UNANSWERABLE)
def test_what_is_no_review_is_bad_input(body: bytes, text: str) -> None:
    with pytest.raises(BadInput, match=text):
        parse(body)


@pytest.mark.parametrize(
    ("member", "value"),
    [("uid", 7), ("object", []), ("userInfo", "x"), ("operation", {}), ("resource", 1)],
)
def test_a_member_of_the_wrong_type_is_named(member: str, value: Any) -> None:
    with pytest.raises(BadInput, match=rf"request\.{member} must be"):
        parsed(**{member: value})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
MEMBERS = st.sampled_from(
    ["uid", "object", "oldObject", "userInfo", "resource", "name", "namespace", "operation"]
)


@given(st.dictionaries(MEMBERS, JSON))
def test_any_request_is_a_review_or_bad_input(members: dict[str, Any]) -> None:
    try:
        review = parsed(**members)
    except (BadInput, TypeError):  # TypeError: this test's own JSON writer, beyond 64 bits
        return
    assert review.uid
