"""`/mutate/pods`: give a new pod the planes of its namespace, as a JSON Patch.

Only what is missing is added, so a second call (reinvocation) finds nothing to do. A pod that
`decide` finds at fault is not refused here but admitted unchanged, with the errors as warnings:
`/validate/pods` sees the final object and refuses it, also when another hook has changed it.
"""

from __future__ import annotations

from planes.model.decision import decide
from planes.model.objects import Pod
from planes.model.patch import annotation_patch
from planes.store.protocol import Store
from webhook.review import Allowed, Answer, Patched, Review
from webhook.subject import Subject, audit_of, pod_of, subject_of


def mutate(review: Review, store: Store) -> Answer:
    """Answer a review with the planes that the pod lacks."""
    if review.operation != "CREATE" or review.subresource:
        return Allowed(audit={"decision": "exempt: only new pods get planes"})
    pod = pod_of(review)
    if not isinstance(pod, Pod):
        return pod
    subject = subject_of(pod, store)
    if not isinstance(subject, Subject):
        return subject
    decision = decide(pod, subject.namespace, subject.catalog, creating=True)
    audit = audit_of(decision)
    if decision.errors:
        findings = (*decision.errors, *decision.warnings)
        audit = {"decision": "left to validation", **audit}
        return Allowed([str(finding) for finding in findings], audit)
    warnings = [str(finding) for finding in decision.warnings]
    patch = annotation_patch(review.obj or {}, decision.annotations)
    if not patch:
        return Allowed(warnings, {"decision": "nothing to add", **audit})
    return Patched(patch, warnings, {"decision": "patched", **audit})
