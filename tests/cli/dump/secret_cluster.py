"""A cluster with a secret in every place that has room for one."""

from __future__ import annotations

import base64
import json

from planes.kube.resources import (
    EVENTS,
    LEASES,
    MUTATING_HOOKS,
    NADS,
    NAMESPACES,
    NODES,
    PLANES,
    PODS,
)
from planes.model.errors import JsonObject
from planes.model.names import NETWORKS_ANNOTATION
from planes.model.spec.render import plane_nad
from tests.support.certificates import current, make_root
from tests.support.kube.fake_kube import FakeKube
from tests.support.planes import make_plane, plane_object

SECRET = "Zq7hunter2Zq7"
OWN = "netplane-system"
MIB = 1 << 20


def nad(namespace: str, name: str, config: str, **labels: str) -> JsonObject:
    applied = {"kubectl.kubernetes.io/last-applied-configuration": config}
    meta = {"name": name, "namespace": namespace, "annotations": applied, "labels": labels}
    return {"metadata": meta, "spec": {"config": config}}


def pod(namespace: str, name: str, *, networks: str = "", restarts: int = 0) -> JsonObject:
    container = {
        "name": "app",
        "image": "shop:1",
        "command": ["run", "--password", SECRET],
        "env": [{"name": "PLAIN", "value": SECRET}],
    }
    annotations = {"team/secret": SECRET, **({NETWORKS_ANNOTATION: networks} if networks else {})}
    state = {
        "name": "app",
        "ready": not restarts,
        "restartCount": restarts,
        "state": {"running": {}},
    }
    return {
        "metadata": {"name": name, "namespace": namespace, "annotations": annotations},
        "spec": {"nodeName": "n1", "containers": [container]},
        "status": {"phase": "Running", "containerStatuses": [state]},
    }


def cluster() -> FakeKube:
    """A cluster with a secret in every place that has room for one."""
    kube = FakeKube((PLANES, plane_object()))
    rendered = plane_nad(make_plane())
    assert rendered is not None
    kube.put_object(NADS, nad(OWN, "business", rendered.config))
    config = {"type": "ovs", "name": "blue", "bridge": SECRET, "auth": {"user": SECRET}}
    kube.put_object(NADS, nad("shop", "blue", json.dumps(config)))
    kube.put_object(
        NADS, nad(OWN, "forged", json.dumps(config), **{"netplane.io/plane": "business"})
    )
    labels = {"plane.netplane.io/business": "enabled", "team": SECRET}
    kube.put_object(NAMESPACES, {"metadata": {"name": "shop", "labels": labels}})
    kube.put_object(NAMESPACES, {"metadata": {"name": "other"}})
    element = {"name": "blue", "cni-args": {"key": SECRET, "note": SECRET}}
    kube.put_object(PODS, pod("shop", "web-0", networks=json.dumps([element])))
    kube.put_object(PODS, pod("shop", "plain"))
    kube.put_object(PODS, pod(OWN, "netplane-cni-a"))
    kube.put_object(PODS, pod(OWN, "netplane-webhook-b", restarts=2))
    info = {"kernelVersion": "6.1.0", "kubeletVersion": "v1.33.0", "machineID": SECRET}
    ready = {"type": "Ready", "status": "True"}
    kube.put_object(
        NODES,
        {"metadata": {"name": "n1"}, "status": {"nodeInfo": info, "conditions": [ready]}},
    )
    lease = {"metadata": {"name": "netplane", "namespace": OWN}, "spec": {"holderIdentity": "b"}}
    kube.put_object(LEASES, lease)
    bundle = base64.b64encode(make_root(current()).certificate.pem).decode()
    hook = {"name": "pods", "clientConfig": {"caBundle": bundle, "service": {"name": "webhook"}}}
    kube.put_object(MUTATING_HOOKS, {"metadata": {"name": "netplane"}, "webhooks": [hook]})
    for number, component in enumerate(("netplane", "kubelet")):
        event = {
            "metadata": {"name": f"e{number}", "namespace": "shop"},
            "involvedObject": {"kind": "Pod", "name": "web-0"},
            "reason": "PlaneDenied",
            "type": "Warning",
            "reportingComponent": component,
            "message": f"cannot attach: token={SECRET} \x1b[31m",
            "lastTimestamp": "2026-11-30T10:00:00Z",
        }
        kube.put_object(EVENTS, event)
    line = f"2026-11-30T10:00:00Z login --password {SECRET}\n2026-11-30T10:00:01Z \x1b]0;hi\x07\n"
    kube.logs[OWN, "netplane-cni-a", "app", False] = line.encode()
    kube.logs[OWN, "netplane-webhook-b", "app", False] = b"2026-11-30T10:00:02Z ready\n"
    kube.logs[OWN, "netplane-webhook-b", "app", True] = b"2026-11-30T09:00:02Z killed\n"
    return kube
