"""The final gate: the decision at ADD, enforced, and told as events.

Invariant: a pod that policy forbids is refused with everything that is wrong, and a plane that
admission missed is attached all the same; both leave an event that says so.
"""

from __future__ import annotations

from cni.pods import Subject
from planes.model.annotations.selection import Selection, parse_selections
from planes.model.decide.decision import Attachment, Decision, decide
from planes.model.errors import BadInput, Conflict, Denied, PlanesError
from planes.model.events import Event, no_network_found
from planes.model.names import NETWORKS_ANNOTATION
from planes.model.state.catalog import Catalog


def verdict(subject: Subject, catalog: Catalog) -> Decision:
    """Decide; a pod that nobody knows gets no attachments."""
    if not subject.has_planes:
        return Decision()
    return decide(subject.pod, subject.namespace, catalog)


def refusal(subject: Subject, decision: Decision) -> PlanesError | None:
    """Give the error of a decision that forbids the pod; None where it does not."""
    if not decision.errors:
        return None
    kinds: dict[int, type[PlanesError]] = {403: Denied, 409: Conflict}
    kind = kinds.get(decision.status, BadInput)
    told = " | ".join(
        f"{finding.path}: {finding.message}" if finding.path else finding.message
        for finding in decision.errors
    )
    remedies = dict.fromkeys(finding.remedy for finding in decision.errors if finding.remedy)
    return kind(f"cannot attach pod {subject.pod.key}: {told}", remedy=" | ".join(remedies))


def denied(subject: Subject, error: PlanesError) -> Event:
    """Tell that a pod was refused."""
    pod = subject.pod
    return Event("PlaneDenied", str(error), "Warning", pod.namespace, pod.name, pod.uid)


def missing_nads(subject: Subject, catalog: Catalog) -> tuple[Event, ...]:
    """Tell of NADs that a pod names and that do not exist, in Multus' words."""
    pod = subject.pod
    return tuple(
        no_network_found(pod.namespace, pod.name, pod.uid, ref, "not found")
        for ref in dict.fromkeys(one.ref for one in _asked(subject))
        if ref not in catalog.nads
    )


def repaired(subject: Subject, decision: Decision) -> Event | None:
    """Tell of planes that the pod's annotation lacks; None where admission did its work."""
    missing = _missing(subject, decision)
    if not subject.is_known or not missing:
        return None
    names = ", ".join(f"{one.plane} ({one.interface})" for one in missing)
    pod = subject.pod
    message = f"Attached {names}: admission had not injected it"
    return Event("PlaneRepaired", message, "Normal", pod.namespace, pod.name, pod.uid)


def _missing(subject: Subject, decision: Decision) -> tuple[Attachment, ...]:
    if NETWORKS_ANNOTATION not in decision.annotations:
        return ()
    asked = {one.ref for one in _asked(subject)}
    return tuple(one for one in decision.attachments if one.plane and one.network not in asked)


def _asked(subject: Subject) -> tuple[Selection, ...]:
    text = subject.pod.annotations.get(NETWORKS_ANNOTATION, "")
    try:
        return parse_selections(text, subject.pod.namespace)
    except BadInput:
        return ()
