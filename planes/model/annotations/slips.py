"""Common mistakes in the JSON of an annotation, and the remedy of each.

A text goes through a chart's template, YAML and a shell before it is an annotation; each of them
has mistakes of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

_TYPOGRAPHIC: Final = re.compile("[\u2018-\u201f\u2032\u2033\u00ab\u00bb]")
_BARE_KEY: Final = re.compile(r"[{,]\s*[A-Za-z_][\w\-]*\s*:")
_TRAILING_COMMA: Final = re.compile(r",\s*[\]}]")
_YAML: Final = re.compile(r"^[ \t]*(?:-\s|[\w\-]+[ \t]*:(?:\s|\Z))", re.MULTILINE)
_NEVER_IN_NAMES: Final = re.compile(r"[\s'`:]")
_BLOCK_SIGN: Final = re.compile(r"\A[|>][+\-]?\s")
_LONGEST: Final = 4 << 10  # characters that are searched, and the last one

ONCE_MORE: Final = (
    "it is JSON in quotes once more: remove the outer quotes and the \\ before the inner ones (a "
    "Helm template takes either toJson or quote, not both)"
)


def remedy_for_text(text: str) -> str:
    """Return the remedy for a text that is no JSON, "" where no known mistake is found.

    Args:
        text: a text that a JSON parser has refused.
    """
    bare = text.strip()
    head = bare if len(bare) <= _LONGEST else bare[:_LONGEST] + bare[-1]
    return next((remedy for is_it, remedy in _SLIPS if is_it(head)), "")


def remedy_for_string(value: Any, example: str) -> str:
    """Return the remedy for a JSON string in place of a list or an object.

    Args:
        value: the string.
        example: what to write instead of a string without JSON in it.
    """
    if isinstance(value, str) and value.lstrip()[:1] in {"[", "{", '"'}:
        return ONCE_MORE
    return f"remove the quotes, or {example}"


def is_no_name(item: str) -> bool:
    """Report whether an item of a comma list is not a name: YAML, quoted, several lines."""
    return _NEVER_IN_NAMES.search(item, 0, _LONGEST) is not None


def _is_open(text: str) -> bool:
    """Report whether a text has a bracket or a string that is not closed."""
    if len(text) > _LONGEST:
        return False
    depth, is_inside, is_escaped = 0, False, False
    for letter in text:
        if is_inside:
            is_inside = is_escaped or letter != '"'
            is_escaped = letter == "\\" and not is_escaped
        elif letter == '"':
            is_inside = True
        elif letter in "[{":
            depth += 1
        elif letter in "]}":
            depth -= 1
    return is_inside or depth > 0


def _is_quoted(text: str) -> bool:
    return len(text) > 1 and text[0] == text[-1] and text[0] in "'`"


def _is_escaped(text: str) -> bool:
    return text.startswith(("\\", '[\\"', '{\\"', '[{\\"'))


def _has_single_quotes(text: str) -> bool:
    return "'" in text and '"' not in text


def _finds(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda text: pattern.search(text) is not None


_SLIPS: Final[tuple[tuple[Callable[[str], bool], str], ...]] = (
    (
        _finds(_TYPOGRAPHIC),
        'replace the typographic quotes by plain ones ("): an editor may have put them in',
    ),
    (_is_quoted, "remove the quotes before and after it: here they are part of the text"),
    (_finds(_BLOCK_SIGN), "remove the | or > that it begins with: it is part of the text here"),
    (_is_escaped, 'remove the \\ before each ": here they are part of the text'),
    (_has_single_quotes, 'write double quotes (") instead of single ones: JSON has no others'),
    (_finds(_YAML), "it is YAML: write it as JSON, on one line or in a YAML block (|)"),
    (_finds(_BARE_KEY), 'it is YAML: put each name in double quotes, as in {"name": …}'),
    (_finds(_TRAILING_COMMA), "remove the comma before the closing bracket"),
    (_is_open, "close every bracket and quote: the text ends too early"),
)
"""Each mistake and its remedy; the first that is found counts."""
