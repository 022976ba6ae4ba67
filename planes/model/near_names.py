"""Near names: which known name a misspelt one may stand for, for remedies ("did you mean …?").

Invariant: a search costs little whatever is written, as names and their number are bounded.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher, get_close_matches
from typing import Final

ALIKE: Final = 0.6
"""How alike names must be where the wrong one is reported in any case; 1 is the same name.

Callers ask for more where a near name is the only sign that a name is wrong.
"""
DID_YOU_MEAN: Final = "did you mean "
_MOST: Final = 3
_MAX_LENGTH: Final = 63
_MAX_NAMES: Final = 1000
_MAX_COMPARED: Final = 48
"""Comparing costs 10 µs a name; a message is not worth more than this."""


def likeness(name: str, known: str) -> float:
    """Return how alike two names are: 0 for nothing in common, 1 for the same."""
    return SequenceMatcher(None, name, known).ratio()


def nearest_name(wrong: str, known: Iterable[str], least: float = ALIKE) -> str:
    """Return the known name most like a wrong one, "" where none has the least likeness.

    Args:
        wrong: as written, but not longer than the caller wants compared.
        known: a few names of ours.
        least: likeness that a name must have, 0 to 1.
    """
    return next(iter(get_close_matches(wrong, tuple(known), 1, least)), "")


def close_names(wrong: str, names: Iterable[str]) -> list[str]:
    """Return up to three of any number of names that look like a wrong one, the closest first."""
    wrong = wrong[: 2 * _MAX_LENGTH]
    candidates = [name for name in sorted(names)[:_MAX_NAMES] if len(name) <= 2 * _MAX_LENGTH]
    found = [name for name in candidates if name != wrong and _contains(name, wrong)]
    # names that start alike and are about as long first: only some can be compared
    candidates.sort(key=lambda name: (name[:1] != wrong[:1], abs(len(name) - len(wrong))))
    close = get_close_matches(wrong[:_MAX_LENGTH], candidates[:_MAX_COMPARED], _MOST, ALIKE)
    return list(dict.fromkeys([*close, *found]))[:_MOST]


def closest_name(wrong: str, names: Iterable[str]) -> str:
    """Return the first of `close_names`, "" where there is none."""
    return next(iter(close_names(wrong, names)), "")


def did_you_mean(near: str, otherwise: str = "") -> str:
    """Return the remedy that names a near name; `otherwise` where `near` is ""."""
    return f"{DID_YOU_MEAN}{near}?" if near else otherwise


def _contains(name: str, wrong: str) -> bool:
    return len(wrong) > 3 and (wrong in name or name in wrong) and len(name) > 3
