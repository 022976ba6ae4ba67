"""YAML as Kubernetes reads it, and the bounds on hostile YAML."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planes.store.yaml_values import MAX_ALIASED_VALUES, YamlError, read_yaml


def values(text: str | bytes) -> list[Any]:
    data = text.encode() if isinstance(text, str) else text
    return [document.value for document in read_yaml(data)]


def value(text: str) -> Any:
    return values(text)[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10:20:30:40:50:10", "10:20:30:40:50:10"),
        ("2024-01-01", "2024-01-01"),
        ("12", 12),
        ("0x10", 16),
        ("0o17", 15),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".inf", ".inf"),
        ("yes", True),
        ("OFF", False),
        ("~", None),
        ("", None),
        ("'12'", "12"),
        ('"yes"', "yes"),
        ("!!str 12", "12"),
        ("! 12", "12"),
        ("!!int 0x10", 16),
        ("!!float 1", 1.0),
        ("192.168.0.1", "192.168.0.1"),
        ("1.2.3", "1.2.3"),
    ],
)
def test_plain_scalars_mean_what_kubernetes_takes_them_for(text: str, expected: Any) -> None:
    """No sexagesimal numbers, no dates: a MAC and a day stay text."""
    found = value(f"a: {text}")["a"]
    assert found == expected
    assert type(found) is type(expected)


def test_documents_come_with_their_lines() -> None:
    documents = list(read_yaml(b"# a\n\na: 1\n---\n# b\n\nb:\n  - c: 2\n"))
    assert [document.line for document in documents] == [3, 7]
    assert documents[1].line_of(documents[1].value["b"][0]) == 8


def test_aliases_and_merges_are_resolved() -> None:
    text = "base: &b {x: 1, y: 2}\nmore:\n  <<: *b\n  y: 3\nlist: &l [1]\nagain: *l\n"
    assert value(text) == {
        "base": {"x": 1, "y": 2},
        "more": {"x": 1, "y": 3},
        "list": [1],
        "again": [1],
    }


def test_a_bomb_of_aliases_is_refused_before_it_grows() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    with pytest.raises(YamlError, match=f"more than {MAX_ALIASED_VALUES} values"):
        values("\n".join(lines))


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("[" * 100_000, 1, "nests deeper"),
        ("{a: " * 100_000, 1, "nests deeper"),
        ("a:\n  b: &x\n    c: *x", 3, "refers to nothing before it"),
        ("a: 1\nb: 2\na: 3", 3, "the key a is there twice"),
        ("a: 1\nb: !!python/name:os.system", 2, "has no meaning"),
        ("a: !!binary aGk=", 1, "has no meaning"),
        ("a: !!set {x}", 1, "has no meaning"),
        ("a: !!int many", 1, "is no int"),
        ("a: 123456789012345678901", 1, "more than 64 bits"),
        ("? [a]\n: b", 1, "a key must be text"),
        ("<<: 1\na: 2", 1, "only merge mappings"),
        ("a:\n\t- b", 2, "cannot start any token"),
        ("a: [1,\nb: }", 2, "did not find expected"),
        ("a: 'x", 1, "unexpected end of stream"),
    ],
)
def test_what_is_no_manifest_is_named_with_its_line(text: str, line: int, reason: str) -> None:
    with pytest.raises(YamlError, match=reason) as caught:
        values(text)
    assert caught.value.line == line


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", b"a: \xc3\x28", b"\x00", b"a: \x01"])
def test_bytes_that_are_no_text_are_an_error(data: bytes) -> None:
    with pytest.raises(YamlError):
        values(data)


# YAML forbids control characters and breaks lines where JSON does not.
_text = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Zl", "Zp")))
_keys = _text.filter(lambda key: key != "<<")
_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | _text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_keys, inner, max_size=4),
    max_leaves=12,
)


@given(_json)
@settings(max_examples=80, deadline=None)
def test_json_values_come_back_as_they_went_out(original: Any) -> None:
    """JSON is YAML: quoted text stays text, whatever it looks like."""
    assert value(json.dumps({"value": original}, ensure_ascii=False)) == {"value": original}


@given(st.binary(max_size=60) | st.text(alphabet="&*[]{}:-?!|>'\"# \n\tab1<~", max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_bytes_give_values_or_one_error(data: bytes | str) -> None:
    with suppress(YamlError):
        values(data)
