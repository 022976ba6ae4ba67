"""Pods and networks as Multus' users have them: NADs of their own, annotations, no planes."""

from __future__ import annotations

import json
from typing import Any

from tests.cluster.lab.node import Node
from tests.cluster.netplane import NETWORKS
from tests.cluster.workloads import Manifest, pod

INTERFACES = ("net1", "net2")


def attached(name: str, node: Node) -> Manifest:
    """Return a pod on a node with a network of one plugin and one of a chain."""
    number = node.number
    wish = {NETWORKS: f"biz-{number}, sto-{number}"}
    return pod(f"{name}-{number}", annotations=wish, node=node.name, needs=("eth0", *INTERFACES))


def networks(node: Node) -> list[Manifest]:
    """Return the networks of a node's pods: addresses of host-local are a node's own."""
    number = node.number
    biz = {"cniVersion": "1.0.0", "name": f"biz-{number}", **macvlan("eth1", 50, number)}
    tuning = {"type": "tuning", "sysctl": {"net.ipv4.conf.IFNAME.arp_filter": "1"}}
    chain = [macvlan("eth2", 60, number), tuning]
    sto = {"cniVersion": "1.0.0", "name": f"sto-{number}", "plugins": chain}
    return [
        {
            "apiVersion": "k8s.cni.cncf.io/v1",
            "kind": "NetworkAttachmentDefinition",
            "metadata": {"name": conf["name"]},
            "spec": {"config": json.dumps(conf)},
        }
        for conf in (biz, sto)
    ]


def macvlan(master: str, third: int, number: int) -> dict[str, Any]:
    subnet = {
        "subnet": f"192.168.{third}.0/24",
        "rangeStart": f"192.168.{third}.{number}0",
        "rangeEnd": f"192.168.{third}.{number}9",
    }
    ipam = {"type": "host-local", "ranges": [[subnet]]}
    return {"type": "macvlan", "master": master, "mode": "bridge", "ipam": ipam}
