"""The colours of lines: text in them is readable on the page and on cards, by day and by night."""

from __future__ import annotations

from typing import Final

LIGHT: Final = {
    "bg": "#ffffff",
    "fg": "#16222d",
    "mut": "#56646f",
    "card": "#f3f5f8",
    "edge": "#d5dce3",
    "rest": "#e6eaee",
}
DARK: Final = {
    "bg": "#10161c",
    "fg": "#e8eef3",
    "mut": "#a3b1bd",
    "card": "#1a232c",
    "edge": "#33414e",
    "rest": "#26313b",
}
LINES: Final[tuple[tuple[str, str], ...]] = (
    ("#0b5fc0", "#6db3ff"),
    ("#b04a00", "#ffa15c"),
    ("#17753a", "#67cf8b"),
    ("#7a3fc0", "#c4a1ff"),
    ("#b3246f", "#ff8fc2"),
    ("#006d77", "#54cfd8"),
    ("#7d5a00", "#e0bb4c"),
    ("#4350c4", "#a7b0ff"),
    ("#bb2a2a", "#ff918a"),
    ("#536500", "#bcd15e"),
    ("#0a6796", "#6bc9f6"),
    ("#85472e", "#e2ae95"),
)
"""A light and a dark colour for each line; with more lines they come again, dashed."""
GREY: Final = ("#586672", "#9dabb8")
"""Of the cluster network, and of networks that have no line of their own."""


def is_dashed(place: int) -> bool:
    """Report whether a line is dashed: another one has its colour.

    Args:
        place: of the line among those with a colour.
    """
    return place // len(LINES) % 2 == 1
