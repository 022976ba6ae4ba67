"""What a daemon's pod says of its node: ready or not, its image, planes that fail there. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from planes.cli.status.cluster_facts import DaemonSeen
from planes.model.errors import JsonObject
from planes.model.lines import one_line
from planes.model.names import PLANE_HEALTH_ANNOTATION
from planes.model.state.plane_health import HealthReport, read_report

_LONGEST: Final = 253
_LONGEST_REASON: Final = 512


def daemon_seen(obj: JsonObject) -> DaemonSeen | None:
    """Return what a daemon's pod says; None for one that has ended, which is no daemon any more."""
    spec, status = _object(obj.get("spec")), _object(obj.get("status"))
    if str(status.get("phase")) in {"Succeeded", "Failed"}:
        return None
    conditions = list(_objects(status.get("conditions")))
    containers = list(_objects(status.get("containerStatuses")))
    is_ready = any((c.get("type"), c.get("status")) == ("Ready", "True") for c in conditions)
    image = next((one.get("image") for one in _objects(spec.get("containers"))), "")
    restarts = sum(n for one in containers if isinstance(n := one.get("restartCount"), int))
    node = one_line(str(spec.get("nodeName") or ""), _LONGEST)
    report = _report(obj, node)
    told = report.unready if report else ""
    return DaemonSeen(
        node=node,
        pod=one_line(str(obj["metadata"]["name"]), _LONGEST),
        is_ready=is_ready,
        image=one_line(str(image or ""), _LONGEST),
        restarts=restarts,
        why="" if is_ready else _waits(status, containers) or told or _conditions(conditions),
        failing=_failing(report),
    )


def _waits(status: Mapping[str, Any], containers: list[Mapping[str, Any]]) -> str:
    """Return what a container of a pod waits for, "" where all run."""
    for one in (*_objects(status.get("initContainerStatuses")), *containers):
        state = _object(one.get("state"))
        waiting = _object(state.get("waiting") or state.get("terminated"))
        reason = str(waiting.get("reason") or "")
        if reason not in {"", "PodInitializing", "Completed"}:
            text = f"{reason}: {waiting.get('message') or ''}".rstrip(": ")
            return one_line(text, _LONGEST_REASON)
    return ""


def _conditions(conditions: list[Mapping[str, Any]]) -> str:
    """Return why a pod is not ready by its conditions; of a probe they say only that it fails."""
    for condition in conditions:
        if condition.get("status") == "False" and condition.get("message"):
            return one_line(str(condition["message"]), _LONGEST_REASON)
    return ""


def _report(obj: JsonObject, node: str) -> HealthReport | None:
    """Return what a node reports of itself; a report counts for its own node alone."""
    text = (obj["metadata"].get("annotations") or {}).get(PLANE_HEALTH_ANNOTATION)
    report = read_report(text) if isinstance(text, str) else None
    return report if report is not None and report.node == node else None


def _failing(report: HealthReport | None) -> Mapping[str, str]:
    """Return the planes that a node reports as failing, with the reason of each."""
    planes = {} if report is None else report.planes
    return {name: one.reason for name, one in sorted(planes.items()) if one.is_failing}


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    return (one for one in value if isinstance(one, dict)) if isinstance(value, list) else iter(())
