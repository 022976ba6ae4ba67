"""Nodes and their Leases, as kubelets and administrators leave them."""

from __future__ import annotations

from planes.kube.addresses.node_look import NODE_LEASES, OUT_OF_SERVICE_TAINT
from planes.kube.resources import LEASES, NODES
from planes.model.errors import JsonObject
from tests.support.kube.fake_kube import FakeKube


def node_object(name: str, *, is_ready: bool = True, is_out_of_service: bool = False) -> JsonObject:
    """Return a Node; one that is out of service has the taint."""
    taint = {"key": OUT_OF_SERVICE_TAINT, "value": "nodeshutdown", "effect": "NoExecute"}
    return {
        "metadata": {"name": name},
        "spec": {"taints": [taint] if is_out_of_service else []},
        "status": {
            "conditions": [
                {"type": "MemoryPressure", "status": "False"},
                {"type": "Ready", "status": "True" if is_ready else "Unknown"},
            ]
        },
    }


def put_node(kube: FakeKube, name: str, *, is_ready: bool = True) -> None:
    """Have a node in service, without a Lease."""
    kube.put_object(NODES, node_object(name, is_ready=is_ready))


def shut_down(kube: FakeKube, name: str) -> None:
    """Have a node as an administrator marks one that was shut down."""
    kube.put_object(NODES, node_object(name, is_ready=False, is_out_of_service=True))


def renew(kube: FakeKube, name: str, at: float) -> None:
    """Renew a node's Lease as its kubelet does."""
    meta = {"name": name, "namespace": NODE_LEASES}
    spec = {"holderIdentity": name, "leaseDurationSeconds": 40, "renewTime": f"{at:.6f}"}
    kube.put_object(LEASES, {"metadata": meta, "spec": spec})


def delete_node(kube: FakeKube, name: str) -> None:
    """Delete a Node object, and its Lease with it, as Kubernetes does."""
    kube.remove_object(NODES, name)
    kube.remove_object(LEASES, name, NODE_LEASES)
