"""Read Netplane's own objects strictly, with all faults and not only the first.

An unknown field is a fault, whose remedy names the nearest known one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import Any, TypeVar

from planes.model.decode import kind_of
from planes.model.errors import BadInput, Finding, paired
from planes.model.names import shown
from planes.model.near_names import did_you_mean, nearest_name

_E = TypeVar("_E", bound=StrEnum)
_T = TypeVar("_T")
_HOW_TO_WRITE: Mapping[str, str] = {
    "a string": "put it in quotes",
    "a boolean": "write true or false, without quotes",
    "an integer": "write a whole number, without quotes",
    "a list": "write [ ], or items that begin with -",
}


class SpecReader:
    """One object of a spec; its getters never raise but add to the shared `findings`."""

    def __init__(self, obj: Any, path: str, findings: list[Finding], known: str) -> None:
        self.path = path
        self.findings = findings
        self._obj: Mapping[str, Any] = obj if isinstance(obj, dict) else {}
        if not isinstance(obj, dict):
            message = f"cannot read it: it must be an object, not {kind_of(obj)}"
            self.report("", message, f"known fields are {', '.join(known.split())}")
        names = known.split()
        for key in self._obj:
            if key not in names:
                near = nearest_name(key[:64], names)
                remedy = did_you_mean(near, f"known are {', '.join(names)}")
                self.report(key[:64], "cannot use an unknown field", remedy)

    def at(self, key: str) -> str:
        """Return the path of a member."""
        return f"{self.path}.{key}" if key else self.path

    def report(self, key: str, message: str, remedy: str = "") -> None:
        """Add a finding about a member."""
        self.findings.append(Finding(self.at(key), message, remedy))

    def has(self, key: str) -> bool:
        """Report whether a member is present and not null."""
        return self._obj.get(key) is not None

    def raw(self, key: str) -> Any:
        """Return a member as it is."""
        return self._obj.get(key)

    def _typed(self, key: str, kind: type[_T], words: str, default: _T) -> _T:
        value = self._obj.get(key)
        if value is None:
            return default
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            message = f"cannot read it: it must be {words}, not {kind_of(value)}"
            self.report(key, message, _HOW_TO_WRITE.get(words, ""))
            return default
        return value

    def string(self, key: str, default: str = "") -> str:
        """Return a string."""
        return self._typed(key, str, "a string", default)

    def boolean(self, key: str, default: bool = False) -> bool:
        """Return a boolean."""
        return self._typed(key, bool, "a boolean", default)

    def integer(self, key: str, low: int, high: int) -> int | None:
        """Return an integer within bounds, None where it is absent or has a fault."""
        if not self.has(key):
            return None
        value = self._typed(key, int, "an integer", low)
        if not low <= value <= high:
            self.report(key, f"cannot use {value}", f"give {low} to {high}")
            return None
        return value

    def choice(self, key: str, kind: type[_E], default: _E) -> _E:
        """Return one of the values of an enumeration."""
        text = self.string(key, default.value)
        try:
            return kind(text)
        except ValueError:
            self.report(key, f"cannot use {shown(text)}", f"give {' or '.join(kind)}")
            return default

    def items(self, key: str, limit: int = 1024) -> Iterator[tuple[str, Any]]:
        """Yield path and value of each element of a list."""
        value = self._typed(key, list, "a list", [])
        if len(value) > limit:
            self.report(key, f"cannot use {len(value)} elements", f"give at most {limit}")
        for index, element in enumerate(value[:limit]):
            yield f"{self.at(key)}[{index}]", element

    def parsed(self, key: str, parse: Callable[[str], _T]) -> _T | None:
        """Return a parsed string, None where it is absent or has a fault."""
        text = self.string(key)
        return parsed(text, self.at(key), parse, self.findings) if text else None

    def parsed_list(self, key: str, parse: Callable[[str], _T]) -> tuple[_T, ...]:
        """Return the parsed elements of a list of strings, without those that have faults."""
        found = [parsed(text, path, parse, self.findings) for path, text in self.items(key)]
        return tuple(value for value in found if value is not None)

    def child(self, key: str, known: str) -> SpecReader:
        """Return a nested object, an empty one where absent."""
        value = self._obj.get(key)
        return SpecReader({} if value is None else value, self.at(key), self.findings, known)

    def children(self, key: str, known: str, limit: int = 1024) -> list[SpecReader]:
        """Return the objects of a list."""
        return [
            SpecReader(element, path, self.findings, known)
            for path, element in self.items(key, limit)
        ]


def parsed(text: Any, path: str, parse: Callable[[str], _T], findings: list[Finding]) -> _T | None:
    """Parse one string; an error of the parser becomes a finding."""
    if not isinstance(text, str):
        message = f"cannot read it: it must be a string, not {kind_of(text)}"
        findings.append(Finding(path, message, _HOW_TO_WRITE["a string"]))
        return None
    try:
        return parse(text)
    except BadInput as error:
        findings.append(Finding(path, error.message, error.remedy))
        return None


def refuse(what: str, findings: list[Finding]) -> None:
    """Raise one `BadInput` that lists all findings, if there are any."""
    if findings:
        told, remedies = paired(findings)
        raise BadInput(f"cannot use {what}: {told}", remedy=remedies)
