"""Parsers of settings that every program shares: numbers, lists, log levels.

Each raises ValueError with a text that follows "cannot use --flag: " and quotes the value.
"""

from __future__ import annotations

import json
import math
from typing import Any, Final

from planes.run.logs import LEVELS

_LONGEST_WAIT: Final = 3600.0


def whole(text: str, lowest: int, highest: int | None = None) -> int:
    """Parse a whole number within bounds."""
    try:
        number = int(text)
    except ValueError:
        raise ValueError(f"{text!r} is no whole number") from None
    if highest is not None and not lowest <= number <= highest:
        raise ValueError(f"{text} is not between {lowest} and {highest}")
    if number < lowest:
        raise ValueError(f"{text} is below {lowest}")
    return number


def seconds(text: str, *, may_be_zero: bool = False) -> float:
    """Parse a time of at most an hour."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if math.isnan(number):
        raise ValueError(f"{text!r} is no number of seconds")
    if not 0 <= number <= _LONGEST_WAIT or not (number or may_be_zero):
        raise ValueError(f"{text} is not between 0 and {_LONGEST_WAIT:.0f} seconds")
    return number


def texts(text: str, separator: str = ",") -> tuple[str, ...]:
    """Parse `a,b` or, from a file, a JSON list of strings; empty items are left out."""
    found = from_json(text) if text.lstrip().startswith("[") else text.split(separator)
    if not all(isinstance(each, str) for each in found):
        raise ValueError(f"{text!r} holds something that is no text")
    return tuple(each.strip() for each in found if each.strip())


def from_json(text: str) -> Any:
    """Parse a value that is written in JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(f"{text!r} begins like JSON and is none") from None


def level(text: str) -> str:
    """Parse a log level."""
    if text.lower() not in LEVELS:
        raise ValueError(f"{text!r} is none of {', '.join(LEVELS)}")
    return text.lower()
