"""Reservations by owner: check that a pod is created by the controller of its workload.

This is checked only in namespaces for which a plane reserves addresses by owner, and only on a
cluster: on a single machine the administrator writes each pod's manifest.
"""

from __future__ import annotations

from dataclasses import replace

from planes.model.errors import Finding
from planes.model.objects import Pod
from planes.model.owners import has_reservations_by_owner, is_controller, maker_doubt
from planes.store.protocol import Store
from webhook.review import Review


def with_owner_doubt(pod: Pod, review: Review, store: Store) -> Pod:
    """Return a new pod with the doubt about its owner, where reservations go by owner."""
    if not _is_checked(pod, store):
        return pod
    doubt = maker_doubt(pod, review.user.name)
    return replace(pod, owner_doubt=doubt) if doubt else pod


def check_owner(pod: Pod, before: Pod, review: Review, store: Store) -> list[Finding]:
    """Refuse that anybody but a controller sets the controlling owner of an existing pod.

    Otherwise a pod could be added to a workload between its admission and its node's decision.
    """
    named = (pod.owner_kind, pod.owner_name, pod.owner_uid)
    if not pod.owner_kind or named == (before.owner_kind, before.owner_name, before.owner_uid):
        return []
    if not _is_checked(pod, store) or is_controller(pod, review.user.name):
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


def _is_checked(pod: Pod, store: Store) -> bool:
    return store.checks_owners and has_reservations_by_owner(store.catalog.planes, pod.namespace)
