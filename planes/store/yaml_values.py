"""Read YAML of untrusted files into JSON values: no recursion, no alias bombs.

Built on libyaml's events: the loaders over them recurse (deep nesting ends the process) and read
`12:30:45` as a number and `2024-01-01` as a date, which Kubernetes does not.
Invariant: any bytes become JSON values with line numbers, or one `YamlError` with its line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

# A Kubernetes object nests about a dozen levels; NAD configs are text inside one.
MAX_DEPTH: Final = 100
# Anchors serve some shared labels; a bomb needs thousands of copies.
MAX_ALIASED_VALUES: Final = 10_000

_NULL: Final = re.compile(r"(~|null|Null|NULL|)\Z")
_BOOL: Final = re.compile(
    r"(true|True|TRUE|yes|Yes|YES|on|On|ON)\Z|(false|no|off)\Z", re.IGNORECASE
)
_INT: Final = re.compile(r"[-+]?(0|[1-9][0-9_]*)\Z")
_HEX: Final = re.compile(r"[-+]?0x[0-9a-fA-F_]+\Z")
_OCT: Final = re.compile(r"[-+]?0o?[0-7_]+\Z")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_TAG: Final = "tag:yaml.org,2002:"


class YamlError(Exception):
    """A file cannot be read as JSON values: the line (from 1) and the reason."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.reason = reason


@dataclass(slots=True)
class _Frame:
    """A mapping or sequence that is being read."""

    value: dict[str, Any] | list[Any]
    anchor: str | None
    line: int
    size_before: int
    key: str | None = None
    merges: list[Any] = field(default_factory=list)


class _Document:
    """Builds one document's value from its events."""

    def __init__(self, lines: dict[int, int]) -> None:
        self.value: Any = None
        self._lines = lines
        self._stack: list[_Frame] = []
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._size = 0
        self._aliased = 0

    def feed(self, event: yaml.Event) -> None:
        """Handle the next event of this document."""
        line = _line(event)
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event, line)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(str(event.anchor), line)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            self._open(event, line)
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            self._close()

    def _scalar(self, event: yaml.ScalarEvent, line: int) -> None:
        self._size += 1
        if self._wants_key():
            value: Any = event.value
        else:
            value = _scalar_value(event, line)
        if event.anchor:
            self._anchors[event.anchor] = (value, 1)
        self._put(value, line)

    def _alias(self, anchor: str, line: int) -> None:
        if anchor not in self._anchors:
            raise YamlError(line, f"*{anchor} refers to nothing before it")
        value, size = self._anchors[anchor]
        self._aliased += size
        self._size += size
        if self._aliased > MAX_ALIASED_VALUES:
            raise YamlError(line, f"its aliases stand for more than {MAX_ALIASED_VALUES} values")
        self._put(value, line)

    def _open(self, event: yaml.CollectionStartEvent, line: int) -> None:
        if len(self._stack) >= MAX_DEPTH:
            raise YamlError(line, f"it nests deeper than {MAX_DEPTH} levels")
        if event.tag not in {None, f"{_TAG}map", f"{_TAG}seq"}:
            raise YamlError(line, f"the tag {event.tag} has no meaning in a manifest")
        if self._wants_key():
            raise YamlError(line, "a key must be text")
        value: dict[str, Any] | list[Any] = {} if isinstance(event, yaml.MappingStartEvent) else []
        self._lines[id(value)] = line
        self._stack.append(_Frame(value, event.anchor, line, self._size))
        self._size += 1

    def _close(self) -> None:
        frame = self._stack.pop()
        for merged in frame.merges:
            for key, value in merged.items():
                frame.value.setdefault(key, value)  # type: ignore[union-attr]  # only mappings merge
        if frame.anchor:  # from here on, so that nothing can contain itself
            self._anchors[frame.anchor] = (frame.value, self._size - frame.size_before)
        self._put(frame.value, frame.line)

    def _wants_key(self) -> bool:
        frame = self._stack[-1] if self._stack else None
        return frame is not None and isinstance(frame.value, dict) and frame.key is None

    def _put(self, value: Any, line: int) -> None:
        if not self._stack:
            self.value = value
            return
        frame = self._stack[-1]
        if isinstance(frame.value, list):
            frame.value.append(value)
        elif frame.key is None:
            self._begin_key(frame, value, line)
        elif frame.key == "<<":
            frame.merges += _merge_sources(value, line)
            frame.key = None
        else:
            frame.value[frame.key] = value
            frame.key = None

    @staticmethod
    def _begin_key(frame: _Frame, key: Any, line: int) -> None:
        if not isinstance(key, str):
            raise YamlError(line, "a key must be text")
        if key in frame.value:
            raise YamlError(line, f"the key {key[:60]} is there twice")
        frame.key = key


