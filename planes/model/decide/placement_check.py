"""Warn of annotations of networks in a place where they are not read.

A pod gets the annotations of its pod template. Those on the Deployment, on the CronJob or its job
template, or one level too high in the template reach no pod (multus-cni#196, #308, #348).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final

from planes.model.annotations.near_keys import near_key
from planes.model.errors import Finding

_TEMPLATE: Final = ("spec", "template")
_TEMPLATES: Final[Mapping[str, tuple[str, ...]]] = {
    "Pod": (),
    "Deployment": _TEMPLATE,
    "ReplicaSet": _TEMPLATE,
    "StatefulSet": _TEMPLATE,
    "DaemonSet": _TEMPLATE,
    "Job": _TEMPLATE,
    "CronJob": ("spec", "jobTemplate", *_TEMPLATE),
}
"""The path of the pod template of a kind; a Pod is its own."""
_MOST: Final = 8  # findings about one object
_MOST_KEYS: Final = 256  # annotations of one place that are looked at


def misplaced_annotations(obj: Mapping[str, Any]) -> tuple[Finding, ...]:
    """Warn of annotations of networks that no pod of a workload gets, a few of them.

    Args:
        obj: a manifest of any kind; only workloads and pods are checked.
    """
    kind = obj.get("kind")
    template = _TEMPLATES.get(kind) if isinstance(kind, str) else None
    return () if template is None else tuple(islice(_misplaced(obj, str(kind), template), _MOST))


def _misplaced(obj: Mapping[str, Any], kind: str, template: tuple[str, ...]) -> Iterator[Finding]:
    right = (*template, "metadata", "annotations")
    present = _at(obj, right)
    for place in _neighbours(template):
        if place == right:
            continue
        for key in islice(_at(obj, place), _MOST_KEYS):
            near = near_key(key)
            if near and near not in present:
                yield Finding(
                    f"{'.'.join(place)}[{key}]",
                    f"pods of the {kind} do not get this annotation"
                    if template
                    else "it is not read here",
                    f"write {near} into {'.'.join(right)}",
                )


def _neighbours(template: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield the annotations at each level of the path to the template, and one level below."""
    path = (*template, "spec")
    for depth in range(len(path) + 1):
        yield (*path[:depth], "metadata", "annotations")
        yield (*path[:depth], "annotations")


def _at(obj: Mapping[str, Any], path: tuple[str, ...]) -> Mapping[str, Any]:
    """Return the object at a path, an empty one where there is none."""
    found: Any = obj
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}
