"""Label and field selectors as an API server reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from planes.kube.resources import Resource
from planes.model.errors import BadInput

_FIELDS = {
    "pods": {
        "spec.nodeName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "spec.restartPolicy",
    },
    "ipblocks": {"spec.plane", "spec.node", "spec.use"},
    "events": {
        "involvedObject.kind",
        "involvedObject.name",
        "involvedObject.namespace",
        "involvedObject.uid",
        "reason",
        "reportingComponent",
        "source",
        "type",
    },
    "namespaces": {"status.phase"},
    "nodes": {"spec.unschedulable"},
    "secrets": {"type"},
    "resourceslices": {"spec.nodeName", "spec.driver"},
}
_SET = re.compile(r"(\S+)\s+(in|notin)\s*\(([^)]*)\)")
_EQUAL = re.compile(r"([^=!\s]+)\s*(==|!=|=)\s*(\S*)")


def matches_labels(selector: str, labels: Mapping[str, str]) -> bool:
    """Report whether labels match; raises BadInput where the selector is not one."""
    return all(_matches_label(term, labels) for term in _terms(selector))


def matches_fields(selector: str, resource: Resource, obj: Mapping[str, Any]) -> bool:
    """Report whether an object matches; raises BadInput where a field is not selectable."""
    return all(_matches_field(term, resource, obj) for term in _terms(selector))


def _terms(selector: str) -> list[str]:
    return [term.strip() for term in re.split(r",(?![^(]*\))", selector) if term.strip()]


def _matches_label(term: str, labels: Mapping[str, str]) -> bool:
    if found := _SET.fullmatch(term):
        key, operator, text = found.groups()
        values = {value.strip() for value in text.split(",")}
        return (labels.get(key) in values) == (operator == "in")
    if found := _EQUAL.fullmatch(term):
        key, operator, value = found.groups()
        return (labels.get(key) == value) == (operator != "!=")
    if re.fullmatch(r"!?[^\s!=()]+", term):
        return (term.lstrip("!") in labels) == (not term.startswith("!"))
    raise BadInput(f"cannot list: the label selector {term!r} is none")


def _matches_field(term: str, resource: Resource, obj: Mapping[str, Any]) -> bool:
    found = _EQUAL.fullmatch(term)
    if not found:
        raise BadInput(f"cannot list: the field selector {term!r} is none")
    path, operator, value = found.groups()
    common = {"metadata.name"} | ({"metadata.namespace"} if resource.is_namespaced else set())
    if path not in common | _FIELDS.get(resource.plural, set()):
        raise BadInput(f"cannot list {resource.plural}: field label not supported: {path}")
    return (_field(obj, path) == value) == (operator != "!=")


def _field(obj: Any, path: str) -> str:
    for part in path.split("."):
        obj = obj.get(part) if isinstance(obj, dict) else None
    if isinstance(obj, bool) or path == "spec.hostNetwork":
        return "true" if obj else "false"
    return "" if obj is None else str(obj)
