"""Read the text of a plan: JSON within bounds, in which no key is there twice.

Whoever wrote the file is not trusted: depth, number of values and texts are bounded, so that later
steps may recurse and print.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from math import isfinite
from typing import Any, Final

from planes.model.errors import BadInput, Finding, JsonObject
from planes.model.names import shown

MAX_PLAN_BYTES: Final = 4 << 20
"""A network takes some 500 bytes."""
MAX_DEPTH: Final = 32
MAX_VALUES: Final = 1 << 16
MAX_FAULTS: Final = 32
"""Faults of the text that are listed one by one."""
_LOWEST, _HIGHEST = -(1 << 63), (1 << 64) - 1

Repeated = list[tuple[JsonObject, list[str]]]
"""Objects with keys that are there twice."""


def read_plan_json(data: bytes, what: str) -> tuple[Any, Repeated]:
    """Read JSON.

    Returns:
        The value, and its objects in which keys are there twice.

    Raises:
        BadInput: it is none, or too large.
    """
    check_size(data, what)
    repeated: Repeated = []

    def members(pairs: list[tuple[str, Any]]) -> JsonObject:
        found = dict(pairs)
        if len(found) != len(pairs):
            counts = Counter(key for key, _ in pairs)
            repeated.append((found, [key for key, count in counts.items() if count > 1]))
        return found

    try:
        # A byte order mark is what some editors begin a file with.
        value = json.loads(data.decode("utf-8-sig"), object_pairs_hook=members)
    except UnicodeDecodeError as error:
        raise _unreadable(what, "it is not UTF-8") from error
    except json.JSONDecodeError as error:
        cause = f"{error.msg} (line {error.lineno}, column {error.colno})"
        raise _unreadable(what, cause) from error
    except RecursionError as error:
        raise _unreadable(what, f"it nests deeper than {MAX_DEPTH} levels") from error
    except ValueError as error:
        raise _unreadable(what, "it holds a number of too many digits") from error
    return value, repeated


def check_size(data: bytes, what: str) -> None:
    """Raise `BadInput` for a text that is larger than a plan may be."""
    if len(data) > MAX_PLAN_BYTES:
        raise _unreadable(what, f"it is larger than {MAX_PLAN_BYTES >> 20} MiB")


def text_faults(value: Any, repeated: Repeated) -> list[Finding]:
    """List what no plan may have, wherever it is: at most `MAX_FAULTS` of it."""
    twice = {id(obj): keys for obj, keys in repeated}
    found: list[Finding] = []
    for finding in _walk(value, twice):
        found.append(finding)
        if len(found) == MAX_FAULTS:
            break
    return found


def _walk(root: Any, twice: dict[int, list[str]]) -> Iterator[Finding]:
    todo: list[tuple[Any, str, int]] = [(root, "", 0)]
    count = 0
    while todo:
        value, path, depth = todo.pop()
        count += 1
        if depth > MAX_DEPTH or count > MAX_VALUES:
            most = f"{MAX_DEPTH} levels" if depth > MAX_DEPTH else f"{MAX_VALUES} values"
            yield Finding(path, f"cannot read a plan of more than {most}", "split it")
            return
        if isinstance(value, dict):
            for key in twice.get(id(value), ()):
                where = joined(path, key)
                yield Finding(where, "cannot tell which counts: the key is there twice", "keep one")
            for key in value:
                yield from _text_fault(key, joined(path, key))
            below = [(each, joined(path, key), depth + 1) for key, each in value.items()]
            todo += reversed(below)
        elif isinstance(value, list):
            below = [(each, f"{path}[{at}]", depth + 1) for at, each in enumerate(value)]
            todo += reversed(below)
        else:
            yield from _scalar_fault(value, path)


def _scalar_fault(value: Any, path: str) -> Iterator[Finding]:
    if isinstance(value, str):
        yield from _text_fault(value, path)
    elif isinstance(value, float) and not isfinite(value):
        yield Finding(path, "cannot use a number that is not finite", "write a number, or null")
    elif isinstance(value, int) and not _LOWEST <= value <= _HIGHEST:
        yield Finding(path, "cannot use a number of more than 64 bits", "write a smaller one")


def _text_fault(text: str, path: str) -> Iterator[Finding]:
    if not text.replace("\n", "").replace("\t", "").isprintable():
        remedy = "take control characters out"
        yield Finding(path, f"cannot use {shown(text)}: it is no printable text", remedy)


def joined(path: str, key: str) -> str:
    """Return the path of a member; a key that is no plain word is in brackets and quotes."""
    if key.isascii() and key.replace("-", "").replace("_", "").isalnum() and len(key) <= 64:
        return f"{path}.{key}" if path else key
    return f"{path}[{shown(key)}]"


def _unreadable(what: str, cause: str) -> BadInput:
    return BadInput(f"cannot read {what}: {cause}", remedy='write {"networks": {"NAME": {…}}}')
