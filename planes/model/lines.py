"""Make foreign texts fit one line: for messages, events, logs and tables."""

from __future__ import annotations

from collections.abc import Sequence
from unicodedata import category


def printable(text: str) -> str:
    """Return a text with ? for each character that is not printable: escapes, line breaks."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def without_controls(text: str) -> str:
    """Return a text with ? for what a terminal carries out, or what turns the direction.

    Spaces of other widths stay, which `printable` replaces: people write them in names.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or category(c) == "Zs" else "?" for c in text)


def shortened(text: str, longest: int) -> str:
    """Return a text of at most `longest` characters; a cut one ends in an ellipsis."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def one_line(text: str, longest: int) -> str:
    """Return a text as one printable line, its white space as single spaces, shortened."""
    return printable(shortened(" ".join(text[: 4 * longest].split()), longest))


def first_few(things: Sequence[object], most: int) -> str:
    """Return the first of a list of names or numbers: "a, b and 7 more"."""
    more = f" and {len(things) - most} more" if len(things) > most else ""
    return ", ".join(map(str, things[:most])) + more
