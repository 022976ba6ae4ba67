"""`/mutate/pods`: give a new pod the planes of its namespace, as a JSON Patch.

Only what is missing is added, so a second call (reinvocation) finds nothing to do. A pod that
`decide` finds at fault is not refused here but admitted unchanged: `/validate/pods` sees the final
object, also when another hook has changed it, and says what is wrong. Warnings are left to it for
the same reason: kubectl shows what both hooks say, and a person reads it once.
"""

from __future__ import annotations

from planes.model.decide.decision import decide
from planes.model.objects import Pod
from planes.model.patch import pod_patch
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
        return Allowed(audit={"decision": "left to validation", **audit})
    patch = pod_patch(review.obj or {}, decision.annotations, decision.resources)
    if not patch:
        return Allowed(audit={"decision": "nothing to add", **audit})
    return Patched(patch, audit={"decision": "patched", **audit})
