"""Label selectors as Kubernetes reads them."""

from __future__ import annotations

from typing import Any

import pytest

from planes.model.errors import Finding
from planes.model.spec.selector import Selector, parse_selector

LABELS = {"tier": "db", "team": "a"}


def parse(**obj: Any) -> tuple[Selector, list[Finding]]:
    findings: list[Finding] = []
    return parse_selector(obj, "spec.podSelector", findings), findings


def expression(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"key": key, "operator": operator, **({"values": list(values)} if values else {})}


@pytest.mark.parametrize(
    ("one", "matches"),
    [
        (expression("tier", "In", "db", "web"), True),
        (expression("tier", "In", "web"), False),
        (expression("none", "In", "web"), False),
        (expression("tier", "NotIn", "db"), False),
        (expression("none", "NotIn", "db"), True),
        (expression("tier", "Exists"), True),
        (expression("none", "Exists"), False),
        (expression("tier", "DoesNotExist"), False),
        (expression("none", "DoesNotExist"), True),
    ],
)
def test_each_operator(one: dict[str, Any], matches: bool) -> None:
    selector, findings = parse(matchExpressions=[one])
    assert not findings
    assert selector.matches(LABELS) is matches


def test_all_requirements_must_hold() -> None:
    selector, _ = parse(matchLabels={"tier": "db", "team": "b"})
    assert not selector.matches(LABELS)
    assert str(selector) == "team=b, tier=db"


def test_an_empty_selector_matches_everything() -> None:
    selector, _ = parse()
    assert selector.is_empty
    assert selector.matches({})
    assert str(selector) == "everything"


def test_the_text_says_what_is_asked_for() -> None:
    expressions = [
        expression("a", "Exists"),
        expression("b", "DoesNotExist"),
        expression("c", "NotIn", "x", "y"),
    ]
    assert str(parse(matchExpressions=expressions)[0]) == "a, !b, c notin (x, y)"


@pytest.mark.parametrize(
    ("obj", "path"),
    [
        ({"matchLabel": {}}, ".matchLabel"),
        ({"matchLabels": {"a": 1}}, ".matchLabels"),
        ({"matchExpressions": {}}, ".matchExpressions"),
        ({"matchExpressions": [7]}, ".matchExpressions[0]"),
        ({"matchExpressions": [{"key": "a", "operator": "Is"}]}, ".matchExpressions[0]"),
        ({"matchExpressions": [expression("a", "In")]}, ".matchExpressions[0].values"),
        ({"matchExpressions": [expression("a", "Exists", "x")]}, ".matchExpressions[0].values"),
    ],
)
def test_what_is_malformed_is_told_with_its_path(obj: dict[str, Any], path: str) -> None:
    _, findings = parse(**obj)
    assert [finding.path for finding in findings] == [f"spec.podSelector{path}"]


def test_a_selector_that_is_no_object_is_told() -> None:
    findings: list[Finding] = []
    parse_selector(7, "spec.podSelector", findings)
    assert len(findings) == 1
