"""Collect findings of a decision; `enforcement` of a plane decides about errors by its rules."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from planes.model.bounds import MAX_HINTS
from planes.model.errors import Finding, about, field_path
from planes.model.spec.plane_spec import Enforcement, Plane


@dataclass(slots=True)
class Findings:
    """Errors refuse the pod, warnings are shown, audits are only recorded.

    Attributes:
        required: names of planes that the namespace requires: their rules are always enforced.
        hints: how many more errors may get suggestions.
    """

    required: frozenset[str] = frozenset()
    errors: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)
    audits: list[Finding] = field(default_factory=list)
    hints: int = MAX_HINTS

    def may_hint(self) -> bool:
        """Report whether an error may get suggestions; each call counts."""
        self.hints -= 1
        return self.hints >= 0

    def refuse(self, path: str, message: str, remedy: str = "", status: int = 422) -> None:
        """Add an error, whatever the enforcement of planes."""
        self.errors.append(Finding(path, message, remedy, status))

    def enforce(self, plane: Plane | None, findings: Iterable[Finding]) -> None:
        """Add breaches of a plane's rules as its enforcement says; without plane as errors."""
        if plane is not None:
            findings = about(plane.name, findings)
        if plane is None or self.is_strict(plane):
            self.errors.extend(findings)
        elif plane.enforcement is Enforcement.WARN:
            self.warnings.extend(findings)
        else:
            self.audits.extend(findings)

    def take_back(self, paths: Iterable[str]) -> None:
        """Remove the warnings about some paths: an error replaces them."""
        known = frozenset(map(field_path, paths))
        self.warnings = [warning for warning in self.warnings if warning.path not in known]

    def is_strict(self, plane: Plane) -> bool:
        """Report whether breaches of a plane's rules refuse the pod."""
        return plane.is_strict or plane.name in self.required

    def warn(self, path: str, message: str, remedy: str = "") -> None:
        """Add a warning."""
        self.warnings.append(Finding(path, message, remedy))
