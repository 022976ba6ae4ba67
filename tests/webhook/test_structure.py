"""The bound on values holds before a body is parsed, and what passes it stays small."""

from __future__ import annotations

import tracemalloc
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planes.model.errors import BadInput
from webhook.limits import AdmissionLimits
from webhook.structure import check_structure

VALUES = st.recursive(
    st.none() | st.integers(-9, 9) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=30,
)


def count(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + sum(map(count, value.values()))
    return 1 + sum(map(count, value)) if isinstance(value, list) else 1


@given(VALUES)
def test_no_body_holds_more_values_than_it_was_let_through_for(value: Any) -> None:
    body = orjson.dumps(value)
    for bound in range(count(value) - 1):
        with pytest.raises(BadInput):
            check_structure(body, bound)
    check_structure(body, len(body))


@pytest.mark.parametrize(
    "one", [b"[],", b"{},", b'{"a":[]},', b'{"%06d":{"a":0}},', b"[[]],", b"1.5,"]
)
def test_the_most_values_take_no_more_than_80_mib(one: bytes) -> None:
    limits = AdmissionLimits()
    marks = sum(one.count(mark) for mark in (b"[", b"{", b","))
    times = min(limits.values // marks - 1, limits.body_bytes // max(len(one), 1))
    whole = b"".join(one % n if b"%" in one else one for n in range(times))
    body = b"[" + whole + b"0]"
    check_structure(body, limits.values)
    tracemalloc.start()
    try:
        parsed = orjson.loads(body)
        assert tracemalloc.get_traced_memory()[1] < 80 << 20
    finally:
        tracemalloc.stop()
    assert len(parsed) == times + 1
