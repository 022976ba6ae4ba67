"""Foreign texts in a picture: how wide they are, how they are shortened, and escaped for XML."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from planes.model.lines import printable

MONO: Final = 0.62
"""Width of a letter by its size: a little more than that of the widest of the usual fonts."""
SANS: Final = 0.62
BOLD: Final = 0.70

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


def width(text: str, size: float, per_letter: float = SANS) -> float:
    """Return an upper bound of the width of a text.

    Args:
        text: one line.
        size: of the font, in the unit of the result.
        per_letter: `MONO`, `SANS` or `BOLD`.
    """
    return columns(text) * size * per_letter


def fitting(text: str, most: int) -> str:
    """Return a text of at most so many columns, cut in its middle: ends tell pods apart."""
    if columns(text) <= most:
        return text
    head = _cut(text, most // 2)
    tail = _cut(text[::-1], most - 1 - columns(head))[::-1]
    while tail and unicodedata.category(tail[0]) in _COMBINING:  # its letter was cut off
        tail = tail[1:]
    return f"{head}…{tail}"


def _cut(text: Iterable[str], most: int) -> str:
    taken, used = [], 0
    for letter in text:
        used += _columns(letter)
        if used > most:
            break
        taken.append(letter)
    return "".join(taken)


def letters(pixels: float, size: float, per_letter: float = SANS) -> int:
    """Return how many letters fit into a width."""
    return max(int(pixels / (size * per_letter)), 1)


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
