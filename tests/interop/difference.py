"""What differs between two sets of lines about a kernel, shortened to the fields that differ."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

_NAMES = ("IFLA_IFNAME", "IFA_ADDRESS", "RTA_DST", "NDA_DST")
"""What tells one object of a kind from the others."""


def difference(theirs: set[str], ours: set[str]) -> str:
    """Return a line for each object that only one side has, "" where there is none.

    Lines of the reference begin with `-`, ours with `+`. Where each side has one object of a kind
    and name, only the fields that differ are in them.
    """
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for sign, lines in (("-", theirs - ours), ("+", ours - theirs)):
        for line in sorted(lines):
            found[_name(line)].append((sign, line))
    return "\n".join(line for name in sorted(found) for line in _shortened(name, found[name]))


def _name(line: str) -> str:
    kind, fields = _parts(line)
    return " ".join([kind, *(str(fields[key]) for key in _NAMES if key in fields)])


def _shortened(name: str, lines: list[tuple[str, str]]) -> list[str]:
    if [sign for sign, _ in lines] != ["-", "+"]:
        return [f"{sign} {line}" for sign, line in lines]
    fields = [_parts(line)[1] for _, line in lines]
    keys = [key for key in sorted({*fields[0], *fields[1]}) if _unequal(key, *fields)]
    if not keys:  # it is no object
        return [f"{sign} {line}" for sign, line in lines]
    return [
        f"{sign} {name}: " + ", ".join(f"{key} {one.get(key)}" for key in keys)
        for (sign, _), one in zip(lines, fields, strict=True)
    ]


def _unequal(key: str, one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.get(key) != other.get(key)


def _parts(line: str) -> tuple[str, dict[str, Any]]:
    kind, brace, text = line.partition(" {")
    try:
        return kind, _flat(json.loads("{" + text)) if brace else {}
    except ValueError:
        return line, {}


def _flat(fields: dict[str, Any]) -> dict[str, Any]:
    """Return fields without levels: those of a part beside the others, with its name before."""
    made: dict[str, Any] = {}
    for key, value in fields.items():
        if isinstance(value, dict):
            made |= {f"{key}.{inner}": each for inner, each in _flat(value).items()}
        else:
            made[key] = value
    return made
