"""`/mutate/pods`: give a new pod the planes of its namespace, as a JSON Patch.

Only what is missing is added, so a second call (reinvocation) finds nothing to do. A pod that
`decide` finds at fault is not refused here but admitted without planes: `/validate/pods` sees the
final object, also when another hook has changed it, and says what is wrong. Warnings are left to it
for the same reason: kubectl shows what both hooks say, and a person reads it once.

In a namespace that requires planes the pod is told by name which of them it was judged by, at fault
or not: without that the policy `netplane-required` refuses it, with a webhook running or without.
"""

from __future__ import annotations

from planes.model.decide.decision import decide
from planes.model.names import REVIEWED_ANNOTATION
from planes.model.objects import Pod
from planes.model.patch import pod_patch
from planes.model.state.membership import required_by_label
from planes.store.protocol import Store
from webhook.owners import as_created
from webhook.review import Allowed, Answer, Patched, Review
from webhook.subject import Subject, audit_of, pod_of, subject_of


def mutate(review: Review, store: Store) -> Answer:
    """Answer a review with the planes that the pod lacks."""
    if review.operation != "CREATE" or review.subresource:
        return Allowed(audit={"decision": "exempt: only new pods get planes"})
    pod = pod_of(review)
    if not isinstance(pod, Pod):
        return pod
    subject = subject_of(as_created(pod, review, store), store)
    if not isinstance(subject, Subject):
        return subject
    decision = decide(subject.pod, subject.namespace, subject.catalog, creating=True)
    reviewed = _reviewed(subject)
    if decision.errors:
        patch = pod_patch(review.obj or {}, reviewed, {})
        verdict = "left to validation"
    else:
        annotations = {**decision.annotations, **reviewed}
        patch = pod_patch(review.obj or {}, annotations, decision.resources)
        verdict = "patched" if patch else "nothing to add"
    audit = {"decision": verdict, **audit_of(decision)}
    return Patched(patch, audit=audit) if patch else Allowed(audit=audit)


def _reviewed(subject: Subject) -> dict[str, str]:
    required = () if subject.pod.host_network else required_by_label(subject.namespace)
    return {REVIEWED_ANNOTATION: ",".join(required)} if required else {}
