"""The findings about one object, as `netplane explain` prints them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from planes.cli.console import Console
from planes.model.decide.decision import Attachment, Decision
from planes.model.errors import Finding, JsonObject
from planes.store.protocol import Problem

PROBLEM: Final = "Problem"
"""The kind of an entry for an object that cannot be used; its name is the file and line."""


@dataclass(frozen=True, slots=True)
class ExplainedItem:
    """The findings about one pod, workload, NAD, namespace, address or file.

    Attributes:
        details: JSON members that only this kind has, e.g. a pod's attachments.
    """

    kind: str
    namespace: str
    name: str
    errors: Sequence[Finding] = ()
    warnings: Sequence[Finding] = ()
    details: JsonObject = field(default_factory=dict)

    def as_json(self) -> JsonObject:
        """Return it as one element of the list that is printed."""
        return {
            "kind": self.kind,
            "namespace": self.namespace,
            "name": self.name,
            "allowed": not self.errors,
            **self.details,
            "errors": listed(self.errors),
            "warnings": listed(self.warnings),
        }

    def print_findings(self, console: Console, *, is_decided: bool = True) -> None:
        """Print every finding on stderr.

        Args:
            console: where they are printed.
            is_decided: errors decide the exit status; False prints all as warnings.
        """
        place = f"{self.namespace}/{self.name}" if self.namespace else self.name
        title = self.name if self.kind == PROBLEM else f"{self.kind} {place}"
        for finding in self.errors:
            if is_decided:
                console.note(f"error: {title}: {finding}", "red")
            else:
                console.warn(f"{title}: {finding}")
        for finding in self.warnings:
            console.warn(f"{title}: {finding}")


def of_problem(problem: Problem) -> ExplainedItem:
    """Return the entry of an object that is ignored."""
    finding = Finding("", problem.reason, "mend it: until then it is ignored")
    return ExplainedItem(PROBLEM, "", problem.where, (finding,))


def listed(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Return findings as JSON."""
    return [{"path": one.path, "message": one.message, "remedy": one.remedy} for one in findings]


def decision_json(decision: Decision) -> JsonObject:
    """Return the members of a pod's entry that its decision has."""
    return {
        "attachments": [_attachment_json(each) for each in decision.attachments],
        "annotations": dict(decision.annotations),
        "audits": listed(decision.audits),
    }


def _attachment_json(attachment: Attachment) -> JsonObject:
    return {
        "interface": attachment.interface,
        "network": str(attachment.network),
        "plane": attachment.plane,
        "ips": list(attachment.ips),
        "candidates": [str(address) for address in attachment.candidates],
        "mac": attachment.mac,
        "injected": attachment.injected,
    }
