"""Foreign texts are put on one line of ours."""

from __future__ import annotations

from unicodedata import category

from hypothesis import given
from hypothesis import strategies as st

from planes.model.errors import Finding, field_path
from planes.model.events import message_of
from planes.model.lines import first_few, one_line, printable, shortened, without_controls


@given(st.text(), st.integers(1, 40))
def test_a_line_is_printable_and_within_its_length(text: str, longest: int) -> None:
    line = one_line(text, longest)
    assert len(line) <= longest
    assert line.isprintable()


@given(st.text(max_size=40))
def test_what_is_plain_and_short_stays(text: str) -> None:
    plain = printable(text)
    assert printable(plain) == plain
    assert shortened(text, 40) == text


@given(st.text())
def test_nothing_that_a_terminal_carries_out_stays_and_spaces_do(text: str) -> None:
    harmless = without_controls(text)
    assert len(harmless) == len(text)
    assert all(c.isprintable() or category(c) == "Zs" for c in harmless)
    assert without_controls("a\u3000b\xa0c") == "a\u3000b\xa0c"
    assert without_controls("\x1b[2J\x9b\u202e\u2028") == "?[2J???"


@given(st.text())
def test_a_field_path_is_harmless_whatever_its_keys_are(key: str) -> None:
    path = Finding(f"metadata.labels[{key}]", "cannot use it").path
    assert path == field_path(f"metadata.labels[{key}]") == field_path(path)
    assert all(c.isprintable() or category(c) == "Zs" for c in path)
    assert len(Finding("x" * 5000, "").path) <= 1024


def test_what_was_cut_shows_it() -> None:
    assert shortened("abcdef", 4) == "abc…"
    assert one_line("a\n b\tc", 9) == "a b c"
    assert printable("a\x1b[31mb") == "a?[31mb"


def test_a_message_of_an_event_has_its_greatest_length() -> None:
    assert message_of("x" * 1024) == "x" * 1024
    assert message_of("x" * 1025) == "x" * 1023 + "…"


def test_of_a_long_list_the_first_few_are_named_and_the_others_counted() -> None:
    assert first_few(["a", "b", "c"], 2) == "a, b and 1 more"
    assert first_few([1, 2], 2) == "1, 2"
    assert first_few([], 2) == ""
