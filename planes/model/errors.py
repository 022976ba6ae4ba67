"""What can go wrong, and whose fault it is.

Every error of ours is a `PlanesError`. Its class says whose fault it is; the instance carries the
CNI error code (spec 1.1.0, "Error") and the admission status the edge answers with, so no call
site needs a lookup. Texts start with "cannot", name the object and the cause; the remedy says
what to do. They end up in `kubectl describe pod`: never config bytes or secrets.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, ClassVar

JsonObject = dict[str, Any]


class CniCode(IntEnum):
    """CNI error codes: 1-99 from the spec, 100 and up ours, 999 what libcni uses for "other"."""

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
        message: "cannot …": the object and the cause.
        remedy: what the reader can do about it; becomes the CNI error's `details`.
        code: the CNI code, where the class's own is not exact enough.
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

    def to_cni(self, cni_version: str = "") -> JsonObject:
        """Give the CNI error object (spec 1.1.0, "Error"), without empty members."""
        error: JsonObject = {"code": int(self.cni_code), "msg": self.message}
        if cni_version:
            error = {"cniVersion": cni_version, **error}
        if self.remedy:
            error["details"] = self.remedy
        return error


class BadInput(PlanesError):
    """What we were given is wrong: the caller must change it before trying again."""

    cni_code = CniCode.BAD_CONFIG
    status = 422


class NotFound(PlanesError):
    """Something the caller names does not exist where they look for it."""

    cni_code = CniCode.BAD_CONFIG
    status = 422


class Denied(PlanesError):
    """The request is well formed but policy forbids it."""

    cni_code = CniCode.DENIED
    status = 403


class Conflict(PlanesError):
    """Somebody else holds what the caller asks for."""

    cni_code = CniCode.CONFLICT
    status = 409


class Exhausted(PlanesError):
    """Nothing is left to hand out."""

    cni_code = CniCode.EXHAUSTED
    status = 409


class Unavailable(PlanesError):
    """It may work later without any change by the caller."""

    cni_code = CniCode.TRY_AGAIN
    status = 503


class Internal(PlanesError):
    """Our fault, the kernel's or a plugin's; the caller's input was fine."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One error or warning about one field.

    Attributes:
        path: where, e.g. `metadata.annotations[k8s.v1.cni.cncf.io/networks][1].ips[0]`.
        message: "cannot …" for an error, a plain statement for a warning.
        remedy: what to do.
        status: admission status of an error: 403 policy, 409 conflict, 422 malformed.
    """

    path: str
    message: str
    remedy: str = ""
    status: int = 422

    def __str__(self) -> str:
        text = f"{self.path}: {self.message}" if self.path else self.message
        return f"{text}; {self.remedy}" if self.remedy else text
