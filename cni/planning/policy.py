"""Policy at ADD: the decision on a pod, its refusal, and its events.

Invariant: a pod that policy forbids is refused with everything that is wrong; a plane that
admission did not inject is attached all the same. Both are reported as events.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from cni.planning.pods import Subject
from planes.model.annotations.selection import Selection
from planes.model.decide.decision import Attachment, Decision, decide
from planes.model.errors import BadInput, Conflict, Denied, Finding, PlanesError, paired
from planes.model.events import Event, message_of, no_network_found
from planes.model.names import NETWORKS_ANNOTATION
from planes.model.state.catalog import Catalog
from planes.model.state.membership import LABELS_PATH

_OF_THE_POD: Final = ("metadata.annotations", "metadata.labels")
_MOST_WARNINGS: Final = 4


def decide_for(subject: Subject, catalog: Catalog) -> Decision:
    """Decide what a pod is attached to; where no planes apply, that is nothing."""
    if not subject.has_planes:
        return Decision()
    return decide(subject.pod, subject.namespace, catalog)


def refusal(subject: Subject, decision: Decision) -> PlanesError | None:
    """Return the error of a decision that forbids the pod; None where it does not.

    A container that is no pod has no annotations of its own: their paths are left out.
    """
    if not decision.errors:
        return None
    kinds: dict[int, type[PlanesError]] = {403: Denied, 409: Conflict}
    kind = kinds.get(decision.status, BadInput)
    if subject.is_known:
        what, errors = f"pod {subject.pod.key}", decision.errors
    else:
        what, errors = subject.pod.key, tuple(map(_without_annotation, decision.errors))
    listed, remedies = paired(errors)
    return kind(f"cannot attach {what}: {listed}", remedy=remedies)


def _without_annotation(finding: Finding) -> Finding:
    return replace(finding, path="") if finding.path.startswith(_OF_THE_POD) else finding


def denied_event(subject: Subject, decision: Decision, error: PlanesError) -> Event:
    """Return the event of a refused pod: PlaneDenied where a plane forbids it, or NetworkDenied."""
    pod = subject.pod
    reason = "PlaneDenied" if any(one.plane for one in decision.errors) else "NetworkDenied"
    return Event(reason, str(error), "Warning", pod.namespace, pod.name, pod.uid)


def warning_event(subject: Subject, decision: Decision) -> Event | None:
    """Return the event about a pod's annotations that have no effect; None where all have one.

    Admission warns the client that creates the pod, which for a workload's pods is a controller.
    """
    found = [one for one in decision.warnings if one.path.startswith(_OF_THE_POD)]
    if not subject.is_known or not found:
        return None
    pod = subject.pod
    return Event("NetworkWarning", _text(found), "Warning", pod.namespace, pod.name, pod.uid)


def missing_nad_events(subject: Subject, catalog: Catalog) -> tuple[Event, ...]:
    """List events about NADs that a pod names and that do not exist, worded as by Multus."""
    pod = subject.pod
    return tuple(
        no_network_found(pod.namespace, pod.name, pod.uid, ref, "not found")
        for ref in dict.fromkeys(one.ref for one in _asked(subject, catalog))
        if ref not in catalog.nads
    )


def repaired_event(subject: Subject, decision: Decision, catalog: Catalog) -> Event | None:
    """Return the event about planes that the pod's annotation lacks; None where it lacks none."""
    missing = _missing(subject, decision, catalog)
    if not subject.is_known or not missing:
        return None
    names = ", ".join(f"{one.plane} ({one.interface})" for one in missing)
    pod = subject.pod
    message = f"Attached {names}: admission had not injected it"
    return Event("PlaneRepaired", message, "Normal", pod.namespace, pod.name, pod.uid)


def missing_plane_event(subject: Subject, decision: Decision) -> Event | None:
    """Return the event about planes that a pod lacks though its namespace's labels ask for them.

    There is no such plane, the label is neither `enabled` nor `required`, or the plane is not in
    force. None where no label is like that. A container that is no pod gets the event, too, about
    the namespace that its netconf names: no webhook reviews those labels.
    """
    found = [each for each in decision.warnings if each.path.startswith(LABELS_PATH)]
    if not found:
        return None
    message = _text(found, "Attached without a plane that its namespace's labels ask for: ")
    pod = subject.pod
    return Event("PlaneMissing", message, "Warning", pod.namespace, pod.name, pod.uid)


def _text(findings: Sequence[Finding], beginning: str = "") -> str:
    """Return the first few findings as the message of an event, within its length."""
    text = beginning + "; ".join(map(str, findings[:_MOST_WARNINGS]))
    if len(findings) > _MOST_WARNINGS:
        text += f"; and {len(findings) - _MOST_WARNINGS} more"
    return message_of(text)


def _missing(subject: Subject, decision: Decision, catalog: Catalog) -> tuple[Attachment, ...]:
    if NETWORKS_ANNOTATION not in decision.annotations:
        return ()
    asked = {one.ref for one in _asked(subject, catalog)}
    return tuple(one for one in decision.attachments if one.plane and one.network not in asked)


def _asked(subject: Subject, catalog: Catalog) -> tuple[Selection, ...]:
    text = subject.pod.annotations.get(NETWORKS_ANNOTATION, "")
    reading = catalog.annotation_cache.networks.get(text, subject.pod.namespace)
    return () if reading.errors else reading.selections
