"""A cluster on which all is well: what a test breaks of it is all that is wrong."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

from planes.kube.resources import (
    DAEMON_SETS,
    DEPLOYMENTS,
    EVENTS,
    LEASES,
    MUTATING_HOOKS,
    NODES,
    PLANES,
    PODS,
    SECRETS,
    VALIDATING_HOOKS,
)
from planes.model.errors import JsonObject
from planes.run.clock import rfc3339
from tests.support.certificates import make_root
from tests.support.clock import FakeClock
from tests.support.kube.fake_kube import FakeKube
from tests.support.planes import plane_object

SYSTEM = "netplane-system"
IMAGE = "example.org/netplane:9.9.9"
KEY_BYTES = b64encode(b"-----BEGIN PRIVATE KEY-----").decode()


class HealthyCluster:
    """Two webhook replicas with a leader, two nodes with daemons, one plane that is in force."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.kube = FakeKube(clock=self.clock)
        self.workloads()
        self.lease("netplane-webhook-1_ab12")
        self.certificates()
        for node in ("n1", "n2"):
            self.kube.put_object(NODES, {"metadata": {"name": node}})
            self.daemon(node)
        self.plane()

    def workloads(self, *, webhook: int = 2, daemons: int = 2, image: str = IMAGE) -> None:
        """Put the Deployment and the DaemonSet with so many ready replicas, of two each."""
        spec = {"template": {"spec": {"containers": [{"name": "c", "image": IMAGE}]}}}
        other = {"template": {"spec": {"containers": [{"name": "c", "image": image}]}}}
        meta = {"namespace": SYSTEM}
        deployment = {
            "metadata": {**meta, "name": "netplane-webhook"},
            "spec": {**spec, "replicas": 2},
            "status": {"readyReplicas": webhook},
        }
        daemon_set = {
            "metadata": {**meta, "name": "netplane-cni"},
            "spec": other,
            "status": {"desiredNumberScheduled": 2, "numberReady": daemons},
        }
        self.kube.put_object(DEPLOYMENTS, deployment)
        self.kube.put_object(DAEMON_SETS, daemon_set)

    def lease(self, holder: str, *, seconds_ago: float = 1.0) -> None:
        """Put the webhook's Lease."""
        renewed = datetime.fromtimestamp(self.clock.now() - seconds_ago, UTC)
        spec = {"holderIdentity": holder, "renewTime": renewed.strftime("%Y-%m-%dT%H:%M:%S.%fZ")}
        meta = {"name": "netplane-webhook", "namespace": SYSTEM}
        self.kube.put_object(LEASES, {"metadata": meta, "spec": spec})

    def certificates(self, *, root_days: float = 300, serving_days: float = 60) -> None:
        """Put the webhook configurations and the Secret, which has a key that nobody may see."""
        now = datetime.fromtimestamp(self.clock.now(), UTC)
        root = make_root(now + timedelta(days=root_days - 365))
        bundle = b64encode(root.certificate.pem).decode()
        self.bundles(bundle)
        ends = rfc3339(self.clock.now() + serving_days * 86400)
        meta = {"name": "netplane-webhook-tls", "namespace": SYSTEM}
        meta["annotations"] = {"netplane.io/expires": ends}  # type: ignore[assignment]
        self.kube.put_object(SECRETS, {"metadata": meta, "data": {"tls.key": KEY_BYTES}})

    def bundles(self, *bundles: str) -> None:
        """Put both webhook configurations, with a webhook for each CA bundle."""
        hooks = [{"name": "w", "clientConfig": {"caBundle": text}} for text in bundles]
        for kind in (MUTATING_HOOKS, VALIDATING_HOOKS):
            self.kube.put_object(kind, {"metadata": {"name": "netplane"}, "webhooks": hooks})

    def daemon(
        self,
        node: str,
        *,
        is_ready: bool = True,
        image: str = IMAGE,
        report: str = "",
        **status: Any,
    ) -> None:
        """Put the daemon's pod of a node."""
        meta: JsonObject = {
            "name": f"netplane-cni-{node}",
            "namespace": SYSTEM,
            "labels": {"app.kubernetes.io/name": "netplane-cni"},
        }
        if report:
            meta["annotations"] = {"netplane.io/plane-health": report}
        conditions = [{"type": "Ready", "status": "True" if is_ready else "False"}]
        spec = {"nodeName": node, "containers": [{"name": "cni", "image": image}]}
        obj = {
            "metadata": meta,
            "spec": spec,
            "status": {"phase": "Running", "conditions": conditions, **status},
        }
        self.kube.put_object(PODS, obj)

    def plane(self, name: str = "business", **conditions: tuple[str, str]) -> None:
        """Put a plane that is in force but for some conditions: each a status and a message."""
        known = {
            "Accepted": ("True", ""),
            "NADReady": ("True", ""),
            "Available": ("True", ""),
            "Exhausted": ("False", ""),
            "BlocksIgnored": ("False", ""),
            **conditions,
        }
        status = {
            "conditions": [
                {"type": key, "status": value, "reason": "R", "message": text}
                for key, (value, text) in known.items()
            ],
            "inUse": 3,
            "capacity": 250,
            "available": 247,
            "namespaces": 1,
        }
        self.kube.put_object(PLANES, {**plane_object(name), "status": status})

    def event(self, reason: str, message: str, *, seconds_ago: float = 60, **more: Any) -> None:
        """Put a warning of Netplane's about a pod of shop."""
        meta = {"name": f"e{len(self.kube.objects(EVENTS))}", "namespace": "shop"}
        obj = {
            "metadata": meta,
            "involvedObject": {"kind": "Pod", "namespace": "shop", "name": "web-0"},
            "reason": reason,
            "message": message,
            "type": "Warning",
            "reportingComponent": "netplane",
            "source": {"component": "netplane"},
            "lastTimestamp": rfc3339(self.clock.now() - seconds_ago),
            **more,
        }
        self.kube.put_object(EVENTS, obj)
