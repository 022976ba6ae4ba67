"""A plugin is removed from a node: its pod is deleted, and uninstalling drops what is left."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.cluster.e2e.conftest import Spaces
from tests.cluster.lab.cluster import Cluster
from tests.cluster.lab.node import Node
from tests.cluster.netplane import NETWORKS, OVERLAYS, SYSTEM, Netplane, Workspace
from tests.cluster.workloads import pod

pytestmark = pytest.mark.timeout(420)

STILL_IN_USE = 3
UNINSTALL = str(OVERLAYS / "uninstall")
# Somebody's own plugin: a pair of interfaces, and a file that its DEL removes.
PLUGIN = """#!/bin/sh
cat >/dev/null
mkdir -p /var/lib/odd
case $CNI_COMMAND in
ADD)
  nsenter --net="$CNI_NETNS" ip link add "$CNI_IFNAME" type veth peer name odd-far || exit 1
  touch "/var/lib/odd/$CNI_CONTAINERID"
  printf '{"cniVersion": "1.0.0", "interfaces": [{"name": "%s", "sandbox": "%s"}], "ips": %s}\\n' \\
    "$CNI_IFNAME" "$CNI_NETNS" '[{"address": "10.77.0.5/24", "interface": 0}]'
  ;;
DEL) rm -f "/var/lib/odd/$CNI_CONTAINERID" ;;
esac
"""
NAD = {
    "apiVersion": "k8s.cni.cncf.io/v1",
    "kind": "NetworkAttachmentDefinition",
    "metadata": {"name": "odd", "namespace": "kube-system"},
    "spec": {"config": json.dumps({"cniVersion": "1.0.0", "name": "odd", "type": "odd"})},
}


@pytest.fixture
def node(cluster: Cluster) -> Iterator[Node]:
    """The first node, with the plugin and a network of it; both go with the test."""
    one = cluster.node("node1")
    plugin = one.disk("/opt/cni/bin/odd")
    plugin.write_text(PLUGIN)
    plugin.chmod(0o755)
    cluster.server.apply(NAD)
    yield one
    plugin.unlink(missing_ok=True)
    cluster.kubectl("-n", "kube-system", "delete", "net-attach-def", "odd", "--ignore-not-found")


@pytest.fixture
def vanished(node: Node, spaces: Spaces) -> Workspace:
    """The namespace of a pod that was deleted after its plugin had vanished."""
    space = spaces()
    space.apply(pod("web", node="node1", annotations={NETWORKS: "kube-system/odd@odd0"}))
    space.wait_ready("web")
    assert space.networks("web")["odd0"] == ["10.77.0.5"]
    node.disk("/opt/cni/bin/odd").unlink()
    # The pod does not hang: kubelet is told that it is done while we go on trying.
    space.kubectl("delete", "pod", "web", "--wait", "--timeout=100s", seconds=110)
    return space


def cni(netplane: Netplane, *words: str) -> str:
    """Run a command of netplane-cni in the daemon's container on the first node."""
    (name,) = [
        one["metadata"]["name"]
        for one in netplane.pods("netplane-cni")
        if one["spec"]["nodeName"] == "node1"
    ]
    argv = ("exec", name, "-c", "cni", "--", "python3", "-m", "cni", *words)
    return netplane.cluster.kubectl("-n", SYSTEM, *argv)


def pending(netplane: Netplane, space: Workspace) -> list[dict[str, Any]]:
    found = json.loads(cni(netplane, "pending", "-o", "json"))
    return [one for one in found if one["pod"] == f"{space.name}/web"]


def test_its_entry_is_told_with_its_cause_until_it_is_forgotten(
    netplane: Netplane, vanished: Workspace
) -> None:
    netplane.cluster.wait_for("the entry", lambda: pending(netplane, vanished))
    (one,) = pending(netplane, vanished)
    assert one["networks"] == ["kube-system/odd"]
    assert one["attempts"] >= 1
    assert 'cannot find plugin "odd"' in one["error"]
    said = cni(netplane, "forget", one["containerID"])
    assert "network kube-system/odd: interface odd0, addresses 10.77.0.5/24" in said
    assert pending(netplane, vanished) == []


def test_uninstalling_says_which_entry_it_is_and_release_drops_it(
    netplane: Netplane, vanished: Workspace
) -> None:
    cluster = netplane.cluster
    cluster.wait_for("the entry", lambda: pending(netplane, vanished))
    try:
        cluster.kubectl("apply", "-k", UNINSTALL)
        cluster.wait_for("the refusal", lambda: ended(netplane) == STILL_IN_USE, seconds=120)
        said: list[str] = []

        def told() -> bool:
            # Read once: the kubelet starts the container again, whose log begins anew.
            said[:] = [one for one in said_by_cleaner(netplane) if "cannot clean this node" in one]
            return bool(said)

        cluster.wait_for("its reason", told, seconds=120)
        last = said[-1]
        assert f"of {vanished.name}/web" in last
        assert 'cannot find plugin "odd"' in last
        assert "--release" in last
        change = ("daemonset/netplane-cni", "-c", "uninstall", "NETPLANE_RELEASE=true")
        cluster.kubectl("-n", SYSTEM, "set", "env", *change)
        netplane.rollout("daemonset/netplane-cni", seconds=180)
        (gave_up,) = [line for line in said_by_cleaner(netplane) if "gave up: " in line]
        assert "network kube-system/odd" in gave_up
        assert not cluster.node("node1").disk("/var/lib/netplane/journal").exists()
    finally:
        netplane.install()


def cleaner(netplane: Netplane) -> Mapping[str, Any]:
    """Return the pod that cleans the first node; {} where there is none yet."""
    found = [
        one
        for one in netplane.pods("netplane-cni")
        if one["spec"]["nodeName"] == "node1"
        and one["spec"]["initContainers"][0]["name"] == "uninstall"
        and "deletionTimestamp" not in one["metadata"]
    ]
    return found[0] if found else {}


def ended(netplane: Netplane) -> int | None:
    """How the container that cleans the first node ended last."""
    for status in cleaner(netplane).get("status", {}).get("initContainerStatuses", []):
        for state in (status.get("state", {}), status.get("lastState", {})):
            if "terminated" in state:
                return int(state["terminated"]["exitCode"])
    return None


def said_by_cleaner(netplane: Netplane) -> list[str]:
    """Return the log of the cleaning container's last run, line by line."""
    found = cleaner(netplane)
    if not found:
        return []
    name = found["metadata"]["name"]
    return netplane.cluster.kubectl("-n", SYSTEM, "logs", name, "-c", "uninstall").splitlines()
