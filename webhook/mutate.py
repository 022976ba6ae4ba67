"""`/mutate/pods`: add the planes of its namespace to a new pod, as a JSON Patch.

Only what is missing is added, so a second call (reinvocation) changes nothing. A pod with errors is
not refused here but admitted without planes: `/validate/pods` sees the final object, after all
other mutating webhooks, and refuses it. Warnings are left to it too, so that kubectl shows each
once. Only the removal of a stale network-status is warned about here: validation does not see it.

In a namespace that requires planes, the annotation `netplane.io/reviewed` names those by which the
pod was judged, with errors or not: the policy `netplane-required` refuses a pod without it, whether
a webhook runs or not.
"""

from __future__ import annotations

from planes.model.decide.decision import decide
from planes.model.decide.stale_status import drop_stale_status
from planes.model.names import REVIEWED_ANNOTATION
from planes.model.objects import Pod
from planes.model.patch import pod_patch, removal_patch
from planes.model.state.membership import required_by_label
from planes.store.protocol import Store
from webhook.owners import with_owner_doubt
from webhook.review import Allowed, Answer, Patched, Review
from webhook.reviewed_pod import ReviewedPod, audit_of, pod_of, reviewed_pod


def mutate(review: Review, store: Store) -> Answer:
    """Answer a review with a patch that adds the planes that a pod lacks."""
    if review.operation != "CREATE" or review.subresource:
        return Allowed(audit={"decision": "exempt: only new pods get planes"})
    pod = pod_of(review)
    if not isinstance(pod, Pod):
        return pod
    reviewed = reviewed_pod(with_owner_doubt(pod, review, store), store)
    if not isinstance(reviewed, ReviewedPod):
        return reviewed
    cleaned = drop_stale_status(reviewed.pod)
    decision = decide(cleaned.pod, reviewed.namespace, reviewed.catalog, creating=True)
    mark = _reviewed_annotation(reviewed)
    obj = review.obj or {}
    patch = removal_patch(obj, cleaned.removed)
    if decision.errors:
        patch += pod_patch(obj, mark, {})
        verdict = "left to validation"
    else:
        patch += pod_patch(obj, {**decision.annotations, **mark}, decision.resources)
        verdict = "patched" if patch else "nothing to add"
    audit = {"decision": verdict, **audit_of(decision)}
    warnings = tuple(map(str, cleaned.warnings))
    return Patched(patch, warnings, audit) if patch else Allowed(warnings, audit)


def _reviewed_annotation(reviewed: ReviewedPod) -> dict[str, str]:
    required = () if reviewed.pod.host_network else required_by_label(reviewed.namespace)
    return {REVIEWED_ANNOTATION: ",".join(required)} if required else {}
