"""Redact secrets in texts, lines and JSON values that others wrote.

It knows forms, not values: assignments to names of secrets, options and the argument after them,
logins in URLs, PEM blocks, tokens. Where a value has no clear end, all that follows is redacted.
Invariant: the time it takes grows with the length of the text, whatever is in it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from typing import Any, Final, NamedTuple

REDACTED: Final = "[redacted]"
LONGEST_TEXT: Final = 64 << 10
"""Characters of one text; what is longer is cut."""
_DEEPEST: Final = 32
_NAMING: Final = frozenset({"name", "key"})
_NAMED_BY_IT: Final = frozenset({"value", "values", "valuefrom"})
_LONGEST_OPTION: Final = 64

_NAMES: Final = (
    r"passw(?:or)?d|passphrase|passwd|pwd|secret|token|api[-_. ]?key|access[-_. ]?key"
    r"|(?:private|client|signing|encryption)[-_. ]?key|key[-_. ]?data|tls\.key|credential"
    r"|authorization|cookie|bearer|psk|docker[-_. ]?config|signature|session[-_. ]?(?:id|key)"
    r"|(?<![a-z])(?:pass|pw|auths?|sig)(?![a-z])"
)
_NAMED: Final = re.compile(rf"(?:{_NAMES})[\w.-]*", re.IGNORECASE)
_GAP: Final = r"(?:\s|\\+[nrt])"
"""White space, also as it is written within JSON text."""
_KEY_END: Final = re.compile(rf"(?:\\*[\"'])?\]?{_GAP}*(?::=|=>|[:=]){_GAP}*")
_VALUE_MEMBER: Final = re.compile(
    rf"(?:\\*[\"']{_GAP}*,{_GAP}*\\*[\"']value\\*[\"']|\\*[\"']?{_GAP}+value){_GAP}*:{_GAP}*",
    re.IGNORECASE,
)
"""`{"name": "PASSWORD", "value": "…"}`, and the same as YAML."""
_NEXT_ARGUMENT: Final = re.compile(rf"(?:\\*[\"'])?(?:{_GAP}|,)+(?:-{_GAP}+)?(?=\S)")
_OPTION_ENDS: Final = re.compile(r"(?:\\*[\"'])?,?\s*")
_QUOTE: Final = re.compile(r"(\\*)([\"'])")
_ENCLOSING_END: Final = re.compile(r"(?<!\\)\\*[\"'](?=\s{0,8}(?:[,}\])]|$))", re.MULTILINE)
_AFTER_QUOTED: Final = " \t\n,;&:}])"
_SPACE: Final = re.compile(r"\s")
_BLOCK: Final = re.compile(r"[|>][-+0-9]{0,3}[ \t]*$", re.MULTILINE)
_SCHEME: Final = re.compile(
    r"bearer\s+[^\s\"'\\]{6,}|(?:basic|digest|negotiate)\s+[\w.~+/=-]{12,}", re.IGNORECASE
)
_HOST_ONLY: Final = r"[^\s/\"':@]*(?::\d{0,5})?(?:[/\s\"']|$)"
_LOGIN: Final = re.compile(rf"://(?:(?!{_HOST_ONLY})[^\s\"']{{1,512}}|[^\s/\"']+)@")
"""A password may have slashes that nobody quoted: then what is before them is no host and port."""
_JWT: Final = re.compile(r"(?<![\w-])eyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*)?")
_LONG: Final = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{64,}={0,2}")
_KNOWN: Final = re.compile(
    r"(?<!\w)(?:AKIA[0-9A-Z]{16}|gh[pousr]_\w{20,}|xox[abeprs]-[\w-]{10,}|AIza[\w-]{30,}"
    r"|[a-z0-9]{6}\.[a-z0-9]{16}(?![\w.]))"
)
_PEM_BEGIN: Final = re.compile(r"-----BEGIN [A-Z0-9 ]{1,40}-----")
_PEM_END: Final = re.compile(r"-----END [A-Z0-9 ]{1,40}-----")
_STAMP: Final = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]{8,20}(?:Z|[+-]\d\d:\d\d) ")
_PEM_BODY: Final = re.compile(r"[A-Za-z0-9+/]{40,}={0,2}\s*")
_PEM_REST: Final = re.compile(r"[A-Za-z0-9+/]+={0,2}\s*")


class Follows(Enum):
    """What of the next line is redacted, too."""

    NOTHING = "nothing"
    ALL = "all of it: the argument of an option"
    INDENTED = "it and those after it, while they are indented"
    PEM = "up to the end of the PEM block"


class _Scanned(NamedTuple):
    text: str
    follows: Follows


def redact_text(text: str) -> str:
    """Return a text without secrets, printable but for its line breaks and tabs, shortened."""
    return _scan(_plain(text)).text


def redact_value(value: Any, depth: int = 0) -> Any:
    """Return a JSON value without secrets in its texts, members and arguments."""
    if isinstance(value, str):
        return redact_text(value)
    if depth > _DEEPEST:
        return "[nested too deep]"
    if isinstance(value, Mapping):
        return _redacted_members(value, depth)
    if isinstance(value, list | tuple):
        found: list[Any] = []
        is_argument = False
        for each in value:
            found.append(REDACTED if is_argument else redact_value(each, depth + 1))
            is_argument = isinstance(each, str) and _is_open_option(each)
        return found
    return value


def is_secret_name(name: str) -> bool:
    """Report whether a name is one of a secret."""
    return _NAMED.search(name) is not None


def _redacted_members(value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    has_secret_value = any(
        isinstance(each, str) and is_secret_name(each)
        for key, each in value.items()
        if str(key).lower() in _NAMING
    )
    for key, each in value.items():
        is_secret = is_secret_name(str(key))
        is_secret |= has_secret_value and str(key).lower() in _NAMED_BY_IT
        hides = is_secret and each is not None and not isinstance(each, bool)
        found[redact_text(str(key))] = REDACTED if hides else redact_value(each, depth + 1)
    return found


class LineRedactor:
    """Redacts a log line by line; what a line begins may go on in the next ones."""

    _MOST_LINES: Final = 400  # that one line may hide

    def __init__(self) -> None:
        self._follows = Follows.NOTHING
        self._left = 0
        self._was_body = False

    def line(self, text: str) -> str:
        """Return a line, without its line break, redacted."""
        text = _plain(text)
        stamp = _STAMP.match(text)
        head, rest = (stamp[0], text[stamp.end() :]) if stamp else ("", text)
        hides = self._left > 0 and self._hides(rest)
        self._left -= 1
        is_last = self._was_body and _PEM_REST.fullmatch(rest) is not None
        self._was_body = _PEM_BODY.fullmatch(rest) is not None
        if hides or self._was_body or is_last:
            return head + REDACTED
        found = _scan(rest)
        if found.follows is not Follows.NOTHING:
            self._follows = found.follows
            self._left = 1 if found.follows is Follows.ALL else self._MOST_LINES
        return head + found.text

    def _hides(self, rest: str) -> bool:
        if self._follows is Follows.PEM and _PEM_END.search(rest):
            self._left = 0
        elif self._follows is Follows.INDENTED and rest[:1] not in {" ", "\t", ""}:
            self._left = 0
            return False
        return True


def _plain(text: str) -> str:
    cut = text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}… [cut]"
    if cut.isprintable():
        return cut
    return "".join(c if c.isprintable() or c in "\n\t" else "?" for c in cut)


def _scan(text: str) -> _Scanned:
    text, is_open = _without_pem(text)
    for pattern in (_LOGIN, _SCHEME, _JWT, _KNOWN):
        text = pattern.sub(f"://{REDACTED}@" if pattern is _LOGIN else REDACTED, text)
    text = _LONG.sub(_without_long, text)
    text, follows = _without_named(text)
    return _Scanned(text, Follows.PEM if is_open else follows)


def _without_pem(text: str) -> tuple[str, bool]:
    """Return a text without PEM blocks, and whether the last one goes on after it."""
    parts, at = [], 0
    while begin := _PEM_BEGIN.search(text, at):
        parts += [text[at : begin.start()], REDACTED]
        end = _PEM_END.search(text, begin.end())
        if end is None:
            return "".join(parts), True
        at = end.end()
    return "".join([*parts, text[at:]]), False


def _without_long(found: re.Match[str]) -> str:
    run = found[0]
    has_all = all(map(re.search, ("[a-z]", "[A-Z]", "[0-9]"), (run, run, run)))
    return REDACTED if has_all else run


def _without_named(text: str) -> tuple[str, Follows]:
    """Return a text without the values of names of secrets, and what goes on after it."""
    parts, at = [], 0
    follows = Follows.NOTHING
    while name := _NAMED.search(text, at):
        start = _value_start(text, name)
        if start is None:
            parts.append(text[at : name.end()])
            at = name.end()
            continue
        end = _value_end(text, start, is_colon=":" in text[name.end() : start])
        parts.append(text[at:start])
        if start < len(text):
            parts.append(_in_quotes(text[start : end if end >= 0 else len(text)]))
        if start == len(text) and _is_option(text, name):
            follows = Follows.ALL
        elif end < 0 or (start == len(text) and text.rstrip()[-1:] == ":"):
            follows = Follows.INDENTED
        at = len(text) if end < 0 else max(end, start)
    return "".join([*parts, text[at:]]), follows


def _value_start(text: str, name: re.Match[str]) -> int | None:
    """Return where the value of a name begins, None where there is none."""
    for pattern in (_KEY_END, _VALUE_MEMBER):
        if found := pattern.match(text, name.end()):
            return found.end()
    if not _is_option(text, name):
        return None
    if found := _NEXT_ARGUMENT.match(text, name.end()):
        return found.end()
    return len(text) if _OPTION_ENDS.fullmatch(text, name.end()) else None


def _value_end(text: str, start: int, *, is_colon: bool) -> int:
    """Return where a value ends, -1 where it is a block that goes to the end of the text."""
    if text[start : start + 1] in {"[", "{"}:
        return _line_end(text, start)
    if _QUOTE.match(text, start):
        at = start
        while at < len(text) and text[at] not in _AFTER_QUOTED:  # a shell joins 'a'"b"
            at = _quoted_end(text, at)
        return at
    if _BLOCK.match(text, start):
        return -1
    if is_colon:
        end = _line_end(text, start)
    else:
        space = _SPACE.search(text, start)
        end = space.start() if space else len(text)
    enclosing = _ENCLOSING_END.search(text, start, end)
    return enclosing.start() if enclosing else end


def _in_quotes(value: str) -> str:
    """Return what stands for a value: in its quotes, so that JSON stays JSON."""
    quote = _QUOTE.match(value)
    if quote is None or not value.endswith(quote[0]) or len(value) < 2 * len(quote[0]):
        return REDACTED
    return f"{quote[0]}{REDACTED}{quote[0]}"


def _quoted_end(text: str, start: int) -> int:
    """Return the end of a quoted text, or of one without quotes that follows such a text.

    A quote ends where one stands with as many backslashes before it as the first has, or that many
    more by pairs of its own level: JSON within JSON text.
    """
    quote = _QUOTE.match(text, start)
    if quote is None:
        space = _SPACE.search(text, start)
        return space.start() if space else len(text)
    slashes, mark = len(quote[1]), quote[2]
    at = quote.end()
    while (found := text.find(mark, at)) >= 0:
        before = found - len(text[at:found].rstrip("\\")) - at
        if before % (2 * (slashes + 1)) == slashes:
            return found + 1
        at = found + 1
    return len(text)


def _line_end(text: str, start: int) -> int:
    found = text.find("\n", start)
    return len(text) if found < 0 else found


def _is_option(text: str, name: re.Match[str]) -> bool:
    """Report whether a name is part of an option such as `--db-password`."""
    at = name.start()
    least = max(0, at - _LONGEST_OPTION)
    while at > least and (text[at - 1].isalnum() or text[at - 1] in "-_."):
        at -= 1
    return text[at] == "-"


def _is_open_option(text: str) -> bool:
    """Report whether an argument is an option for a secret whose value is the next argument."""
    name = _NAMED.search(text)
    return text.startswith("-") and name is not None and "=" not in text and " " not in text
