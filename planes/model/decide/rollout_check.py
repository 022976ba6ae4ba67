"""Check that a Deployment with static addresses can be rolled out.

A rolling update that keeps every pod available starts a new pod first. It needs an address that no
old pod has: with as many addresses as replicas the new pod is always refused (calico#4694,
multus-cni#1309).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from planes.model.annotations.selection import read_selections
from planes.model.errors import Finding
from planes.model.names import NETWORKS_ANNOTATION, STATIC_IPS_ANNOTATION
from planes.model.objects import Pod
from planes.model.state.catalog import Catalog
from planes.model.state.claims import bare_address
from planes.model.state.rollout import ROLLOUT_REMEDY
from planes.model.state.static_ips import read_static_ips

_TEMPLATE: Final = "spec.template.metadata.annotations"
_DEFAULT_UNAVAILABLE: Final = "25%"  # apps/v1, RollingUpdateDeployment
_LONGEST: Final = 5  # characters of a percentage that is read


def rollout_faults(obj: Mapping[str, Any], pods: list[Pod], catalog: Catalog) -> Iterator[Finding]:
    """Yield each network of a Deployment whose addresses no further pod can have.

    Args:
        obj: the Deployment; nothing is yielded for other kinds, which end a pod before the next.
        pods: its pods.
        catalog: the planes.
    """
    if obj.get("kind") != "Deployment" or not pods or _may_end_first(obj, len(pods)):
        return
    annotations = pods[0].annotations
    for name, addresses in read_static_ips(
        annotations.get(STATIC_IPS_ANNOTATION, "")
    ).lists.items():
        if catalog.plane(name) is None:
            continue
        for version in addresses.versions:
            if addresses.size(version) == len(pods):
                path = f"{_TEMPLATE}[{STATIC_IPS_ANNOTATION}].{name}"
                yield _never(path, f"IPv{version} addresses", len(pods))
    if len(pods) > 1:  # `workload_check` reports one element for several pods
        return
    networks = read_selections(annotations.get(NETWORKS_ANNOTATION, ""), pods[0].namespace)
    for index, selection in enumerate(networks.selections):
        fixed = [address for ip in selection.ips if (address := bare_address(ip)) is not None]
        if fixed and catalog.plane_of(selection.ref) is not None:
            path = f"{_TEMPLATE}[{NETWORKS_ANNOTATION}][{index}].ips"
            yield _never(path, f"the address {fixed[0]}", 1)


def _never(path: str, what: str, replicas: int) -> Finding:
    pods = "one pod" if replicas == 1 else f"{replicas} pods"
    return Finding(
        path,
        "cannot ever roll out: strategy RollingUpdate starts a new pod before an old one ends, and "
        f"the template has {what} for {pods} only",
        f"{ROLLOUT_REMEDY}, or list one address more",
        409,
    )


def _may_end_first(obj: Mapping[str, Any], replicas: int) -> bool:
    """Report whether a Deployment may end an old pod before a new one is available."""
    spec = obj.get("spec")
    strategy = spec.get("strategy") if isinstance(spec, dict) else None
    if not isinstance(strategy, dict):
        strategy = {}
    if strategy.get("type") == "Recreate":
        return True
    rolling = strategy.get("rollingUpdate")
    rolling = rolling if isinstance(rolling, dict) else {}
    surge = _count(rolling.get("maxSurge", _DEFAULT_UNAVAILABLE), replicas, rounds_up=True)
    unavailable = _count(
        rolling.get("maxUnavailable", _DEFAULT_UNAVAILABLE), replicas, rounds_up=False
    )
    return unavailable > 0 or surge == 0  # with both 0 Kubernetes takes one as unavailable


def _count(value: Any, replicas: int, *, rounds_up: bool) -> int:
    """Return how many pods a number or a percentage of replicas is; 0 for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return max(0, value)
    if isinstance(value, str) and value.endswith("%") and len(value) <= _LONGEST:
        digits = value[:-1]
        if digits.isascii() and digits.isdigit():
            part = int(digits) * replicas
            return -(-part // 100) if rounds_up else part // 100
    return 0
