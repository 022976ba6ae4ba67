"""Names that somebody may have meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_MOST = 3
_MAX_LENGTH = 63
_MAX_CANDIDATES = 2000
"""Comparing is slow; a message is not worth more."""


def close_names(wrong: str, names: Iterable[str]) -> list[str]:
    """Give up to three names that look like a wrong one, the closest first."""
    candidates = [name for name in sorted(names) if len(name) <= 2 * _MAX_LENGTH]
    found = [name for name in candidates if name != wrong and _contains(name, wrong)]
    close = get_close_matches(wrong[:_MAX_LENGTH], candidates[:_MAX_CANDIDATES], _MOST)
    return list(dict.fromkeys([*close, *found]))[:_MOST]


def _contains(name: str, wrong: str) -> bool:
    return len(wrong) > 3 and (wrong in name or name in wrong) and len(name) > 3
