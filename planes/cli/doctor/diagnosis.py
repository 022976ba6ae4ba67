"""What a check says: something is wrong, or it could not be looked at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from planes.model.errors import JsonObject, PlanesError
from planes.model.lines import one_line

LONGEST: Final = 400
"""Characters of a text: parts of it may be of others."""


class Severity(StrEnum):
    """How bad it is: pods fail (error), may fail (warning), or something is worth knowing."""

    ERROR = "error"
    WARNING = "warning"
    HINT = "hint"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One thing that is wrong.

    Attributes:
        what: is wrong, one line.
        why: it matters, one line.
        mend: the command that mends it, or what to do.
    """

    severity: Severity
    what: str
    why: str
    mend: str

    def as_json(self, check: str) -> JsonObject:
        """Return it as it is printed; each text is one printable line."""
        texts = {"what": self.what, "why": self.why, "mend": self.mend}
        return {
            "check": check,
            "severity": self.severity.value,
            **{key: one_line(text, LONGEST) for key, text in texts.items()},
        }


class CannotCheck(PlanesError):
    """A check, or a part of it, could not be made; the message is the reason."""


def error(what: str, why: str, mend: str) -> Diagnosis:
    """Return what keeps pods from a network."""
    return Diagnosis(Severity.ERROR, what, why, mend)


def warning(what: str, why: str, mend: str) -> Diagnosis:
    """Return what may keep pods from a network."""
    return Diagnosis(Severity.WARNING, what, why, mend)


def hint(what: str, why: str, mend: str) -> Diagnosis:
    """Return what is worth knowing."""
    return Diagnosis(Severity.HINT, what, why, mend)
