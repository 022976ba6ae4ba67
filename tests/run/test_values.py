"""Texts of settings are read into values; errors are in our words, never in a parser's."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cni.settings import OPTIONS as DAEMON
from planes.cli.command import WAIT_SECONDS
from planes.model.errors import BadInput
from planes.run.settings import Option
from planes.run.values import from_json, level, seconds, texts, whole
from webhook.settings import OPTIONS as WEBHOOK

EVERY_OPTION = [*DAEMON, *WEBHOOK, WAIT_SECONDS]


@pytest.mark.parametrize(
    ("read", "text", "says"),
    [
        (lambda text: whole(text, 1), "x", "'x' is no whole number"),
        (lambda text: whole(text, 1), "1.5", "'1.5' is no whole number"),
        (lambda text: whole(text, 1), "0", "0 is below 1"),
        (lambda text: whole(text, 0, 9), "10", "10 is not between 0 and 9"),
        (seconds, "soon", "'soon' is no number of seconds"),
        (seconds, "nan", "'nan' is no number of seconds"),
        (seconds, "0", "0 is not between 0 and 3600 seconds"),
        (seconds, "inf", "inf is not between 0 and 3600 seconds"),
        (texts, "[1]", "'[1]' holds something that is no text"),
        (texts, '["a"', "'[\"a\"' begins like JSON and is none"),
        (level, "loud", "'loud' is none of debug, info, warning, error"),
    ],
)
def test_what_is_wrong_is_said_in_our_words(
    read: Callable[[str], Any], text: str, says: str
) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(says)}$"):
        read(text)


def test_a_list_is_read_from_both_writings() -> None:
    assert texts("a, b,,") == texts('["a", " b ", ""]') == ("a", "b")
    assert texts("/x:/y", ":") == ("/x", "/y")


def test_a_time_may_be_nothing_where_that_is_meant() -> None:
    assert seconds("0", may_be_zero=True) == 0
    assert seconds("3600") == 3600


def test_deep_json_is_an_error_like_any_other() -> None:
    with pytest.raises(ValueError, match="begins like JSON"):
        from_json("[" * 100_000)


@pytest.mark.parametrize("option", EVERY_OPTION, ids=lambda option: str(option.flag))
@given(text=st.one_of(st.text(max_size=20), st.sampled_from(["[1]", "[x", '{"a": 1}', "{", "nan"])))
def test_no_option_raises_anything_but_what_is_told(option: Option, text: str) -> None:
    said = ""
    try:
        option.parse(text)
    except (ValueError, BadInput) as error:
        said = str(error)
    assert "invalid literal" not in said
    assert "Expecting" not in said
