"""What of a plane's spec has an effect: an API server fills in defaults that nobody wrote."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import replace
from functools import partial
from typing import Any, Final

from planes.model.errors import JsonObject
from planes.model.spec.plane import find_plane_faults
from planes.model.spec.plane_spec import Plane

_NESTED: Final = ("network", "ipam", "staticIPs", "mac", "isolation", "quota", "enforcement")
"""Objects of a spec whose fields are looked at one by one."""
_MOST_FIELDS: Final = 64


def effective_spec(obj: Mapping[str, Any]) -> JsonObject:
    """Return a copy of the spec of a plane, without fields that change nothing.

    Whether a field changes anything is found by reading the plane without it, so that there is no
    second list of defaults.
    """
    given = obj.get("spec")
    spec: JsonObject = deepcopy(given) if isinstance(given, dict) else {}
    if len(spec) > _MOST_FIELDS:
        return spec
    for key in _NESTED:
        inner = spec.get(key)
        if isinstance(inner, dict) and len(inner) <= _MOST_FIELDS:
            spec[key] = _reduced(inner, partial(_with_inner, obj, spec, key))
    return _reduced(spec, partial(_value, obj))


def _reduced(fields: JsonObject, value_of: Callable[[JsonObject], object]) -> JsonObject:
    wanted = value_of(fields)
    for key in list(fields):
        less = {name: value for name, value in fields.items() if name != key}
        if value_of(less) == wanted:
            fields = less
    return fields


def _with_inner(obj: Mapping[str, Any], spec: JsonObject, key: str, inner: JsonObject) -> object:
    return _value(obj, {**spec, key: inner})


def plane_value(obj: Mapping[str, Any]) -> Plane:
    """Return a plane's value by which two manifests are the same plane."""
    return _value(obj, obj.get("spec"))[0]


def _value(obj: Mapping[str, Any], spec: Any) -> tuple[Plane, int]:
    """Return a plane's value with another spec, and how many faults it has."""
    plane, faults = find_plane_faults({**obj, "spec": spec})
    return replace(plane, generation=0, created=""), len(faults)
