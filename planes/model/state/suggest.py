"""Names that somebody may have meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_MOST = 3
_MAX_LENGTH = 63
_MAX_NAMES = 1000
_MAX_COMPARED = 48
"""Comparing costs 10 µs a name; a message is not worth more than this."""


def close_names(wrong: str, names: Iterable[str]) -> list[str]:
    """Give up to three names that look like a wrong one, the closest first."""
    wrong = wrong[: 2 * _MAX_LENGTH]
    candidates = [name for name in sorted(names)[:_MAX_NAMES] if len(name) <= 2 * _MAX_LENGTH]
    found = [name for name in candidates if name != wrong and _contains(name, wrong)]
    # names that start alike and are about as long first: only some can be compared
    candidates.sort(key=lambda name: (name[:1] != wrong[:1], abs(len(name) - len(wrong))))
    close = get_close_matches(wrong[:_MAX_LENGTH], candidates[:_MAX_COMPARED], _MOST)
    return list(dict.fromkeys([*close, *found]))[:_MOST]


def _contains(name: str, wrong: str) -> bool:
    return len(wrong) > 3 and (wrong in name or name in wrong) and len(name) > 3
