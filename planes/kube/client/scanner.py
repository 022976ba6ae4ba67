"""Scan one JSON text of any length in pieces, and keep some of its strings.

The text comes from the API server and is valid JSON. In any other text nothing sensible is found,
but no more memory is used and nothing is raised.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from typing import Final

import orjson

Path = tuple[str, ...]
"""Keys from the outermost object on; "" stands for any element of a list."""

MAX_KEY_BYTES: Final = 512

# No possessive quantifiers: Python 3.11.2, which Debian 12 has, matches some of them wrongly
# (CPython gh-106052). These fail in linear time without them.
_INSIDE: Final = rb'[^"\\]*(?:\\.[^"\\]*)*'
_TEXT: Final = b'"%b"' % _INSIDE
_STRING: Final = re.compile(_INSIDE, re.DOTALL)
_UP_TO_SIGN: Final = re.compile(rb'[^"{}\[\],:]*')
_UP_TO_BRACKET: Final = re.compile(rb'(?:[^"{}\[\]]+|%b)*' % _TEXT, re.DOTALL)
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"{}[]"))
_QUOTE, _ESCAPE, _OBJECT, _COMMA = b'"\\{,'
_OPENING, _CLOSING = frozenset(b"{["), frozenset(b"}]")


class Stop(Enum):
    """Why `Scanner.scan` stopped before the end of a piece."""

    BEGIN = "an element begins"
    END = "an element has ended"


class Scanner:
    """Scans a text; strings outside of the kept members are skipped by regular expressions.

    Attributes:
        found: the strings that were found, by path.

    Args:
        kept: paths of the strings to keep, and how many bytes each may have.
        elements: the path of a list; the scan stops where an element of it begins or ends.
    """

    def __init__(self, kept: Mapping[Path, int], elements: Path | None = None) -> None:
        self.found: dict[Path, str] = {}
        self._kept = kept
        self._elements = elements
        self._inner = {path[:length] for path in kept for length in range(len(path))}
        self._open: list[tuple[Path, bool]] = []  # containers on the way to something kept
        self._patterns: dict[Path, re.Pattern[bytes]] = {}
        self._dull = 0  # containers below the last of them
        self._key = ""
        self._is_key = False
        self._is_in_string = False
        self._is_escaped = False
        self._caught: bytearray | None = None
        self._most = 0
        self._target: Path | None = None

    @property
    def is_between(self) -> bool:
        """Whether all containers and strings are closed: at the end, the text is complete."""
        return not (self._open or self._dull or self._is_in_string)

    def scan(self, data: bytes, at: int = 0) -> tuple[int, Stop | None]:
        """Go on from a place in a piece to its end, or to a begin or end of an element.

        Returns:
            The place after what was scanned; the bracket that began or ended an element is the
            last byte before it.
        """
        size = len(data)
        if at == 0 and self._dull and self._is_skipped(data):
            return size, None
        while at < size:
            if self._is_in_string:
                at = self._string(data, at)
                continue
            at = self._up_to_sign(data, at)
            if at == size:
                break
            sign = data[at]
            at += 1
            if sign == _QUOTE:
                self._begin_string()
            elif sign in _OPENING:
                if self._enter(is_object=sign == _OBJECT):
                    return at, Stop.BEGIN
            elif sign in _CLOSING:
                if self._leave():
                    return at, Stop.END
            else:  # in no dull container
                self._is_key = sign == _COMMA and bool(self._open) and self._open[-1][1]
        return size, None

    def _up_to_sign(self, data: bytes, at: int) -> int:
        """Return the place of the next byte that changes the state of the scan."""
        if self._dull:
            pattern = _UP_TO_BRACKET
        else:
            if self._is_key:
                at = self._past_members(data, at)
            pattern = _UP_TO_SIGN
        found = pattern.match(data, at)
        return at if found is None else found.end()

    def _is_skipped(self, data: bytes) -> bool:
        """Skip a piece in which the present dull container does not end; report whether it did.

        The brackets are counted without a loop over them.
        """
        bare = data
        if self._is_in_string:
            bare = (b'"\\' if self._is_escaped else b'"') + data
        bare = bare.replace(rb"\\", b"").replace(rb"\"", b"")
        parts = bare.split(b'"')
        brackets = b"".join(parts[::2]).translate(None, _NO_BRACKETS)
        before = -1
        while before != len(brackets):
            before = len(brackets)
            brackets = brackets.replace(b"{}", b"").replace(b"[]", b"")
        opening = brackets.count(b"{") + brackets.count(b"[")
        closing = len(brackets) - opening
        if closing >= self._dull:
            return False
        self._dull += opening - closing
        self._is_in_string = len(parts) % 2 == 0
        self._is_escaped = self._is_in_string and parts[-1].endswith(b"\\")
        self._caught = None
        return True

    def _past_members(self, data: bytes, at: int) -> int:
        """Return the place after all members with string values whose keys lead to nothing kept."""
        pattern = self._members(self._open[-1][0])
        found = pattern.match(data, at)
        return at if found is None else found.end()

    def _members(self, path: Path) -> re.Pattern[bytes]:
        pattern = self._patterns.get(path)
        if pattern is None:
            depth = len(path)
            keys = {
                each[depth] for each in self._kept if len(each) > depth and each[:depth] == path
            }
            kept = b"|".join(re.escape(key.encode()) for key in sorted(keys))
            member = rb'(?!"(?:' + kept + rb')")' + _TEXT + rb"\s*:\s*" + _TEXT + rb"\s*,?\s*"
            pattern = self._patterns[path] = re.compile(rb"(?:" + member + rb")*", re.DOTALL)
        return pattern

    def _path(self) -> Path:
        return (*self._open[-1][0], self._key) if self._open else ()

    def _enter(self, *, is_object: bool) -> bool:
        """Enter a container; report whether it is an element."""
        path = self._path()
        is_element = not self._dull and bool(self._open) and path[:-1] == self._elements
        if self._dull or path not in self._inner:
            self._dull += 1
        else:
            self._open.append((path, is_object))
            self._key, self._is_key = "", is_object
        return is_element

    def _leave(self) -> bool:
        """Leave a container; report whether it was an element."""
        if self._dull:
            self._dull -= 1
            is_inside = bool(self._dull)
        else:
            if self._open:
                self._open.pop()
            is_inside = False
        if is_inside:
            return False
        self._key, self._is_key = "", False
        if not self._open:
            return False
        return self._open[-1][0] == self._elements

    def _begin_string(self) -> None:
        self._is_in_string, self._is_escaped, self._caught = True, False, None
        if self._dull:
            return
        if self._is_key:
            self._caught, self._most, self._target = bytearray(), MAX_KEY_BYTES, None
            self._key = ""
            return
        path = self._path()
        most = self._kept.get(path)
        if most is not None:
            self._caught, self._most, self._target = bytearray(), most, path

    def _string(self, data: bytes, at: int) -> int:
        if self._is_escaped:
            self._is_escaped = False
            self._catch(data[at : at + 1])
            at += 1
        found = _STRING.match(data, at)
        end = at if found is None else found.end()
        if self._caught is not None:
            self._catch(data[at:end])
        if end == len(data):
            return end
        if data[end] == _ESCAPE:  # the last byte: what it escapes comes with the next piece
            self._is_escaped = True
            self._catch(b"\\")
        else:
            self._is_in_string = False
            self._end_string()
        return end + 1

    def _catch(self, part: bytes) -> None:
        if self._caught is None:
            return
        self._caught += part
        if len(self._caught) > self._most:
            self._caught = None

    def _end_string(self) -> None:
        raw, self._caught = self._caught, None
        if raw is None:
            return
        try:
            text = str(orjson.loads(b'"%b"' % bytes(raw)))
        except orjson.JSONDecodeError:
            return
        if self._target is None:
            self._key = text
        else:
            self.found[self._target] = text