def _merge_sources(value: Any, line: int) -> list[Any]:
    sources = value if isinstance(value, list) else [value]
    if not all(isinstance(source, dict) for source in sources):
        raise YamlError(line, "<< can only merge mappings")
    return sources


def _scalar_value(event: yaml.ScalarEvent, line: int) -> Any:
    text = event.value
    tag = (event.tag or "").removeprefix(_TAG)
    if tag == "str" or event.tag == "!" or (not tag and not event.implicit[0]):
        return text
    if tag not in {"", "null", "bool", "int", "float"}:
        raise YamlError(line, f"the tag {event.tag} has no meaning in a manifest")
    value = _plain(text, line)
    fits = {"null": value is None, "bool": isinstance(value, bool), "int": type(value) is int}
    if tag in fits and not fits[tag]:
        raise YamlError(line, f"{text[:60]!r} is no {tag}")
    return float(value) if tag == "float" and type(value) is int else value


def _plain(text: str, line: int) -> Any:
    if len(text) > 64:  # longer than any number; also keeps the patterns from long texts
        return text
    if _NULL.match(text):
        return None
    match = _BOOL.match(text)
    if match:
        return match.group(1) is not None
    number = _number(text)
    if isinstance(number, int) and not -(2**63) <= number < 2**64:
        raise YamlError(line, f"the number {text} needs more than 64 bits; quote it")
    return text if number is None else number


def _number(text: str) -> int | float | None:
    digits = text.replace("_", "")
    if _INT.match(text):
        return int(digits)
    if _HEX.match(text):
        return int(digits, 16)
    if _OCT.match(text):
        return int(digits.replace("o", ""), 8)
    if _FLOAT.match(text):
        number = float(text)
        return number if abs(number) != float("inf") else None
    return None


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """One document: its value, its first line, and the line of every mapping and list in it."""

    value: Any
    line: int
    lines: dict[int, int]

    def line_of(self, value: object) -> int:
        """Return the line a mapping or list of this document starts on."""
        return self.lines.get(id(value), self.line)


def read_yaml(data: bytes) -> Iterator[YamlDocument]:
    """Return the documents of a YAML file, in order; empty ones have the value None.

    Raises:
        YamlError: the file is no YAML, or more than a manifest may be.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    lines: dict[int, int] = {}
    document, first = _Document(lines), 0
    try:
        for event in yaml.parse(data, Loader=loader):
            if isinstance(event, yaml.DocumentStartEvent):
                lines = {}
                document, first = _Document(lines), 0
            elif isinstance(event, yaml.DocumentEndEvent):
                yield YamlDocument(document.value, first or 1, lines)
            else:
                first = first or _line(event)
                document.feed(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        last = max(1, len(data.splitlines()))  # libyaml's end of file is a line further
        reason = " ".join(str(part) for part in (error.problem, error.context) if part)
        raise YamlError(min(mark.line + 1, last) if mark else 1, reason) from error
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        raise YamlError(1, f"it is no YAML text: {_first_line(error)}") from error
    except RecursionError as error:  # the Python loader, where libyaml is missing
        raise YamlError(1, f"it nests deeper than {MAX_DEPTH} levels") from error


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or ["unreadable"])[0][:200]
