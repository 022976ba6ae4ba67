"""`/validate/pods`: refuse a pod that policy forbids, with all errors at once.

A new pod is judged by the same `decide` that patched it. Of an existing pod only what the request
changes is judged, never the planes of now: it must stay possible to label, finish or delete it. Its
networks cannot change; its network-status is written by its node alone. DELETE is never refused.
"""

from __future__ import annotations

from collections.abc import Iterator

from planes.model.decide.decision import Decision, decide
from planes.model.errors import BadInput, Finding
from planes.model.names import (
    DEFAULT_NETWORK_ANNOTATION,
    INJECTED_ANNOTATION,
    NETWORKS_ANNOTATION,
    OLD_STATUS_ANNOTATION,
    STATIC_IPS_ANNOTATION,
    STATUS_ANNOTATIONS,
)
from planes.model.objects import Pod
from planes.model.patch import resource_patch
from planes.store.protocol import Store
from webhook.owners import check_owner, with_owner_doubt
from webhook.review import Allowed, Answer, Errored, Rejected, Review
from webhook.reviewed_pod import ReviewedPod, audit_of, node_of, pod_of, reviewed_pod

_FROZEN = (
    NETWORKS_ANNOTATION,
    STATIC_IPS_ANNOTATION,
    DEFAULT_NETWORK_ANNOTATION,
    INJECTED_ANNOTATION,
)
_JUDGED = frozenset({("CREATE", ""), ("UPDATE", ""), ("UPDATE", "status")})


def validate(review: Review, store: Store) -> Answer:
    """Answer a review of a pod after all mutating webhooks."""
    if (review.operation, review.subresource) not in _JUDGED:
        return Allowed(audit={"decision": "exempt: nothing here concerns planes"})
    pod = pod_of(review)
    if not isinstance(pod, Pod):
        return pod
    judged = _created if review.operation == "CREATE" else _updated
    return judged(pod, review, store)


def _created(pod: Pod, review: Review, store: Store) -> Answer:
    reviewed = reviewed_pod(with_owner_doubt(pod, review, store), store)
    if not isinstance(reviewed, ReviewedPod):
        return reviewed
    decision = decide(reviewed.pod, reviewed.namespace, reviewed.catalog, creating=True)
    warnings = [str(finding) for finding in decision.warnings]
    audit = audit_of(decision)
    if decision.errors:
        return Rejected(decision.errors, warnings, {"decision": "denied", **audit})
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
    findings += _statuses(pod, before, review)
    findings += check_owner(pod, before, review, store)
    if findings:
        return Rejected(findings, audit={"decision": "denied"})
    return Allowed(audit={"decision": "allowed"})


def _statuses(pod: Pod, before: Pod, review: Review) -> Iterator[Finding]:
    """Yield an error for each network-status, by its new or old name, that not the node changes.

    Netplane does not write the old name, so a value that Multus left may be removed.
    """
    for key in STATUS_ANNOTATIONS:
        now = pod.annotations.get(key)
        if now == before.annotations.get(key) or (key == OLD_STATUS_ANNOTATION and not now):
            continue
        node = node_of(review.user)
        if not node or node != before.node:
            yield Finding(
                path=_path(key),
                message="cannot change network-status: only the pod's node reports it",
                remedy="leave the annotation as it is",
                status=403,
            )


def _path(key: str) -> str:
    return f"metadata.annotations[{key}]"
