"""Manifests of the workloads the tests run: small, quick to end, of an image the nodes have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.cluster.lab.images import BUSYBOX

Manifest = dict[str, Any]

LACKING = 7
"""How a container ends that did not find its interfaces when it started."""


def _spec(needs: Sequence[str]) -> Manifest:
    seen = f'ip addr show "$i" | grep -q "inet " || exit {LACKING}'
    look = f"for i in {' '.join(needs)}; do {seen}; done"
    return {
        # The sleeper does not listen to SIGTERM.
        "terminationGracePeriodSeconds": 0,
        "containers": [
            {
                "name": "main",
                "image": BUSYBOX,
                "command": ["sh", "-c", f"{look}; exec sleep 1000000"],
            }
        ],
    }


def pod(
    name: str,
    *,
    annotations: Mapping[str, str] | None = None,
    node: str | None = None,
    needs: Sequence[str] = ("eth0",),
) -> Manifest:
    """A pod that sleeps, on a node if one is named, once it has seen the interfaces it needs."""
    spec = _spec(needs)
    if node is not None:
        spec["nodeSelector"] = {"kubernetes.io/hostname": node}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "annotations": dict(annotations or {})},
        "spec": spec,
    }


def deployment(
    name: str,
    replicas: int,
    *,
    annotations: Mapping[str, str] | None = None,
    needs: Sequence[str] = ("eth0",),
) -> Manifest:
    """Pods that sleep, as many on each node, once they have seen the interfaces they need."""
    labels = {"app": name}
    spread = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": labels},
    }
    spec = {**_spec(needs), "topologySpreadConstraints": [spread]}
    template = {
        "metadata": {"labels": labels, "annotations": dict(annotations or {})},
        "spec": spec,
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": template,
            # All at once: a test waits for all of them anyway.
            "strategy": {"rollingUpdate": {"maxSurge": "100%", "maxUnavailable": "100%"}},
        },
    }


def single(
    name: str,
    *,
    annotations: Mapping[str, str],
    prefers: str,
    otherwise: str,
    needs: Sequence[str] = ("eth0",),
) -> Manifest:
    """A StatefulSet of one pod that is on the first of two nodes while that one takes pods."""

    def on(*nodes: str) -> Manifest:
        host = {"key": "kubernetes.io/hostname", "operator": "In", "values": list(nodes)}
        return {"matchExpressions": [host]}

    affinity = {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [on(prefers, otherwise)]
        },
        "preferredDuringSchedulingIgnoredDuringExecution": [
            {"weight": 100, "preference": on(prefers)}
        ],
    }
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": name},
        "spec": {
            "serviceName": name,
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels, "annotations": dict(annotations)},
                "spec": {**_spec(needs), "affinity": {"nodeAffinity": affinity}},
            },
        },
    }


def lacked(pod: Mapping[str, Any]) -> bool:
    """Report whether a container of the pod ever started without the interfaces it needs."""
    for status in pod["status"].get("containerStatuses", []):
        for state in (status.get("state", {}), status.get("lastState", {})):
            if state.get("terminated", {}).get("exitCode") == LACKING:
                return True
    return False


def is_ready(pod: Mapping[str, Any]) -> bool:
    """Report whether the pod is Ready and not on its way out."""
    conditions = pod["status"].get("conditions", [])
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    return ready and "deletionTimestamp" not in pod["metadata"]
