"""The address counts of a plane on a real API server, with the webhook as it is shipped."""

from __future__ import annotations

import json
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from planes.kube.addresses.holders import Holder, static_object
from planes.kube.addresses.ipblocks import NodeBlock
from planes.model.errors import JsonObject
from planes.model.names import NETPLANE_NAMESPACE, PLANE_HEALTH_ANNOTATION
from planes.model.state.node_use import NodeUse
from planes.model.state.plane_health import encode_report
from planes.store.protocol import AddressOwner
from tests.cluster.installed_webhook import (
    PLANE,
    STATUS,
    Installed,
    namespace,
    pod,
    running_webhook,
    until,
)

SECONDS = 20
NAME = "counted"
NODE_USER = "system:node:node1"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Installed]:
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node1"}}
    with running_webhook(
        namespace("shop", **{f"plane.netplane.io/{NAME}": "enabled"}), node
    ) as made:
        rights = ("--verb=get,patch", "--resource=pods,pods/status")
        made.server.kubectl("create", "clusterrole", "statuses", *rights)
        bound = ("--clusterrole=statuses", f"--user={NODE_USER}")
        made.server.kubectl("create", "clusterrolebinding", "statuses", *bound)
        yield made


def plane() -> JsonObject:
    common: Any = PLANE["spec"]
    spec = {
        **common,
        "network": {"type": "vlan", "master": "eth1", "vlan": 9},
        "subnets": [{"cidr": "10.3.0.0/27", "staticRanges": ["10.3.0.25-10.3.0.28"]}],
        "staticIPs": {"allow": "Any"},
    }
    return {**PLANE, "metadata": {"name": NAME}, "spec": spec}


def attach(cluster: Installed, number: int) -> None:
    """Run a pod on node1, with the status that the node writes."""
    obj = pod(f"web-{number}", "shop")
    cluster.server.apply({**obj, "spec": {**obj["spec"], "nodeName": "node1"}})
    ips = [f"10.3.0.{number + 1}"]
    shown = [{"name": f"{NETPLANE_NAMESPACE}/{NAME}", "interface": "net1", "ips": ips}]
    patch = json.dumps({"metadata": {"annotations": {STATUS: json.dumps(shown)}}})
    where = ("-n", "shop", "pod", f"web-{number}", "--subresource=status", "--type=merge")
    cluster.server.kubectl("patch", *where, "-p", patch, user=NODE_USER)


def report(cluster: Installed, held: int, resting: int) -> None:
    """Have the daemon of node1 report."""
    obj = pod("netplane-cni-node1", NETPLANE_NAMESPACE)
    metadata = {
        **obj["metadata"],
        "labels": {"app.kubernetes.io/name": "netplane-cni"},
        "annotations": {
            PLANE_HEALTH_ANNOTATION: encode_report("node1", {}, {NAME: NodeUse(held, resting)})
        },
    }
    cluster.server.apply(
        {**obj, "metadata": metadata, "spec": {**obj["spec"], "nodeName": "node1"}}
    )


def counts(cluster: Installed) -> tuple[Any, ...]:
    """Return capacity, in use, static, cooling and available."""
    status = cluster.server.get("plane", NAME).get("status") or {}
    return tuple(status.get(k) for k in ("capacity", "inUse", "static", "cooling", "available"))


def test_counts_are_true_within_seconds_and_exhaustion_is_told_before_it_hurts(
    cluster: Installed,
) -> None:
    server = cluster.server
    server.apply(plane())
    server.apply(NodeBlock(NAME, "node1", ip_network("10.3.0.0/27")).to_json())
    until(SECONDS, lambda: counts(cluster) == (30, 0, 0, 0, 30))
    for number in range(3):
        attach(cluster, number)
    held = {
        ip_address("10.3.0.26"): Holder(AddressOwner("c1", "net1", "shop", "web-0", "uid", "node1"))
    }
    server.apply(static_object(NAME, ip_network("10.3.0.0/26"), held))
    until(SECONDS, lambda: counts(cluster) == (30, 4, 1, 0, 26))
    report(cluster, 3, 5)
    until(SECONDS, lambda: counts(cluster) == (30, 4, 1, 5, 21))
    report(cluster, 3, 10**6)
    until(SECONDS, lambda: counts(cluster) == (30, 4, 1, 23, 3))
    (found,) = [
        one
        for one in server.get("plane", NAME)["status"]["conditions"]
        if one["type"] == "Exhausted"
    ]
    assert (found["status"], found["reason"]) == ("True", "NoAddressLeft")
    until(SECONDS, lambda: "Exhausted" in server.kubectl("get", "events", "-n", "default"))
    assert f'netplane_plane_exhausted{{plane="{NAME}"}} 1.0' in cluster.ask("/metrics")[1]
