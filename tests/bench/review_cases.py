"""What reviews are judged by: 50 planes, 5,000 namespaces that join one or three, and two pods.

The reviews are of about 10 kB, as a pod with two sidecars has: one pod of a namespace with one
plane, and one with three planes and a static address by its ordinal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from planes.model.errors import JsonObject
from planes.model.objects import Namespace
from planes.model.patch import apply
from planes.model.spec.plane import parse_plane
from planes.store.protocol import Store
from tests.support.planes import plane_object
from tests.support.store import FakeStore
from webhook.mutate import mutate
from webhook.review import Patched, parse

PLANES = 50
NAMESPACES = 5000
REVIEW_BYTES = 10_000


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of pod: the review to be mutated, and that of the mutated pod, to be validated."""

    name: str
    mutate: bytes
    validate: bytes


def plane_objects() -> list[JsonObject]:
    """Return the planes."""
    return [
        plane_object(
            f"plane-{number}",
            order=number,
            network={"type": "macvlan", "master": f"eth{number}"},
            subnets=[
                {
                    "cidr": f"10.{number}.0.0/16",
                    "gateway": f"10.{number}.0.1",
                    "ranges": [f"10.{number}.1.0-10.{number}.99.255"],
                    "staticRanges": [f"10.{number}.100.0/24"],
                }
            ],
            ipam={"mode": "Plane"},
            staticIPs={"allow": "Any", "perOrdinal": True},
        )
        for number in range(PLANES)
    ]


def namespace_objects() -> list[JsonObject]:
    """Return the namespaces."""
    return [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": f"team-{number}", "labels": _labels(number)},
        }
        for number in range(NAMESPACES)
    ]


def _labels(number: int) -> dict[str, str]:
    joined = [(number + step * 7) % PLANES for step in range(1 if number % 2 else 3)]
    return {
        "team": f"t{number}",
        "stage": "production",
        **{f"plane.netplane.io/plane-{one}": "enabled" for one in joined},
    }


def store() -> Store:
    """Return the same state in memory."""
    return FakeStore(
        planes=[parse_plane(one) for one in plane_objects()],
        namespaces=[Namespace.from_object(one) for one in namespace_objects()],
    )


def cases() -> tuple[Case, ...]:
    """Return both kinds of pods.

    Raises:
        TypeError: admission does not give them planes.
    """
    three = {"netplane.io/static-ips": '{"plane-34": ["10.34.100.10-10.34.100.20"]}'}
    return (
        _case("1 plane", "team-1235", {}),
        _case("3 planes, static IP", "team-1234", three),
    )


def _case(name: str, namespace: str, annotations: dict[str, str]) -> Case:
    pod = _pod(namespace, annotations)
    fresh = _review(pod)
    answer = mutate(parse(fresh), store())
    if not isinstance(answer, Patched):
        raise TypeError(f"the pod should get planes: {answer}")
    return Case(name, fresh, _review(apply(answer.patch, pod)))


def _review(pod: JsonObject) -> bytes:
    request = {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "requestKind": {"group": "", "version": "v1", "kind": "Pod"},
        "requestResource": {"group": "", "version": "v1", "resource": "pods"},
        "name": "",
        "namespace": pod["metadata"]["namespace"],
        "operation": "CREATE",
        "userInfo": {
            "username": "system:serviceaccount:kube-system:statefulset-controller",
            "uid": "c2d3e4f5-0000-4000-8000-000000000001",
            "groups": ["system:serviceaccounts", "system:authenticated"],
        },
        "object": pod,
        "oldObject": None,
        "dryRun": False,
        "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
    }
    return orjson.dumps(
        {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request}
    )


def _pod(namespace: str, annotations: dict[str, str]) -> JsonObject:
    pod: JsonObject = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "web-3",
            "namespace": namespace,
            "labels": {"app": "web", "apps.kubernetes.io/pod-index": "3"},
            "annotations": {**annotations, "prometheus.io/scrape": "true"},
            "ownerReferences": [
                {
                    "apiVersion": "apps/v1",
                    "kind": "StatefulSet",
                    "name": "web",
                    "uid": "a1b2c3d4-0000-4000-8000-000000000002",
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "spec": {
            "containers": [_container(name) for name in ("main", "proxy", "logs")],
            "serviceAccountName": "web",
            "tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists"}],
        },
    }
    variables: list[Any] = pod["spec"]["containers"][0]["env"]
    while len(orjson.dumps(pod)) < REVIEW_BYTES - 900:  # what the review itself adds
        variables.append({"name": f"SETTING_{len(variables)}", "value": "a-value-of-some-length"})
    return pod


def _container(name: str) -> JsonObject:
    return {
        "name": name,
        "image": f"images.example.com/team/{name}:1.2.3",
        "env": [{"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
        "resources": {"limits": {"memory": "256Mi"}, "requests": {"cpu": "100m"}},
        "livenessProbe": {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 10},
        "volumeMounts": [{"name": "config", "mountPath": "/etc/app", "readOnly": True}],
    }
