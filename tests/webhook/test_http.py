"""The HTTP server over real TLS: which requests are judged or refused, and with which status."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from planes.model.errors import JsonObject
from planes.store.protocol import Store
from tests.support.store import FakeStore
from tests.support.webhook.admission import UID, Hook, hooked, pod_object, review_object
from webhook.limits import AdmissionLimits
from webhook.review import Allowed, Answer, Review

SMALL = AdmissionLimits(body_bytes=4096, large_bytes=2048, body_seconds=0.2, unfinished=1)


def judge(review: Review, _: Store) -> Answer:
    if review.name == "bug":
        raise ZeroDivisionError("a detail that must not leak")
    return Allowed(audit={"seen": review.name})


HANDLERS = {"/mutate/pods": judge}


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    async with hooked(FakeStore(), limits=SMALL, handlers=HANDLERS) as running:
        yield running


async def test_a_review_is_answered_in_exactly_these_bytes(hook: Hook) -> None:
    peer = await hook.connect()
    reply = await peer.ask("/mutate/pods?timeout=5s", review_object(pod_object()))
    want = (
        '{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":'
        f'{{"uid":"{UID}","allowed":true,"auditAnnotations":{{"seen":"web-0"}}}}}}'
    )
    assert reply.body == want.encode()
    assert reply.headers == {
        "content-type": "application/json",
        "content-length": str(len(want)),
    }


async def test_one_connection_carries_many_reviews(hook: Hook) -> None:
    peer = await hook.connect()
    for _ in range(50):
        assert (await peer.ask("/mutate/pods", review_object(pod_object()))).status == 200
    assert hook.metric("reviews_total", path="/mutate/pods", verdict="allowed") == 50


async def test_pipelined_reviews_are_answered_in_order(hook: Hook) -> None:
    peer = await hook.connect()
    bodies = [orjson.dumps(review_object(pod_object(f"web-{n}"))) for n in range(8)]
    head = "POST /mutate/pods HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    peer.writer.write(
        b"".join(f"{head}Content-Length: {len(b)}\r\n\r\n".encode() + b for b in bodies)
    )
    names = [(await peer.reply()).response["auditAnnotations"]["seen"] for _ in bodies]
    assert names == [f"web-{n}" for n in range(8)]


async def test_a_large_review_is_answered_too(hook: Hook) -> None:
    obj = pod_object(annotations={"filler": "x" * 3000})
    assert (await hook.ask("/mutate/pods", review_object(obj))).status == 200


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "application/json;a=b"])
async def test_parameters_of_the_content_type_do_not_matter(hook: Hook, kind: str) -> None:
    reply = await hook.ask("/mutate/pods", review_object(pod_object()), content_type=kind)
    assert reply.status == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/jsonp", "application/json2"])
async def test_another_content_type_is_415(hook: Hook, kind: str) -> None:
    reply = await hook.ask("/mutate/pods", review_object(pod_object()), content_type=kind)
    assert reply.status == 415


async def test_a_bad_review_is_400_with_one_line(hook: Hook) -> None:
    reply = await hook.ask("/mutate/pods", b"no json\r\n")
    assert reply.status == 400
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    assert reply.body.startswith(b"cannot read the AdmissionReview: ")
    assert reply.body.count(b"\n") == 1


async def test_an_empty_body_is_400(hook: Hook) -> None:
    assert (await hook.ask("/mutate/pods", b"")).status == 400


async def test_a_connection_goes_on_after_a_bad_review(hook: Hook) -> None:
    peer = await hook.connect()
    assert (await peer.ask("/mutate/pods", b"{}")).status == 400
    assert (await peer.ask("/mutate/pods", review_object(pod_object()))).status == 200


async def test_a_bug_of_ours_is_an_answer_without_its_details(hook: Hook) -> None:
    reply = await hook.ask("/mutate/pods", review_object(pod_object("bug")))
    assert reply.status == 200
    assert reply.response["allowed"] is False
    assert reply.response["status"]["code"] == 500
    assert b"detail" not in reply.body


async def test_a_declared_length_over_the_limit_is_413_before_the_body(hook: Hook) -> None:
    peer = await hook.connect()
    peer.writer.write(
        b"POST /mutate/pods HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: 999999999\r\n\r\n"
    )
    assert (await peer.reply()).status == 413
    assert await peer.is_closed()


async def test_a_body_whose_length_is_not_said_is_411(hook: Hook) -> None:
    """An API server says it; each chunk of one byte would cost as much as thousands of bytes."""
    peer = await hook.connect()
    peer.writer.write(
        b"POST /mutate/pods HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\n \r\n" * 1000
    )
    assert (await peer.reply()).status == 411
    assert await peer.is_closed()


async def test_a_compressed_body_is_not_unpacked(hook: Hook) -> None:
    """A small gzip bomb stays small: its bytes are no JSON."""
    reply = await hook.ask("/mutate/pods", b"\x1f\x8b\x08", headers="Content-Encoding: gzip\r\n")
    assert reply.status == 400


async def test_a_body_that_does_not_arrive_is_408(hook: Hook) -> None:
    peer = await hook.connect()
    peer.writer.write(
        b"POST /mutate/pods HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: 100\r\n\r\n{"
    )
    assert (await peer.reply()).status == 408
    assert await peer.is_closed()


async def test_where_too_many_bodies_are_on_their_way_the_slowest_is_503() -> None:
    head = (
        b"POST /mutate/pods HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: 100\r\n\r\n{"
    )
    patient = dataclasses.replace(SMALL, body_seconds=2.0)
    async with hooked(FakeStore(), limits=patient, handlers=HANDLERS) as hook:
        first, second = await hook.connect(), await hook.connect()
        first.writer.write(head)
        async with asyncio.timeout(10):
            while hook.metric("unfinished_bodies") < 1:
                await asyncio.sleep(0.005)
        second.writer.write(head)
        assert (await first.reply()).status == 503
        assert (await second.reply()).status == 408
        assert hook.metric("unfinished_bodies") == 0


async def test_expect_100_continue_is_honoured(hook: Hook) -> None:
    peer = await hook.connect()
    body = orjson.dumps(review_object(pod_object()))
    peer.writer.write(
        b"POST /mutate/pods HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body)
    )
    assert (await peer.reply()).status == 100
    peer.writer.write(body)
    assert (await peer.reply()).status == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/mutate/pods", 405),
        ("POST", "/readyz", 405),
        ("POST", "/", 404),
        ("GET", "/healthz", 200),
        ("GET", "/livez", 200),
        ("GET", "/readyz", 200),
    ],
)
async def test_routes(hook: Hook, method: str, path: str, status: int) -> None:
    assert (await hook.ask(path, b"", method=method)).status == status


async def test_head_gets_no_body_and_the_connection_goes_on(hook: Hook) -> None:
    peer = await hook.connect()
    peer.writer.write(b"HEAD /livez HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await peer.reply(has_body=False)).status == 200
    assert (await peer.ask("/livez", method="GET")).body == b"ok\n"


async def test_http_1_0_and_connection_close_end_the_connection(hook: Hook) -> None:
    peer = await hook.connect()
    peer.writer.write(b"GET /livez HTTP/1.0\r\n\r\n")
    assert (await peer.reply()).headers["connection"] == "close"
    assert await peer.is_closed()
    peer = await hook.connect()
    reply = await peer.ask("/livez", method="GET", headers="Connection: close\r\n")
    assert reply.headers["connection"] == "close"
    assert await peer.is_closed()


async def test_garbage_instead_of_http_closes_the_connection(hook: Hook) -> None:
    peer = await hook.connect()
    peer.writer.write(b"\x00\xffgarbage\r\n\r\n")
    assert (await peer.reply()).status == 400
    assert await peer.is_closed()


BODIES = st.binary(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
).map(orjson.dumps)
MEMBERS: st.SearchStrategy[Any] = (
    st.none()
    | st.text(max_size=5)
    | st.integers(0, 9)
    | st.dictionaries(st.text(max_size=3), st.text(max_size=3))
)
REVIEWS = st.dictionaries(
    st.sampled_from(["uid", "object", "userInfo", "name", "resource", "dryRun"]), MEMBERS
).map(lambda members: orjson.dumps(_replaced(members)))


def _replaced(members: dict[str, Any]) -> JsonObject:
    review = review_object(pod_object())
    review["request"].update(members)
    return review


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(bodies=st.lists(BODIES | REVIEWS, min_size=1, max_size=8))
async def test_any_bytes_give_a_valid_review_or_400(hook: Hook, bodies: list[bytes]) -> None:
    peer = await hook.connect()
    for body in bodies:
        reply = await peer.ask("/mutate/pods", body)
        assert reply.status in {200, 400}
        if reply.status == 200:
            assert isinstance(reply.response["allowed"], bool)
    await peer.close()
