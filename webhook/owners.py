"""Reservations for a workload are for the pods that its controller creates, and for no others.

Only in namespaces that some plane keeps such addresses for, and only on a cluster: on a single
machine the administrator writes each pod's manifest.
"""

from __future__ import annotations

from dataclasses import replace

from planes.model.errors import Finding
from planes.model.objects import Pod
from planes.model.owners import is_controller, keeps_for_workloads, maker_doubt
from planes.store.protocol import Store
from webhook.review import Review


def as_created(pod: Pod, review: Review, store: Store) -> Pod:
    """Give a new pod with the doubt about its owner, where that matters."""
    if not _matters(pod, store):
        return pod
    doubt = maker_doubt(pod, review.user.name)
    return replace(pod, owner_doubt=doubt) if doubt else pod


def check_owner(pod: Pod, before: Pod, review: Review, store: Store) -> list[Finding]:
    """Refuse a new controller in the owner references of a pod, but by a controller itself.

    Otherwise a pod could become one of a workload between its admission and its node's decision.
    """
    named = (pod.owner_kind, pod.owner_name, pod.owner_uid)
    if not pod.owner_kind or named == (before.owner_kind, before.owner_name, before.owner_uid):
        return []
    if not _matters(pod, store) or is_controller(pod, review.user.name):
        return []
    return [
        Finding(
            path="metadata.ownerReferences",
            message=f"cannot make the pod one of {pod.owner_kind} {pod.owner_name}: a plane keeps "
            "addresses for workloads of this namespace",
            remedy="leave it to the workload's controller to create or adopt pods",
            status=403,
        )
    ]


def _matters(pod: Pod, store: Store) -> bool:
    return store.checks_owners and keeps_for_workloads(store.catalog.planes, pod.namespace)
