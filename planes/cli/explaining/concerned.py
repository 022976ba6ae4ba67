"""The namespaces that manifests concern: those of their objects, and of the NADs they name."""

from __future__ import annotations

from planes.cli.inputs import Inputs
from planes.model.annotations.selection import read_selections
from planes.model.errors import JsonObject
from planes.model.names import (
    DEFAULT_NETWORK_ANNOTATION,
    MULTUS_NAMESPACE,
    NETWORKS_ANNOTATION,
    is_dns_label,
)


def namespaces_of(inputs: Inputs, default: str) -> frozenset[str]:
    """Return the namespaces of pods, workloads and NADs; `default` where one names none."""
    objects = (*inputs.pods, *inputs.workloads, *inputs.nads)
    found = {str((obj.get("metadata") or {}).get("namespace") or default) for obj in objects}
    return frozenset(filter(is_dns_label, found))


def networks_of(inputs: Inputs, default: str) -> frozenset[str]:
    """Return the namespaces of the NADs that pods name in their annotations."""
    return frozenset().union(*(named_by(pod, default) for pod in inputs.pods))


def named_by(pod: JsonObject, default: str) -> frozenset[str]:
    """Return the namespaces of the NADs that a pod names."""
    meta = pod.get("metadata") or {}
    annotations = meta.get("annotations") or {}
    namespace = str(meta.get("namespace") or default)
    texts = (
        (annotations.get(NETWORKS_ANNOTATION), namespace),
        (annotations.get(DEFAULT_NETWORK_ANNOTATION), MULTUS_NAMESPACE),
    )
    read = [read_selections(text, home).selections for text, home in texts if text]
    return frozenset(one.namespace for found in read for one in found if one.namespace)
