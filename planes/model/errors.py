"""Errors of Netplane, with the CNI error code and admission status of each.

Every error is a `PlanesError`; its class says whose fault it is. It has the CNI error code (spec
1.1.0, "Error") and the admission status, so that no call site needs a lookup. A text begins with
"cannot" and names the object and the cause; the remedy says what to do. Texts are shown by `kubectl
describe pod`: they never have bytes of configurations or secrets.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any, ClassVar, Final, Self

from planes.model.lines import shortened, without_controls

JsonObject = dict[str, Any]

_LONGEST_PATH: Final = 1024


class CniCode(IntEnum):
    """CNI error codes: 1-99 of the spec, 100 and up of Netplane, 999 as libcni for other errors."""

    INCOMPATIBLE_VERSION = 1
    UNSUPPORTED_FIELD = 2
    UNKNOWN_CONTAINER = 3
    BAD_ENVIRONMENT = 4
    IO = 5
    DECODE = 6
    BAD_CONFIG = 7
    BAD_NETNS = 8
    TRY_AGAIN = 11
    NOT_AVAILABLE = 50
    DEGRADED = 51
    DENIED = 110
    CONFLICT = 111
    EXHAUSTED = 112
    INTERNAL = 999


class PlanesError(Exception):
    """The base of our errors; raise one of its subclasses.

    Args:
        message: "cannot …", with the object and the cause.
        remedy: what the reader can do; the CNI error's `details`.
        code: the CNI code, where it is not that of the class.
    """

    cni_code: int = CniCode.INTERNAL
    status: ClassVar[int] = 500

    def __init__(self, message: str, *, remedy: str = "", code: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        if code is not None:
            self.cni_code = code

    def __str__(self) -> str:
        return f"{self.message}; {self.remedy}" if self.remedy else self.message

    def within(self, what: str) -> Self:
        """Return a copy with this error as the cause why `what` cannot be done."""
        return self._with_message(f"cannot {what}: {self.message}")

    def also(self, text: str) -> Self:
        """Return a copy with a text added at the end of its message."""
        return self._with_message(f"{self.message}{text}")

    def _with_message(self, message: str) -> Self:
        # A copy: one error may be raised in several tasks.
        copy = type(self).__new__(type(self))
        copy.__dict__.update(self.__dict__)
        copy.message, copy.args = message, (message,)
        return copy

    def to_cni(self, cni_version: str = "") -> JsonObject:
        """Return the CNI error object (spec 1.1.0, "Error"), without empty members."""
        error: JsonObject = {"code": int(self.cni_code), "msg": self.message}
        if cni_version:
            error = {"cniVersion": cni_version, **error}
        if self.remedy:
            error["details"] = self.remedy
        return error


class BadInput(PlanesError):
    """The input is wrong: the caller must change it before a retry."""

    cni_code = CniCode.BAD_CONFIG
    status = 422


class NotFound(PlanesError):
    """An object that the caller names does not exist."""

    cni_code = CniCode.BAD_CONFIG
    status = 422


class Denied(PlanesError):
    """The request is valid, but policy forbids it."""

    cni_code = CniCode.DENIED
    status = 403


class Conflict(PlanesError):
    """Another owner has what the caller asks for."""

    cni_code = CniCode.CONFLICT
    status = 409


class Exhausted(PlanesError):
    """No address is left."""

    cni_code = CniCode.EXHAUSTED
    status = 409


class Unavailable(PlanesError):
    """A retry may succeed without any change by the caller."""

    cni_code = CniCode.TRY_AGAIN
    status = 503


class Internal(PlanesError):
    """A fault of Netplane, the kernel or a plugin; the caller's input was valid."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One error or warning about one field.

    Attributes:
        path: of the field, e.g. `metadata.annotations[k8s.v1.cni.cncf.io/networks][1].ips[0]`;
            keys in it are foreign, so it is made harmless, see `field_path`.
        message: "cannot …" for an error, a plain statement for a warning.
        remedy: what to do.
        status: admission status of an error: 403 policy, 409 conflict, 422 malformed.
        plane: the plane whose rules it is about, "" for none; not part of the text.
    """

    path: str
    message: str
    remedy: str = ""
    status: int = 422
    plane: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", field_path(self.path))

    def __str__(self) -> str:
        text = f"{self.path}: {self.message}" if self.path else self.message
        return f"{text}; {self.remedy}" if self.remedy else text


def field_path(path: str) -> str:
    """Return the path of a finding: bounded, without what a terminal carries out."""
    return without_controls(shortened(path, _LONGEST_PATH))


def about(plane: str, findings: Iterable[Finding]) -> list[Finding]:
    """Return findings with the plane whose rules they are about."""
    return [replace(finding, plane=plane) for finding in findings]


def paired(findings: Sequence[Finding]) -> tuple[str, str]:
    """Return all messages and all remedies as two texts; a remedy has the number of its finding.

    A single finding has no number. The same remedy of several findings comes once.
    """
    if len(findings) == 1:
        (only,) = findings
        return (f"{only.path}: {only.message}" if only.path else only.message), only.remedy
    told = []
    places: dict[str, list[int]] = {}
    for number, finding in enumerate(findings, 1):
        where = f"{finding.path}: " if finding.path else ""
        told.append(f"({number}) {where}{finding.message}")
        if finding.remedy:
            places.setdefault(finding.remedy, []).append(number)
    remedies = [
        f"{' '.join(f'({number})' for number in numbers)} {remedy}"
        for remedy, numbers in places.items()
    ]
    return " ".join(told), " ".join(remedies)
