"""Values become the bytes that Go would write for them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from planes.model.encode import dumps, pretty
from planes.model.errors import BadInput


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = {"k": [value]}
    return value


def test_compact_text_has_sorted_keys() -> None:
    assert (
        dumps({"b": 1, "a": [True, None], "B": "ä"}, "x")
        == b'{"B":"\xc3\xa4","a":[true,null],"b":1}'
    )


@pytest.mark.parametrize("number", [1, 2**64])
def test_compact_text_keeps_the_order_of_members_where_asked(number: int) -> None:
    assert dumps({"b": number, "a": 2}, "x", sort_keys=False) == b'{"b":%d,"a":2}' % number


@pytest.mark.parametrize("number", [2**64, -(2**64), 10**30])
def test_integers_beyond_64_bits_are_written_whole(number: int) -> None:
    assert dumps({"b": 1, "a": number}, "x") == b'{"a":%d,"b":1}' % number
    assert pretty({"b": number}, "x") == b'{\n    "b": %d\n}' % number


@pytest.mark.parametrize("depth", [1, 5, 126, 200])
def test_pretty_text_is_indented_by_four_at_any_depth(depth: int) -> None:
    value = nested(depth)
    assert pretty(value, "x").decode() == json.dumps(value, indent=4)
    assert json.loads(dumps(value, "x")) == value


def test_pretty_text_keeps_the_order_of_members_or_sorts_them() -> None:
    assert pretty({"b": 1, "a": 2}, "x") == b'{\n    "b": 1,\n    "a": 2\n}'
    assert pretty({"b": 1, "a": 2}, "x", sort_keys=True) == b'{\n    "a": 2,\n    "b": 1\n}'


def test_empty_lists_and_objects_stay_on_one_line() -> None:
    assert pretty({"a": [], "b": {}}, "x") == b'{\n    "a": [],\n    "b": {}\n}'


def test_html_and_line_separators_are_escaped_as_go_does() -> None:
    assert pretty("<&>\u2028\u2029", "x") == b'"\\u003c\\u0026\\u003e\\u2028\\u2029"'


def test_text_that_looks_like_indent_is_not_touched() -> None:
    value = {"a": "x\n  y\x01\n    z"}
    assert json.loads(pretty(value, "x")) == value


def test_a_value_nested_too_deep_is_code_6() -> None:
    for write in (dumps, pretty):
        with pytest.raises(BadInput, match="cannot write the netconf: nested too deep") as error:
            write(nested(20_000), "the netconf")
        assert error.value.cni_code == 6


def test_text_that_has_no_utf_8_form_is_code_6() -> None:
    for write in (dumps, pretty):
        with pytest.raises(BadInput, match="cannot write the result: text is not UTF-8") as error:
            write({"sandbox": "/run/\udc80"}, "the result")
        assert error.value.cni_code == 6
