"""Errors for an address that another pod has, with the remedy for the kind of workload.

A bare pod needs another address. A workload has one address for all its pods, and a Deployment
starts the new pod before it ends the old one (strategy RollingUpdate, the default): with one
address the rollout never proceeds (calico#4694, multus-cni#1309).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from planes.model.addresses import IPAddress
from planes.model.errors import Finding
from planes.model.names import STATIC_IPS_ANNOTATION
from planes.model.objects import Pod
from planes.model.state.claims import Claim

_TAKEN: Final = 409
_REPLICA: Final = re.compile(r"[^-]+-[^-]{5}")
"""The name of a Deployment's pod after the Deployment's name; "web-cache-…" is not one of "web"."""
ROLLOUT_REMEDY: Final = (
    "set strategy.type: Recreate, or strategy.rollingUpdate maxSurge: 0 and maxUnavailable: 1"
)


def deployment_of(pod: Pod) -> str:
    """Return the Deployment of the ReplicaSet that owns a pod, "" for none.

    Without the label pod-template-hash it is the ReplicaSet's name up to its last hyphen.
    """
    if pod.owner_kind != "ReplicaSet":
        return ""
    return pod.deployment or pod.owner_name.rpartition("-")[0]


def address_taken(
    path: str,
    address: IPAddress,
    rival: Claim,
    pod: Pod,
    *,
    source: str = "",
    free: Sequence[IPAddress] = (),
) -> Finding:
    """Return why a pod cannot have an address that another pod claims.

    Args:
        path: where the address stands.
        address: the address.
        rival: the other pod's claim.
        pod: the pod that wants it.
        source: where it comes from, after a comma, "" where the pod itself asks.
        free: addresses that it could have instead.
    """
    verb = "has it" if rival.is_attached else "asks for it already"
    message = f"cannot give the pod {address}{source}: pod {rival.pod} {verb}"
    return Finding(path, message, _remedy(pod, rival, free), _TAKEN)


def _remedy(pod: Pod, rival: Claim, free: Sequence[IPAddress]) -> str:
    deployment = deployment_of(pod)
    for_each = f"list an address for each in {STATIC_IPS_ANNOTATION} of its template"
    if deployment and _is_replica(rival.pod, f"{pod.namespace}/{deployment}-"):
        return (
            f"in Deployment {deployment} {ROLLOUT_REMEDY}, as a rolling update starts this pod "
            f"before {rival.pod} ends; with several replicas {for_each}"
        )
    if pod.owner_kind and _is_sibling(rival.pod, f"{pod.namespace}/{pod.owner_name}-"):
        return f"{pod.owner_kind} {pod.owner_name} has several pods: {for_each}"
    shown = f"free now: {', '.join(map(str, free))}" if free else ""
    if pod.owner_kind:
        owner = f"Deployment {deployment}" if deployment else f"{pod.owner_kind} {pod.owner_name}"
        how = f"write another address into the pod template of {owner}"
        return f"{how}; {shown}" if shown else how
    return shown or "ask for another address"


def _is_replica(pod: str, prefix: str) -> bool:
    """Report whether a pod has the name of a Deployment's pod: the prefix and HASH-SUFFIX."""
    return pod.startswith(prefix) and bool(_REPLICA.fullmatch(pod.removeprefix(prefix)))


def _is_sibling(pod: str, prefix: str) -> bool:
    """Report whether a pod has the name of an owner's pod: the prefix and one word."""
    return pod.startswith(prefix) and "-" not in pod.removeprefix(prefix)


def none_free_remedy(pod: Pod) -> str:
    """Return the remedy where no address of a list is free for a pod."""
    deployment = deployment_of(pod)
    if not deployment:
        return "add addresses to the list, or remove pods that hold them"
    return (
        f"add an address to the list; or, where Deployment {deployment} rolls out and its old pods "
        f"hold them, {ROLLOUT_REMEDY}"
    )
