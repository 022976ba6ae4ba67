"""Check a workload as a whole: faults that none of its pods has alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from planes.model.annotations.selection import read_selections
from planes.model.decide.rollout_check import rollout_faults
from planes.model.errors import Finding
from planes.model.names import NETWORKS_ANNOTATION, STATIC_IPS_ANNOTATION
from planes.model.objects import Namespace, Pod
from planes.model.spec.plane_spec import Plane
from planes.model.state.catalog import Catalog
from planes.model.state.claims import bare_address
from planes.model.state.static_ips import AddressList, read_static_ips
from planes.model.workload import pods_of

_TEMPLATE = "spec.template.metadata.annotations"


def shared_faults(
    obj: Mapping[str, Any], namespace: Namespace, catalog: Catalog
) -> tuple[Finding, ...]:
    """List faults of a workload as a whole: too few addresses, now or at a rollout.

    Raises:
        BadInput: the manifest is malformed.
    """
    pods = _pods(obj, namespace)
    if not pods:
        return ()
    found = [*_shared_addresses(pods), *_short_lists(pods, catalog)]
    return tuple(dict.fromkeys([*found, *rollout_faults(obj, pods, catalog)]))


def hints_for_each_node(obj: Mapping[str, Any], catalog: Catalog) -> tuple[Finding, ...]:
    """Warn of a DaemonSet with static addresses: the number of nodes is not known here."""
    if obj.get("kind") != "DaemonSet":
        return ()
    pods = [Pod.from_object(pod) for pod in pods_of(obj)]
    lists = read_static_ips(pods[0].annotations.get(STATIC_IPS_ANNOTATION, "")).lists
    return tuple(
        Finding(
            f"{_TEMPLATE}[{STATIC_IPS_ANNOTATION}].{name}",
            f"a DaemonSet has a pod on each node, and the list has {_counted(addresses, version)}: "
            "pods of further nodes are refused",
            "list an address for each node, or leave it out: the plane gives each pod its own",
        )
        for name, addresses in lists.items()
        if catalog.plane(name) is not None
        for version in addresses.versions
    )


def _counted(addresses: AddressList, version: int) -> str:
    size = addresses.size(version)
    return f"{size} IPv{version} address{'' if size == 1 else 'es'}"


def _pods(obj: Mapping[str, Any], namespace: Namespace) -> list[Pod]:
    if obj.get("kind") == "Pod":
        return []
    return [Pod.from_object(pod, namespace.name) for pod in pods_of(obj)]


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
    return Finding(
        f"{_TEMPLATE}[{STATIC_IPS_ANNOTATION}].{name}",
        f"cannot give each of {replicas} replicas an address: the list has "
        f"{_counted(addresses, version)} and needs {needed}",
        "add addresses, or run fewer replicas",
        409,
    )
