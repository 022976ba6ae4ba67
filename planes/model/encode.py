"""Encode values as JSON: the same value always gives the same bytes.

`dumps` is compact, keys sorted as Go writes a map unless their order is to be kept. `pretty` keeps
the order and has the form of Go's MarshalIndent with four spaces, HTML characters escaped: the form
of CNI plugins' output and of network-status, with which tools compare.
"""

from __future__ import annotations

import json
from typing import Any

import orjson

from planes.model.errors import BadInput, CniCode

_GO_ESCAPES = (
    (b"<", b"\\u003c"),
    (b">", b"\\u003e"),
    (b"&", b"\\u0026"),
    ("\u2028".encode(), b"\\u2028"),
    ("\u2029".encode(), b"\\u2029"),
)
_DONE = b"\x01"  # in place of a newline whose line is indented already; JSON text never has it


def dumps(value: Any, what: str, *, sort_keys: bool = True) -> bytes:
    """Return a value as compact JSON, keys sorted; integers of any size are kept.

    Raises:
        BadInput: code 6; the value is nested too deep or holds text that is not UTF-8.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS if sort_keys else None)
    except TypeError:
        # beyond orjson's 64 bits or 254 levels, or a lone surrogate from the environment
        return _slow(value, what, indent=None, sort_keys=sort_keys)


def pretty(value: Any, what: str, *, sort_keys: bool = False) -> bytes:
    """Return a value as JSON with four spaces of indent and Go's escapes, without final newline.

    Raises:
        BadInput: code 6; the value is nested too deep or holds text that is not UTF-8.
    """
    option = orjson.OPT_INDENT_2 | (orjson.OPT_SORT_KEYS if sort_keys else 0)
    try:
        text = _widen(orjson.dumps(value, option=option))
    except TypeError:
        text = _slow(value, what, indent=4, sort_keys=sort_keys)
    for plain, escaped in _GO_ESCAPES:
        if plain in text:
            text = text.replace(plain, escaped)
    return text


def _widen(text: bytes) -> bytes:
    """Double every line's indent, deepest lines first."""
    depth = 1
    while b"\n" + b"  " * depth in text:
        depth += 1
    for level in range(depth - 1, 0, -1):
        text = text.replace(b"\n" + b"  " * level, _DONE + b"    " * level)
    return text.replace(_DONE, b"\n")


def _slow(value: Any, what: str, *, indent: int | None, sort_keys: bool) -> bytes:
    separators = (",", ":") if indent is None else (",", ": ")
    try:
        return json.dumps(
            value, ensure_ascii=False, sort_keys=sort_keys, indent=indent, separators=separators
        ).encode()
    except RecursionError as error:
        raise BadInput(f"cannot write {what}: nested too deep", code=CniCode.DECODE) from error
    except UnicodeEncodeError as error:
        raise BadInput(f"cannot write {what}: text is not UTF-8", code=CniCode.DECODE) from error
