"""Foreign texts in pictures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planes.cli.map.texts import (
    BOLD,
    MONO,
    SANS,
    Font,
    clean,
    columns,
    count,
    fitted,
    fitting,
    number,
    width,
    xml,
)


@given(st.text(), st.integers(2, 40))
def test_a_shortened_text_has_at_most_so_many_columns(text: str, most: int) -> None:
    assert columns(fitting(text, most)) <= most


@given(st.text(), st.integers(2, 40))
def test_a_text_that_fits_stays(text: str, most: int) -> None:
    assert (fitting(text, most) == text) is (columns(text) <= most) or "…" in text


@pytest.mark.parametrize("font", [MONO, SANS, BOLD])
@given(st.text(), st.integers(30, 400))
def test_a_fitted_text_is_at_most_so_wide(font: Font, text: str, pixels: int) -> None:
    fit = fitted(text, pixels, 12, font)
    assert width(fit, 12, font) <= pixels
    assert (fit == text) or width(text, 12, font) > pixels


def test_broad_letters_and_capitals_are_wider_than_others() -> None:
    """In a common font m takes 1.04 of its size, W 1.10 and a capital O 0.85."""
    assert width("mW", 10, BOLD) >= 10.4 + 11.0
    assert width("O", 10, BOLD) >= 8.5
    assert width("mW", 10, SANS) >= 9.7 + 9.9
    assert width("mW", 10, MONO) == width("il", 10, MONO)


@pytest.mark.parametrize(
    ("text", "most", "short"),
    [
        ("front-8sh9gqtvr2-5fppt", 14, "front-8…-5fppt"),
        ("漢字の名前", 6, "漢…前"),
        ("e\u0301" * 9, 4, "e\u0301e\u0301…e\u0301"),
        ("abc" + "\u0301" * 9, 3, "abc" + "\u0301" * 9),
    ],
)
def test_the_middle_is_cut_out(text: str, most: int, short: str) -> None:
    assert fitting(text, most) == short


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\u202eb", "a?b"),
        ("\x1b[31m", "?[31m"),
        ("o" + "\u0308" * 30, "o\u0308\u0308"),
        ("شبكة", "شبكة"),
    ],
)
def test_what_does_not_show_or_draws_over_neighbours_is_replaced(text: str, shown: str) -> None:
    assert clean(text) == shown


def test_markup_is_text() -> None:
    assert xml("<b>&") == "&lt;b&gt;&amp;"


@pytest.mark.parametrize(
    ("value", "text"), [(3.0, "3"), (2.25, "2.2"), (100.04, "100"), (0.0, "0")]
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert number(value) == text


def test_a_count_has_its_noun() -> None:
    assert (count(1, "pod"), count(1200, "pod")) == ("1 pod", "1,200 pods")
