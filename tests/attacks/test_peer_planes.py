"""A peer that is no API server sends planes to admission: lists as long as a plane may have.

A review of 13 KB took 0.8 s of the event loop, and everybody else's reviews waited for it.
"""

from __future__ import annotations

import sys
from ipaddress import ip_address
from typing import Any

import pytest

from planes.model.errors import JsonObject
from tests.support.planes import plane_object
from tests.support.store import FakeStore
from webhook.planes import validate_plane
from webhook.review import PLANES, Allowed, Review

FEW, MANY = 125, 1000


def address(number: int) -> str:
    return str(ip_address("10.0.0.0") + 4 * number + 1)


def spans(count: int) -> list[str]:
    return [f"{address(number)}-{ip_address(address(number)) + 1}" for number in range(count)]


def reserved(count: int) -> JsonObject:
    entries = [{"ip": address(number), "namespace": "shop"} for number in range(count)]
    return {"allow": "Reserved", "reservations": entries}


def spec(kind: str, count: int) -> JsonObject:
    subnet: JsonObject = {"cidr": "10.0.0.0/8"}
    if kind == "alike":
        return {"subnets": [{**subnet, "ranges": ["10.0.0.1-10.0.9.9"] * count}]}
    if kind == "reservations":
        return {"subnets": [{**subnet, "exclude": spans(count)}], "staticIPs": reserved(count)}
    if kind == "all":
        keys = ("ranges", "exclude", "staticRanges")
        return {"subnets": [{**subnet, **{key: spans(count) for key in keys}}]}
    return {"subnets": [{**subnet, kind: spans(count)}]}


def calls_of(kind: str, count: int) -> int:
    """Return how many Python functions a review of such a plane calls."""
    obj = plane_object("business")
    obj["spec"].update(spec(kind, count))
    review, store = Review("1", "CREATE", PLANES, obj=obj), FakeStore()
    calls = 0

    def called(_frame: object, event: str, _arg: Any) -> None:
        nonlocal calls
        calls += event == "call"

    before = sys.getprofile()
    sys.setprofile(called)
    try:
        answer = validate_plane(review, store)
    finally:
        sys.setprofile(before)
    assert isinstance(answer, Allowed)
    return calls


@pytest.mark.parametrize(
    "kind", ["ranges", "exclude", "staticRanges", "all", "alike", "reservations"]
)
def test_peer_plane_with_long_lists_costs_what_it_has_not_its_square(kind: str) -> None:
    calls_of(kind, FEW)  # what is made once
    assert calls_of(kind, MANY) < 2 * (MANY // FEW) * calls_of(kind, FEW)
