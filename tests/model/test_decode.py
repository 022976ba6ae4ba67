"""Foreign bytes become values, or one error that says where and why."""

from __future__ import annotations

import contextlib

import pytest

from planes.model.decode import loads, loads_object
from planes.model.errors import BadInput


def refusal(data: bytes | str) -> BadInput:
    with pytest.raises(BadInput) as error:
        loads(data, "the netconf")
    assert error.value.cni_code == 6
    return error.value


def test_the_error_names_the_input_line_and_column() -> None:
    message = str(refusal(b'{\n  "a": tru}'))
    assert message.startswith("cannot read the netconf: ")
    assert message.endswith("(line 2, column 8)")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" ",
        b"{",
        b"nul",
        b"{'a':1}",
        b'{"a":1,}',
        b"[NaN]",
        b'"\xff"',
        b"\xef\xbb\xbf{}",
        b"1 2",
    ],
)
def test_what_is_no_json_is_refused(data: bytes) -> None:
    refusal(data)


def test_an_error_holds_nothing_of_the_input() -> None:
    assert "s3cret" not in str(refusal(b'{"password": "s3cret" "x"}'))


@pytest.mark.parametrize("depth", [1025, 5_000, 1_000_000])
def test_nesting_beyond_the_limit_is_refused(depth: int) -> None:
    refusal(b"[" * depth)
    refusal(b"[" * depth + b"]" * depth)


def test_deep_nesting_with_a_long_number_is_refused_not_crashed() -> None:
    depth = 1000
    data = b"[" * depth + b"1" * 40 + b"]" * depth
    with contextlib.suppress(BadInput):  # how much stack is left decides; both are fine
        assert loads(data, "the netconf")


def test_more_than_the_daemon_takes_is_refused() -> None:
    assert "8 MiB" in str(refusal(b" " * (8 << 20) + b"1"))


@pytest.mark.parametrize(
    "number", [2**63 - 1, 2**64 - 1, 2**64, -(2**63) - 1, 10**30, -(10**300), 12345678901234567890]
)
def test_integers_of_any_size_keep_their_value(number: int) -> None:
    assert loads(f'{{"n": [{number}]}}', "x") == {"n": [number]}


@pytest.mark.parametrize("number", [b"1" * 400, b"9" * 5000, b"1e400", b"-1e999"])
def test_a_number_that_no_double_holds_is_refused(number: bytes) -> None:
    refusal(b'{"n":' + number + b"}")


def test_long_digits_inside_text_change_nothing() -> None:
    text = '{"id": "1234567890123456789012345", "f": 0.1234567890123456789012}'
    assert loads(text, "x") == {"id": "1234567890123456789012345", "f": 0.12345678901234568}


def test_of_duplicate_keys_the_last_wins() -> None:
    assert loads('{"a": 1, "a": 2}', "x") == {"a": 2}
    assert loads('{"a": 1, "a": 123456789012345678901234}', "x") == {"a": 123456789012345678901234}


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"null", "null"),
        (b"[]", "a list"),
        (b'"x"', "a string"),
        (b"1", "a number"),
        (b"true", "a boolean"),
    ],
)
def test_an_object_is_asked_for_and_something_else_named(data: bytes, kind: str) -> None:
    with pytest.raises(BadInput, match=f"it must be an object, not {kind}$"):
        loads_object(data, "the netconf")


def test_text_with_a_lone_surrogate_is_refused() -> None:
    refusal('"\udc80"')
    refusal(b'"\\ud800"')
