"""Foreign texts in a picture: how wide they are, how they are shortened, and escaped for XML."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from planes.model.lines import printable


@dataclass(frozen=True, slots=True)
class Font:
    """Widths of letters by the font's size: a little more than those of the usual fonts.

    Attributes:
        letter: of a usual letter.
        capital: of a capital.
        broad: of the broadest letters, and of those that are not ASCII.
    """

    letter: float
    capital: float
    broad: float

    def em(self, letter: str) -> float:
        """Return the width of a letter."""
        several = _columns(letter)
        if several == 1 and (letter in _BROAD or not letter.isascii()):
            return self.broad
        return several * (self.capital if letter.isupper() else self.letter)


MONO: Final = Font(0.62, 0.62, 0.62)
SANS: Final = Font(0.62, 0.80, 1.0)
BOLD: Final = Font(0.70, 0.87, 1.12)

_BROAD: Final = frozenset("mwMW@%")
_COMBINING: Final = frozenset({"Mn", "Me", "Mc"})
_MOST_MARKS: Final = 2


def clean(text: str) -> str:
    """Return a text without what does not show, or draws over its neighbours.

    Controls and what changes the direction become `?`; of marks that are drawn onto a letter
    two stay.
    """
    kept, marks = [], 0
    for letter in printable(text):
        marks = marks + 1 if unicodedata.category(letter) in _COMBINING else 0
        if marks <= _MOST_MARKS:
            kept.append(letter)
    return "".join(kept)


def columns(text: str) -> int:
    """Return how many columns a text takes in a font with letters of one width."""
    return sum(map(_columns, text))


def _columns(letter: str) -> int:
    if unicodedata.category(letter) in _COMBINING:
        return 0
    return 2 if unicodedata.east_asian_width(letter) in {"W", "F"} else 1


def width(text: str, size: float, font: Font = SANS) -> float:
    """Return an upper bound of the width of a text.

    Args:
        text: one line.
        size: of the font, in the unit of the result.
        font: `MONO`, `SANS` or `BOLD`.
    """
    return sum(map(font.em, text)) * size


def fitting(text: str, most: int) -> str:
    """Return a text of at most so many columns, cut in its middle: ends tell pods apart."""
    return _shortened(text, most, _columns)


def fitted(text: str, pixels: float, size: float, font: Font = SANS) -> str:
    """Return a text that is at most so wide, cut in its middle."""
    return _shortened(text, pixels / size, font.em)


def _shortened(text: str, most: float, measure: Callable[[str], float]) -> str:
    if sum(map(measure, text)) <= most:
        return text
    head = _cut(text, most // 2, measure)
    left = most - measure("…") - sum(map(measure, head))
    tail = _cut(text[::-1], left, measure)[::-1]
    while tail and unicodedata.category(tail[0]) in _COMBINING:  # its letter was cut off
        tail = tail[1:]
    return f"{head}…{tail}"


def _cut(text: Iterable[str], most: float, measure: Callable[[str], float]) -> str:
    taken, used = [], 0.0
    for letter in text:
        used += measure(letter)
        if used > most:
            break
        taken.append(letter)
    return "".join(taken)


def letters(pixels: float, size: float) -> int:
    """Return how many usual letters fit into a width."""
    return max(int(pixels / (size * SANS.letter)), 1)


def xml(text: str) -> str:
    """Return a text as content of an element."""
    return escape(clean(text))


def attribute(text: str) -> str:
    """Return a text as the value of an attribute, with its quotes."""
    return quoteattr(clean(text))


def number(value: float) -> str:
    """Return a number for a coordinate, with at most one decimal."""
    return f"{value:.1f}".rstrip("0").rstrip(".")


def count(several: int, noun: str) -> str:
    """Return a number and its noun, e.g. `1 pod` or `1,200 pods`."""
    return f"{several:,} {noun}{'' if several == 1 else 's'}"
