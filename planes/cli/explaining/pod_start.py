"""Why a pod does not start: by its own status and the events about it.

Pure. Events may be written by anybody who may write them in the pod's namespace, so they are told
as what they are: texts that were seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from planes.cli.reading.events import SeenEvent, seconds_of
from planes.model.errors import Finding, JsonObject
from planes.model.lines import one_line
from planes.model.names import STATUS_ANNOTATION

PATIENCE_SECONDS: Final = 60.0
"""A pod that is not created after that, without any event, hangs."""
_LONGEST: Final = 512
_MOST_CONTAINERS: Final = 8
_FAILED_ADD: Final = "failed (add): "
_SANDBOX: Final = "FailedCreatePodSandBox"
_IN_THE_WAY: Final = frozenset(
    {_SANDBOX, "FailedMount", "FailedAttachVolume", "NetworkNotReady", "FailedCreatePodContainer"}
)
"""Reasons of kubelets and controllers why no sandbox or container is made."""


class PodStage(StrEnum):
    """How far a pod has come."""

    UNSCHEDULED = "waits for a node"
    CREATING = "is being created"
    WAITING = "has its network, but its containers do not run"
    RUNNING = "runs"
    ENDED = "has ended"
    LEAVING = "is being deleted"


@dataclass(frozen=True, slots=True)
class PodStart:
    """How far a pod has come, and what is in the way.

    Attributes:
        seconds: since it was created; None where that is not known.
    """

    stage: PodStage
    seconds: float | None
    faults: tuple[Finding, ...] = ()

    @property
    def text(self) -> str:
        """Complete "Pod shop/web-0 …"; one that does not start is never said to start."""
        if self.stage is PodStage.CREATING and self.faults:
            return f"does not start: it hangs in ContainerCreating{self._age}"
        if self.stage in {PodStage.UNSCHEDULED, PodStage.CREATING, PodStage.WAITING}:
            return f"does not run yet: it {self.stage}{self._age}"
        return str(self.stage)

    @property
    def _age(self) -> str:
        return "" if self.seconds is None else f", {told(self.seconds)} after it was made"


def start_of(obj: JsonObject, events: Sequence[SeenEvent], now: float) -> PodStart:
    """Return how far a pod has come.

    Args:
        obj: the pod.
        events: about it, oldest first.
        now: seconds since 1970.
    """
    meta, status = obj["metadata"], _object(obj.get("status"))
    created = seconds_of(str(meta.get("creationTimestamp") or ""))
    seconds = None if created is None else max(0.0, now - created)
    stage = _stage(obj, status)
    if stage is PodStage.UNSCHEDULED:
        return PodStart(stage, seconds, tuple(_unscheduled(status)))
    if stage is PodStage.WAITING:
        return PodStart(stage, seconds, tuple(_waiting(status)))
    if stage is not PodStage.CREATING:
        return PodStart(stage, seconds)
    faults = tuple(_in_the_way(events))
    if not faults and seconds is not None and seconds >= PATIENCE_SECONDS:
        faults = (_unexplained(obj),)
    return PodStart(stage, seconds, faults)


def told(seconds: float) -> str:
    """Return a time as people say it: "40 s", "7 min", "3 h", "2 d"."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def _stage(obj: JsonObject, status: Mapping[str, Any]) -> PodStage:
    phase = str(status.get("phase") or "")
    if obj["metadata"].get("deletionTimestamp"):
        return PodStage.LEAVING
    if phase in {"Succeeded", "Failed"}:
        return PodStage.ENDED
    if not _object(obj.get("spec")).get("nodeName"):
        return PodStage.UNSCHEDULED
    if phase == "Running":
        return PodStage.RUNNING
    # Manifests of one machine have no phase: there, who has a network-status runs.
    if not phase and STATUS_ANNOTATION in _object(obj["metadata"].get("annotations")):
        return PodStage.RUNNING
    return PodStage.WAITING if status.get("podIP") else PodStage.CREATING


def _unscheduled(status: Mapping[str, Any]) -> Iterator[Finding]:
    for condition in _objects(status.get("conditions")):
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            text = one_line(str(condition.get("message") or ""), _LONGEST)
            message = f"cannot find a node for the pod: {text or 'the scheduler says nothing'}"
            yield Finding("status.conditions[PodScheduled]", message, "no plane is in the way yet")


def _waiting(status: Mapping[str, Any]) -> Iterator[Finding]:
    for kind in ("initContainerStatuses", "containerStatuses"):
        for container in _objects(status.get(kind))[:_MOST_CONTAINERS]:
            waiting = _object(_object(container.get("state")).get("waiting"))
            reason = one_line(str(waiting.get("reason") or ""), _LONGEST)
            if reason in {"", "PodInitializing", "ContainerCreating"}:
                continue
            name = one_line(str(container.get("name") or ""), _LONGEST)
            text = one_line(str(waiting.get("message") or ""), _LONGEST)
            message = f"cannot start container {name}: {reason}{': ' if text else ''}{text}"
            yield Finding(f"status.{kind}", message, "its network is there: no plane is in the way")


def _in_the_way(events: Sequence[SeenEvent]) -> Iterator[Finding]:
    """Yield the newest event of each reason that keeps a pod from being created, newest first."""
    said = set()
    for event in reversed(events):
        is_ours = event.is_ours and event.type == "Warning"
        if event.reason in said or not (is_ours or event.reason in _IN_THE_WAY):
            continue
        said.add(event.reason)
        _, sign, cause = event.message.partition(_FAILED_ADD)
        text = cause if sign and event.reason == _SANDBOX else event.message
        often = f"{event.count} times, " if event.count > 1 else ""
        yield Finding(
            f"event {event.reason}",
            f"cannot create the pod: {text} ({often}last at {event.when or 'an unknown time'})",
            "do what the text says; kubelet tries again by itself",
        )


def _unexplained(obj: JsonObject) -> Finding:
    node = one_line(str(_object(obj.get("spec")).get("nodeName")), _LONGEST)
    return Finding(
        "status",
        f"cannot see why node {node} does not create the pod: no event says anything",
        "look whether the node and its daemon are ready: netplane status",
    )


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
