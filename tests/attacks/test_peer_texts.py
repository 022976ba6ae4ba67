"""Texts of a peer in reviews: not sent back, not kept, and cut in the log."""

from __future__ import annotations

import tracemalloc
from typing import Any

import orjson
import pytest

from planes.model.errors import BadInput, Finding
from tests.support.clock import FakeClock
from tests.support.log_text import log_of
from tests.support.shop_store import shop_store
from tests.support.store import FakeStore
from tests.support.webhook.admission import hooked, pod_object, review_object
from webhook.namespaces import mutate_namespace
from webhook.review import Rejected, encode, parse
from webhook.review_log import ReviewLog

MEBIBYTE = 1 << 20
LONG = "x" * MEBIBYTE
NAMESPACES = {"group": "", "version": "v1", "resource": "namespaces"}
SMALL = 128 << 10


@pytest.mark.parametrize("member", ["uid", "name", "namespace", "operation", "subResource"])
def test_peer_cannot_have_a_long_text_kept_or_sent_back(member: str) -> None:
    """200 answers of 3 MiB that nobody read were 640 MiB; names that wait for a watch are kept."""
    more: dict[str, Any] = {member: LONG}
    with pytest.raises(BadInput, match=rf"request\.{member} is longer than"):
        parse(orjson.dumps(review_object(pod_object(), **more)))


@pytest.mark.parametrize("member", ["group", "resource"])
def test_peer_cannot_name_a_long_resource(member: str) -> None:
    resource = {"group": "", "version": "v1", "resource": "pods", member: LONG}
    with pytest.raises(BadInput, match=rf"request\.resource\.{member} is longer than"):
        parse(orjson.dumps(review_object(pod_object(), resource=resource)))


async def test_peer_that_asks_with_a_long_uid_is_answered_in_short() -> None:
    async with hooked(FakeStore()) as hook:
        reply = await hook.ask("/validate/pods", review_object(pod_object(), uid=LONG))
        assert reply.status == 400
        assert len(reply.body) < 1024


def test_peer_gets_no_refusal_as_long_as_what_it_sent() -> None:
    obj = pod_object(name="")
    obj["metadata"]["generateName"] = LONG
    review = parse(orjson.dumps(review_object(obj)))
    findings = [Finding(LONG, f"cannot {LONG}", LONG)] * 100
    assert len(encode(review, Rejected(findings))) < 2 * SMALL


def proposed(number: int) -> bytes:
    """Return a review of a namespace with 2 MiB of labels."""
    labels = {f"label-{number}-{index}": "x" * 60 for index in range(20_000)}
    obj = {"metadata": {"name": f"n{number}", "labels": labels}}
    return orjson.dumps(review_object(obj, resource=NAMESPACES, namespace=f"n{number}"))


def test_peer_cannot_have_namespaces_remembered_that_do_not_exist() -> None:
    """150 of them were 1.6 GiB."""
    store = shop_store()
    mutate_namespace(parse(proposed(0)), store)
    tracemalloc.start()
    try:
        for number in range(1, 6):
            mutate_namespace(parse(proposed(number)), store)
        assert tracemalloc.get_traced_memory()[0] < MEBIBYTE
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("what", ["name", "uid", "user", "reason"])
def test_peer_cannot_fill_the_log(what: str) -> None:
    """One connection wrote 5 MB a second: a node keeps 50 MB of a container's log."""
    obj = pod_object(name="")
    more: dict[str, Any] = {}
    if what == "name":
        obj["metadata"]["generateName"] = LONG
    elif what == "uid":
        obj["metadata"]["uid"] = LONG
    elif what == "user":
        more["userInfo"] = {"username": LONG}
    reporter = ReviewLog(FakeClock())
    with log_of() as stream:
        for number in range(1000):
            reason = f"{number} {LONG if what == 'reason' else ''}"
            review = parse(orjson.dumps(review_object(obj, uid=f"u{number}", **more)))
            reporter.answered("/validate/pods", review, Rejected([Finding("a", reason)] * 10))
            if number == 0:
                assert 100 < len(stream.getvalue()) < 8192
            elif number == 20:
                assert stream.getvalue().count("\n") == 21
        assert len(stream.getvalue()) < MEBIBYTE


def test_peer_whose_reviews_are_not_logged_is_counted() -> None:
    clock = FakeClock()
    reporter = ReviewLog(clock)
    with log_of() as stream:
        for number in range(1000):
            review = parse(orjson.dumps(review_object(pod_object(), uid=f"u{number}")))
            reporter.answered(
                "/validate/pods", review, Rejected([Finding("a", f"cannot {number}")])
            )
        clock.advance(1.0)
        reporter.answered("/validate/pods", review, Rejected([Finding("a", "cannot at last")]))
        assert '"event":"reviews not logged one by one"' in stream.getvalue()
        assert '"count":800' in stream.getvalue()
