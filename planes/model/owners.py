"""Check whether a pod belongs to the workload it names, by the pod itself and by its creator.

A user who may create pods in a namespace may write any label and owner reference, also with the UID
of an existing workload. Users cannot choose a pod's name that is taken, nor the user name that the
API server reports as the creator.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from planes.model.objects import Pod
from planes.model.spec.plane_spec import Plane

_CONTROLLERS: Final = "system:serviceaccount:kube-system:"
_MANAGER: Final = "system:kube-controller-manager"
"""The user of a controller manager that runs without an account for each controller."""


@dataclass(frozen=True, slots=True)
class Workload:
    """A kind of workload: its API group, and its controller's service account."""

    group: str
    account: str


WORKLOADS: Final[Mapping[str, Workload]] = {
    "StatefulSet": Workload("apps", "statefulset-controller"),
    "ReplicaSet": Workload("apps", "replicaset-controller"),
    "DaemonSet": Workload("apps", "daemon-set-controller"),
    "Job": Workload("batch", "job-controller"),
}


def has_reservations_by_owner(planes: Iterable[Plane], namespace: str) -> bool:
    """Report whether any plane has reservations by owner in a namespace."""
    return any(namespace in plane.owner_namespaces for plane in planes)


def form_doubt(pod: Pod) -> str:
    """Return why a pod cannot belong to the workload it names, by itself; "" where it can."""
    workload = WORKLOADS.get(pod.owner_kind)
    if not pod.owner_kind:
        return "the pod has no controller"
    if workload is None or pod.owner_api.partition("/")[0] != workload.group:
        return f"the pod's controller is a {pod.owner_kind}, not one of {', '.join(WORKLOADS)}"
    if not pod.owner_uid:
        return f"the pod names no UID of its {pod.owner_kind}"
    return _number_doubt(pod)


def _number_doubt(pod: Pod) -> str:
    ordinal = pod.ordinal
    if pod.owner_kind == "StatefulSet" and pod.name != f"{pod.owner_name}-{ordinal}":
        return f"StatefulSet {pod.owner_name} names no pod so"
    if pod.owner_kind == "Job" and ordinal is not None:
        prefix = f"{pod.owner_name}-{ordinal}-"
        if not (pod.name or pod.generate_name).startswith(prefix):
            return f"Job {pod.owner_name} names no pod of index {ordinal} so"
    if pod.owner_kind in {"ReplicaSet", "DaemonSet"} and ordinal is not None:
        return f"pods of a {pod.owner_kind} have no number"
    return ""


def maker_doubt(pod: Pod, user: str) -> str:
    """Return why a new pod does not belong to the workload it names; "" where it does.

    Args:
        pod: the pod.
        user: its creator, as the API server has authenticated it.
    """
    doubt = form_doubt(pod)
    return doubt or ("" if is_controller(pod, user) else _not_made(pod))


def is_controller(pod: Pod, user: str) -> bool:
    """Report whether a user is the controller of the kind of workload that a pod names."""
    workload = WORKLOADS.get(pod.owner_kind)
    account = workload.account if workload is not None else ""
    return user == _MANAGER or (bool(account) and user == _CONTROLLERS + account)


def _not_made(pod: Pod) -> str:
    return f"the pod is not created by the controller of {pod.owner_kind} {pod.owner_name}"
