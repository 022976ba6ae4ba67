"""Label selectors as Kubernetes defines them (LabelSelector, meta/v1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from planes.model.errors import Finding

_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One `matchExpressions` entry; `matchLabels` entries become `In` with one value."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Report whether labels meet it; an absent key meets `NotIn` and `DoesNotExist`."""
        value = labels.get(self.key)
        if self.operator == "In":
            return value is not None and value in self.values
        if self.operator == "NotIn":
            return value is None or value not in self.values
        return (value is not None) == (self.operator == "Exists")

    def __str__(self) -> str:
        if self.operator == "In" and len(self.values) == 1:
            return f"{self.key}={self.values[0]}"
        if self.operator in {"In", "NotIn"}:
            return f"{self.key} {self.operator.lower()} ({', '.join(self.values)})"
        return self.key if self.operator == "Exists" else f"!{self.key}"


@dataclass(frozen=True, slots=True)
class Selector:
    """All requirements must hold; an empty selector matches everything."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Report whether labels meet every requirement."""
        for requirement in self.requirements:  # noqa: SIM110 - a third faster, for every review
            if not requirement.matches(labels):
                return False
        return True

    @property
    def key(self) -> str | None:
        """The key of a label that every match has, None where there is no such label."""
        keys = (each.key for each in self.requirements if each.operator in {"In", "Exists"})
        return next(keys, None)

    @property
    def is_empty(self) -> bool:
        """Whether it has no requirement."""
        return not self.requirements

    def __str__(self) -> str:
        return ", ".join(map(str, self.requirements)) or "everything"


_EXAMPLE = "write matchLabels: {name: value}"


def parse_selector(obj: Any, path: str, findings: list[Finding]) -> Selector:
    """Read a LabelSelector; faults are added to `findings`."""
    if not isinstance(obj, dict):
        findings.append(Finding(path, "cannot read the selector: it is not an object", _EXAMPLE))
        return Selector()
    findings.extend(
        Finding(f"{path}.{key}", "cannot use an unknown field of a selector", "remove it")
        for key in obj
        if key not in {"matchLabels", "matchExpressions"}
    )
    found: list[Requirement] = []
    # null is absent; any other value that is no mapping must not match everything
    labels = {} if obj.get("matchLabels") is None else obj["matchLabels"]
    if not isinstance(labels, dict) or not all(isinstance(v, str) for v in labels.values()):
        findings.append(
            Finding(
                f"{path}.matchLabels",
                "cannot read it: it is not a mapping of strings",
                f"{_EXAMPLE}, values in quotes",
            )
        )
    else:
        found += [Requirement(key, "In", (value,)) for key, value in sorted(labels.items())]
    expressions = [] if obj.get("matchExpressions") is None else obj["matchExpressions"]
    if not isinstance(expressions, list):
        remedy = "write a list of {key: …, operator: …, values: […]}"
        findings.append(
            Finding(f"{path}.matchExpressions", "cannot read it: it is not a list", remedy)
        )
        expressions = []
    for index, expression in enumerate(expressions):
        requirement = _requirement(expression, f"{path}.matchExpressions[{index}]", findings)
        if requirement is not None:
            found.append(requirement)
    return Selector(tuple(found))


def _requirement(obj: Any, path: str, findings: list[Finding]) -> Requirement | None:
    key = obj.get("key") if isinstance(obj, dict) else None
    operator = obj.get("operator") if isinstance(obj, dict) else None
    values = (obj.get("values") or []) if isinstance(obj, dict) else []
    if not isinstance(key, str) or not key or operator not in _OPERATORS:
        findings.append(
            Finding(
                path,
                "cannot read the expression",
                f"give key, operator (one of {', '.join(_OPERATORS)}) and values",
            )
        )
        return None
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        message = "cannot read it: it is not a list of strings"
        findings.append(Finding(f"{path}.values", message, 'write ["one", "two"]'))
        return None
    if (operator in {"In", "NotIn"}) != bool(values):
        findings.append(
            Finding(
                f"{path}.values",
                f"cannot use {len(values)} values with operator {operator}",
                "In and NotIn need values, Exists and DoesNotExist take none",
            )
        )
        return None
    return Requirement(key, str(operator), tuple(values))
