"""What is wrong with a workload as a whole, though each of its pods alone would be fine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from planes.model.annotations.selection import read_selections
from planes.model.decide.decision import Decision, decide
from planes.model.errors import Finding
from planes.model.names import NETWORKS_ANNOTATION, STATIC_IPS_ANNOTATION
from planes.model.objects import Namespace, Pod
from planes.model.spec.plane_spec import Plane
from planes.model.state.catalog import Catalog
from planes.model.state.claim_index import ClaimIndex
from planes.model.state.claims import bare_address
from planes.model.state.static_ips import AddressList, read_static_ips
from planes.model.workload import pods_of

_TEMPLATE = "spec.template.metadata.annotations"


def check_workload(
    obj: Mapping[str, Any], namespace: Namespace, catalog: Catalog
) -> tuple[Finding, ...]:
    """List what a workload's pods will run into: each pod's own errors, and those they share.

    Paths name the pod template. The pods are decided one by one as if alone.

    Raises:
        BadInput: the manifest is malformed.
    """
    pods = _pods(obj, namespace)
    if not pods:
        return ()
    # without claims: the workload's own running pods would look like rivals of its new ones
    alone = catalog.with_claims(ClaimIndex())
    own = _own_errors([decide(pod, namespace, alone) for pod in pods[:1]])
    return tuple(dict.fromkeys([*shared_faults(obj, namespace, catalog), *own]))


def shared_faults(
    obj: Mapping[str, Any], namespace: Namespace, catalog: Catalog
) -> tuple[Finding, ...]:
    """List what only shows in a workload as a whole: too few addresses for its replicas.

    Raises:
        BadInput: the manifest is malformed.
    """
    pods = _pods(obj, namespace)
    if not pods:
        return ()
    return tuple(dict.fromkeys([*_shared_addresses(pods), *_short_lists(pods, catalog)]))


def _pods(obj: Mapping[str, Any], namespace: Namespace) -> list[Pod]:
    if obj.get("kind") == "Pod":
        return []
    return [Pod.from_object(pod, namespace.name) for pod in pods_of(obj)]


def _own_errors(decisions: list[Decision]) -> Iterator[Finding]:
    for decision in decisions:
        for finding in (*decision.errors, *decision.warnings):
            path = finding.path.replace("metadata.annotations", _TEMPLATE, 1)
            yield Finding(path, finding.message, finding.remedy, finding.status)


def _shared_addresses(pods: list[Pod]) -> Iterator[Finding]:
    """Yield a finding for each address that the template gives to every replica."""
    if len(pods) < 2:
        return
    text = pods[0].annotations.get(NETWORKS_ANNOTATION, "")
    for index, selection in enumerate(read_selections(text, pods[0].namespace).selections):
        addresses = [address for ip in selection.ips if (address := bare_address(ip))]
        if addresses:
            shown = ", ".join(map(str, addresses))
            yield Finding(
                f"{_TEMPLATE}[{NETWORKS_ANNOTATION}][{index}].ips",
                f"cannot give {shown} to {len(pods)} pods: they would share one address",
                f"run one replica, or list an address for each in {STATIC_IPS_ANNOTATION}",
                409,
            )


def _short_lists(pods: list[Pod], catalog: Catalog) -> Iterator[Finding]:
    """Yield a finding for each list of static addresses that is shorter than the replicas need."""
    lists = read_static_ips(pods[0].annotations.get(STATIC_IPS_ANNOTATION, "")).lists
    for name, addresses in lists.items():
        plane = catalog.plane(name)
        needed = max(_place(pod, plane, number) for number, pod in enumerate(pods)) + 1
        for version in addresses.versions:
            if addresses.size(version) < needed:
                yield _too_short(name, addresses, version, needed, len(pods))


def _place(pod: Pod, plane: Plane | None, number: int) -> int:
    ordinal = pod.ordinal if plane is None or plane.per_ordinal else None
    return number if ordinal is None else ordinal


def _too_short(
    name: str, addresses: AddressList, version: int, needed: int, replicas: int
) -> Finding:
    size = addresses.size(version)
    return Finding(
        f"{_TEMPLATE}[{STATIC_IPS_ANNOTATION}].{name}",
        f"cannot give each of {replicas} replicas an address: the list has {size} IPv{version} "
        f"address{'' if size == 1 else 'es'} and needs {needed}",
        "add addresses, or run fewer replicas",
        409,
    )
