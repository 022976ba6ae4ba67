"""`/validate/pods`: refuse what policy forbids, all of it at once.

A new pod is judged by the same `decide` that patched it. A pod in being is judged only by what
the request changes, never by today's planes: it must stay possible to label, finish or delete it.
Its networks are frozen; its network-status belongs to the node it runs on. DELETE is never
refused.
"""

from __future__ import annotations

from planes.model.decide.decision import Decision, decide
from planes.model.errors import BadInput, Finding
from planes.model.names import (
    DEFAULT_NETWORK_ANNOTATION,
    INJECTED_ANNOTATION,
    NETWORKS_ANNOTATION,
    STATIC_IPS_ANNOTATION,
    STATUS_ANNOTATION,
)
from planes.model.objects import Pod
from planes.model.patch import resource_patch
from planes.store.protocol import Store
from webhook.owners import as_created, check_owner
from webhook.review import Allowed, Answer, Denied, Errored, Review
from webhook.subject import Subject, audit_of, node_of, pod_of, subject_of

_FROZEN = (
    NETWORKS_ANNOTATION,
    STATIC_IPS_ANNOTATION,
    DEFAULT_NETWORK_ANNOTATION,
    INJECTED_ANNOTATION,
)
_JUDGED = frozenset({("CREATE", ""), ("UPDATE", ""), ("UPDATE", "status")})


def validate(review: Review, store: Store) -> Answer:
    """Answer a review with a verdict on the final object."""
    if (review.operation, review.subresource) not in _JUDGED:
        return Allowed(audit={"decision": "exempt: nothing here concerns planes"})
    pod = pod_of(review)
    if not isinstance(pod, Pod):
        return pod
    judged = _created if review.operation == "CREATE" else _updated
    return judged(pod, review, store)


def _created(pod: Pod, review: Review, store: Store) -> Answer:
    subject = subject_of(as_created(pod, review, store), store)
    if not isinstance(subject, Subject):
        return subject
    decision = decide(subject.pod, subject.namespace, subject.catalog, creating=True)
    warnings = [str(finding) for finding in decision.warnings]
    audit = audit_of(decision)
    if decision.errors:
        return Denied(decision.errors, warnings, {"decision": "denied", **audit})
    if decision.annotations:
        warnings.append("the pod's planes are not written into it; the node attaches them")
    if resource_patch(review.obj or {}, decision.resources):
        warnings.append(_too_few_devices(decision))
    return Allowed(warnings, {"decision": "allowed", **audit})


def _too_few_devices(decision: Decision) -> str:
    needed = ", ".join(f"{count} of {name}" for name, count in decision.resources.items())
    return f"the pod's networks need devices that no container asks for; request {needed}"


def _updated(pod: Pod, review: Review, store: Store) -> Answer:
    try:
        before = Pod.from_object(review.old or {}, review.namespace)
    except BadInput as error:
        return Errored(error)
    findings = [
        Finding(
            path=_path(key),
            message="cannot change the networks of a pod that exists",
            remedy="delete the pod and create it with the annotation you want",
            status=403,
        )
        for key in _FROZEN
        if pod.annotations.get(key) != before.annotations.get(key)
    ]
    if pod.annotations.get(STATUS_ANNOTATION) != before.annotations.get(STATUS_ANNOTATION):
        node = node_of(review.user)
        if not node or node != before.node:
            findings.append(
                Finding(
                    path=_path(STATUS_ANNOTATION),
                    message="cannot change network-status: only the pod's node reports it",
                    remedy="leave the annotation as it is",
                    status=403,
                )
            )
    findings += check_owner(pod, before, review, store)
    if findings:
        return Denied(findings, audit={"decision": "denied"})
    return Allowed(audit={"decision": "allowed"})


def _path(key: str) -> str:
    return f"metadata.annotations[{key}]"
