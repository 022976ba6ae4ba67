"""What the nodes of these tests carry: a namespace with two planes, one without, and NADs."""

from __future__ import annotations

import json
from typing import Any

from tests.support.node.node import NAMESPACE
from tests.support.planes import plane_object

JsonObject = dict[str, Any]

BUSINESS = plane_object(
    "business",
    purpose="business traffic",
    network={"type": "macvlan", "master": "eth1", "mode": "bridge"},
    subnets=[
        {
            "cidr": "192.168.0.0/16",
            "gateway": "192.168.0.1",
            "ranges": ["192.168.10.0-192.168.10.255"],
            "staticRanges": ["192.168.100.0/24"],
        }
    ],
    ipam={"mode": "Plane"},
    staticIPs={"allow": "Any", "perOrdinal": True},
)
STORAGE = plane_object(
    "storage",
    network={"type": "macvlan", "master": "eth2", "mode": "bridge"},
    interface="san0",
    subnets=[{"cidr": "10.8.0.0/24"}],
)


def namespace_object(name: str, *planes: str) -> JsonObject:
    """Return a Namespace that joins planes."""
    labels = {f"plane.netplane.io/{plane}": "enabled" for plane in planes}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def nad_object(name: str, namespace: str, config: JsonObject) -> JsonObject:
    """Return a NAD."""
    return {
        "apiVersion": "k8s.cni.cncf.io/v1",
        "kind": "NetworkAttachmentDefinition",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"config": json.dumps(config)},
    }


LAB = {"cniVersion": "1.0.0", "name": "lab", "type": "macvlan", "master": "eth1", "ipam": {}}

MANIFESTS = [
    BUSINESS,
    STORAGE,
    namespace_object(NAMESPACE, "business", "storage"),
    namespace_object("plain"),
    nad_object("lab", NAMESPACE, LAB),
]
