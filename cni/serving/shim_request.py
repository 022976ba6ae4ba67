"""The head of the shim's request, as the shim writes it: one line for each CNI variable.

`cni/shim/netplane.c` writes POST with the variables, a Content-Length and `Connection: close`, and
nothing else. Invariant: a head is read here only where it has exactly this form, so that any HTTP
server reads the same from it; every other head is left to one (`cni.serving.shim_port`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from cni.serving.protocol import BODY_LIMIT, HEAD_LIMIT, HEADERS, PATH

_START: Final = f"POST {PATH} HTTP/1.1\r\n".encode()
_END: Final = b"\r\n\r\n"
# RFC 9112, section 5: no control byte is part of a value, but a tab.
_HEAD: Final = re.compile(
    re.escape(_START) + rb"((?:[A-Za-z-]+: [\t\x20-\x7e\x80-\xff]*\r\n)+)\r\n"
)
_VARIABLES: Final[Mapping[bytes, str]] = MappingProxyType(
    {header.encode(): variable for variable, header in HEADERS.items()}
)
_MOST_DIGITS: Final = len(str(BODY_LIMIT))


class ForeignHead(Exception):
    """What was received does not begin with a head as the shim writes it."""


@dataclass(frozen=True, slots=True)
class ShimHead:
    """The head of a request.

    Attributes:
        variables: the CNI variables that it carries.
        body_at: where the body begins, in bytes.
        end: where the body ends.
    """

    variables: Mapping[str, str]
    body_at: int
    end: int


def read_head(received: bytes) -> ShimHead | None:
    """Read the head of a request; None where it is not complete yet.

    Args:
        received: all bytes of the connection so far.

    Raises:
        ForeignHead: it is not as the shim writes it, or longer than the shim's may be.
    """
    found = _HEAD.match(received, 0, HEAD_LIMIT)
    if found is None:
        if len(received) >= HEAD_LIMIT or _END in received or not _may_begin(received):
            raise ForeignHead
        return None
    fields: dict[bytes, bytes] = {}
    lines = found[1].split(b"\r\n")[:-1]
    for line in lines:
        name, _, value = line.partition(b":")
        fields[name] = value.strip(b" \t")
    if len(fields) != len(lines) or fields.pop(b"Connection", b"") != b"close":
        raise ForeignHead
    fields.pop(b"Host", None)
    size = _size(fields.pop(b"Content-Length", b""))
    if not fields.keys() <= _VARIABLES.keys():
        raise ForeignHead
    variables = {
        _VARIABLES[name]: value.decode("utf-8", "surrogateescape") for name, value in fields.items()
    }
    return ShimHead(variables, found.end(), found.end() + size)


def _may_begin(received: bytes) -> bool:
    return received[: len(_START)] == _START[: len(received)]


def _size(digits: bytes) -> int:
    if not digits.isdigit() or len(digits) > _MOST_DIGITS or int(digits) > BODY_LIMIT:
        raise ForeignHead
    return int(digits)
