"""Check the keys of one object of a NAD's configuration against the known ones.

Names are matched as by Go: case is ignored, and of two spellings of one key a plugin takes the last
one. So each spelling is checked, and two of them are a breach.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from planes.model.bounds import MAX_NAD_FINDINGS, MAX_NAD_HINTS
from planes.model.errors import Finding, JsonObject
from planes.model.near_names import did_you_mean, nearest_name
from planes.model.spec.config_key import ConfigKey

_PLAIN: Final = re.compile(r"[A-Za-z0-9_.\-]{1,32}")
_ALIKE: Final = 0.7
"""More than usual: pods are warned of a key or plugin for its near name alone."""
_TWICE: Final = "cannot tell which is meant: a key is written twice in one object"


@dataclass(slots=True)
class NadFindings:
    """Findings about a NAD.

    Attributes:
        faults: it cannot be used, whoever wrote it.
        breaches: a tenant may not write it.
        unknown: keys and types that are not known; a tenant may write known ones only.
        hints: it works, but probably not as intended.
    """

    faults: list[Finding] = field(default_factory=list)
    breaches: list[Finding] = field(default_factory=list)
    unknown: list[Finding] = field(default_factory=list)
    hints: list[Finding] = field(default_factory=list)
    _searches: int = MAX_NAD_HINTS

    @property
    def is_full(self) -> bool:
        """Whether it has as many findings as are reported."""
        found = len(self.faults) + len(self.breaches) + len(self.unknown) + len(self.hints)
        return found >= MAX_NAD_FINDINGS

    def near(self, wrong: str, known: Iterable[str]) -> str:
        """Return the known name that a wrong one may stand for, "" for none; few are searched."""
        if self._searches <= 0 or not _PLAIN.fullmatch(wrong):
            return ""
        self._searches -= 1
        return nearest_name(wrong, known, _ALIKE)


def plain(name: str) -> str:
    """Return a foreign name for a text: itself where it is short and of plain characters."""
    return name if _PLAIN.fullmatch(name) else "(a name that is no key)"


def spelled(obj: Mapping[str, Any], name: str) -> Iterator[tuple[str, Any]]:
    """Yield each member that a plugin in Go reads as the key."""
    folded = name.casefold()
    for key, value in obj.items():
        if key.casefold() == folded:
            yield key, value


def judge_keys(
    obj: JsonObject,
    path: str,
    owner: str,
    tables: Iterable[Mapping[str, ConfigKey]],
    found: NadFindings,
    *,
    besides: frozenset[str] = frozenset(),
) -> None:
    """Check the members of an object, and of the objects in it.

    Args:
        obj: the object.
        path: its path.
        owner: what it configures, for texts.
        tables: the known keys.
        found: findings are added here.
        besides: case-folded names that are checked elsewhere.
    """
    known = {name: key for table in tables for name, key in table.items()}
    seen: set[str] = set()
    for written, value in obj.items():
        if found.is_full:
            return
        name = written.casefold()
        if name in seen:
            found.breaches.append(Finding(f"{path}.{plain(written)}", _TWICE, _ONCE, 422))
        seen.add(name)
        if name in besides:
            continue
        key = known.get(name)
        if key is None:
            _unknown(written, path, owner, known.values(), found)
        else:
            _judge_value(key, value, f"{path}.{key.name}", owner, found)


_ONCE: Final = "write it once, as its documentation spells it"


def _judge_value(key: ConfigKey, value: Any, path: str, owner: str, found: NadFindings) -> None:
    if key.most and (count := _count(value)) > key.most:
        message = f"cannot use {count} entries: {key.most} are the most"
        found.faults.append(Finding(path, message, "write fewer, or several networks"))
        return
    if not key.is_permitted(value):
        found.breaches.append(breach(path, f"write {key.name} of {owner}", key.why))
    if key.members:
        table = {member.name.casefold(): member for member in key.members}
        for place, entry in _objects(value, path):
            judge_keys(entry, place, f"{owner} {key.name}", (table,), found)


def breach(path: str, action: str, why: str) -> Finding:
    """Return the finding that a tenant may not do something."""
    remedy = "leave it out, or have an administrator write the NAD"
    return Finding(path, f"cannot {action} in this namespace: {why}", remedy, 403)


def _unknown(
    written: str, path: str, owner: str, known: Iterable[ConfigKey], found: NadFindings
) -> None:
    near = found.near(written, (key.name for key in known))
    remedy = did_you_mean(near, "remove it")
    message = f"cannot use a key that {owner} does not know: it would be ignored"
    found.unknown.append(Finding(f"{path}.{plain(written)}", message, remedy))


def _count(value: Any) -> int:
    """Count the members of an object, or the elements of a list and of the lists in it."""
    if isinstance(value, list):
        return sum(max(1, len(each)) if isinstance(each, list) else 1 for each in value)
    return len(value) if isinstance(value, dict) else 0


def _objects(value: Any, path: str) -> Iterator[tuple[str, JsonObject]]:
    if isinstance(value, dict):
        yield path, value
    elif isinstance(value, list):
        for index, each in enumerate(value):
            place = f"{path}[{index}]"
            if isinstance(each, dict):
                yield place, each
            elif isinstance(each, list):
                for position, one in enumerate(each):
                    if isinstance(one, dict):
                        yield f"{place}[{position}]", one


def has_repeated_keys(text: str) -> bool:
    """Report whether an object of a JSON text has a key twice, spelled the same.

    Readers keep the last of them, or merge them (Go, where they are objects). The text was parsed
    before; where this parser fails, keys count as repeated.
    """
    is_repeated = False

    def check(pairs: list[tuple[str, Any]]) -> None:
        nonlocal is_repeated
        is_repeated = is_repeated or len({name for name, _ in pairs}) < len(pairs)

    try:
        json.loads(text, object_pairs_hook=check)
    except (ValueError, RecursionError):
        return True
    return is_repeated
