"""README's quick start, docs/cluster.md after it, then uninstalling: command by command as written.

A cluster of its own. Each stage is a fixture on top of the one before; the tests look at what it
left. Of the commands one is not run: `make image`, which made the image that is imported here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.cluster import traces
from tests.cluster.documents import blocks
from tests.cluster.e2e.conftest import stage
from tests.cluster.lab.cluster import Cluster, running_cluster
from tests.cluster.lab.process import NotReadyError
from tests.cluster.netplane import IMAGE, Netplane, Workspace, status_of
from tests.cluster.workloads import pod

NODES = ("node1", "node2")
PLANES = ("net1", "net2")
STILL_IN_USE = 3
IMAGE_BLOCK = "make image\n"
# What stays in the cluster on purpose: others use it.
KEPT = (
    "CustomResourceDefinition//network-attachment-definitions.k8s.cni.cncf.io",
    "APIService//v1.k8s.cni.cncf.io",
)

pytestmark = pytest.mark.timeout(300)


@dataclass
class Stay:
    """A cluster from before Netplane to after it, and what was seen on the way."""

    cluster: Cluster
    netplane: Netplane
    early: Workspace
    """Labelled for planes before there was a Netplane, with a pod on each node from then."""
    traces: dict[str, list[traces.Trace]] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)

    def write_down(self, when: str) -> None:
        """Keep what is on the nodes and in the cluster."""
        nodes = [traces.of_node(node) for node in self.cluster.nodes]
        self.traces[when] = [traces.of_cluster(self.cluster), *nodes]

    def is_as_before(self) -> bool:
        """Report whether the nodes are what they were."""
        now = [traces.of_node(node) for node in self.cluster.nodes]
        return now == self.traces["before"][1:]

    def follow(self, name: str, script: str) -> None:
        """Run commands of a document and keep what they said."""
        self.said[name] = self.netplane.command_line(script)

    def cleaners(self) -> Mapping[str, dict[str, Any]]:
        """{node: status of the container that cleans it}."""
        return {
            one["spec"]["nodeName"]: status
            for one in self.netplane.pods("netplane-cni")
            for status in one["status"].get("initContainerStatuses", [])
            if status["name"] == "uninstall"
        }

    def are_refusing(self) -> bool:
        """Report whether every node's cleaner ended because pods still have planes."""
        codes = [exit_code(status) for status in self.cleaners().values()]
        return codes == [STILL_IN_USE] * len(NODES)


def exit_code(status: Mapping[str, Any]) -> int | None:
    """How a container ended last; None where it did not yet."""
    for state in (status.get("state", {}), status.get("lastState", {})):
        if "terminated" in state:
            return int(state["terminated"]["exitCode"])
    return None


@pytest.fixture(scope="module")
def before(empty_cluster_reason: str) -> Iterator[Stay]:
    """A cluster as anybody has it, with a pod on each node."""
    if empty_cluster_reason:
        pytest.skip(empty_cluster_reason)
    with running_cluster() as cluster:
        stay = Stay(cluster, Netplane(cluster), Workspace(cluster, "early"))
        cluster.load(IMAGE)
        stay.early.create({"business": "enabled"})
        stay.early.apply(*(pod(f"old-{node}", node=node) for node in NODES))
        stay.early.wait_ready()
        stay.write_down("before")
        yield stay


@pytest.fixture(scope="module")
def quick_start(before: Stay) -> Stay:
    """README's cluster quick start was followed."""
    with stage(before.cluster, "install-quick-start"):
        make_image, rest = blocks("README.md", "On a cluster")
        assert make_image == IMAGE_BLOCK
        before.follow("quick start", rest)
        before.write_down("installed")
    return before


@pytest.fixture(scope="module")
def documented(quick_start: Stay) -> Stay:
    """What docs/cluster.md says on installing and on planes was followed on top of it."""
    with stage(quick_start.cluster, "install-document"):
        make_image, install = blocks("docs/cluster.md", "Install")
        assert make_image == IMAGE_BLOCK
        quick_start.follow("install", install)
        planes, shop, database = blocks("docs/cluster.md", "Planes, and who joins")
        quick_start.follow("planes", planes)
        quick_start.follow("shop", shop)
        quick_start.follow("database", database)
    return quick_start


@pytest.fixture(scope="module")
def held_up(documented: Stay) -> Stay:
    """Uninstalling was begun while a pod on each node still has planes."""
    with stage(documented.cluster, "install-held-up"):
        documented.early.apply(*(pod(f"held-{node}", node=node, needs=("net1",)) for node in NODES))
        documented.early.wait_ready()
        documented.netplane.command_line("kubectl delete namespace shop")
        uninstall, *_ = blocks("docs/cluster.md", "Uninstall")
        first, wait, _ = uninstall.partition("kubectl -n netplane-system rollout status")
        assert wait != ""
        documented.follow("uninstall, first half", first)
        documented.cluster.wait_for("refusals", documented.are_refusing, seconds=120)
    return documented


@pytest.fixture(scope="module")
def cleaned(held_up: Stay) -> Stay:
    """One pod was deleted, the planes were taken out of the other one."""
    with stage(held_up.cluster, "install-cleaned"):
        _, who, release = blocks("docs/cluster.md", "Uninstall")

        def both_are_named() -> bool:
            held_up.follow("who", who)
            return all(f"early/held-{node};" in held_up.said["who"] for node in NODES)

        # A container that is being started again has said nothing yet.
        held_up.cluster.wait_for("both named", both_are_named)
        held_up.early.kubectl("delete", "pod", "held-node1", "--wait")
        # Its node needs nobody's hand any more: the cleaner is run again by itself.
        held_up.cluster.wait_for(
            "node1 clean", lambda: exit_code(held_up.cleaners()["node1"]) == 0, seconds=120
        )
        held_up.follow("release", release)
    return held_up


@pytest.fixture(scope="module")
def uninstalled(cleaned: Stay) -> Stay:
    """All commands were given, from the first on."""
    with stage(cleaned.cluster, "install-uninstalled"):
        uninstall, *_ = blocks("docs/cluster.md", "Uninstall")
        cleaned.follow("uninstall", uninstall)
        cleaned.said["released"] = cleaned.early.inside("held-node2", "ip", "-o", "addr")
        cleaned.early.apply(*(pod(f"new-{node}", node=node) for node in NODES))
        cleaned.early.wait_ready()
        names = ("held-node2", *(f"new-{node}" for node in NODES))
        cleaned.early.kubectl("delete", "pod", *names, "--wait")
        # A pod is gone from the API before its sandbox is.
        with suppress(NotReadyError):
            cleaned.cluster.wait_for("quiet nodes", cleaned.is_as_before, seconds=60)
        cleaned.write_down("after")
    return cleaned


def test_installing_begins_with_no_failed_probe(quick_start: Stay) -> None:
    """Each would be a warning that everybody who installs has to find harmless (issue 10, 8)."""
    events = quick_start.cluster.server.get("events", "-n", "netplane-system")["items"]
    messages = [one["message"] for one in events if one["reason"] == "Unhealthy"]
    assert [text for text in messages if text.startswith("Startup probe failed")] == []


def test_the_quick_start_shows_pods_with_planes_and_their_events(quick_start: Stay) -> None:
    said = quick_start.said["quick start"]
    added = re.findall(r"Add (net[12]) \[\S+/16\] from netplane-system/(\w+)", said)
    assert sorted(added) == [("net1", "business")] * 2 + [("net2", "storage")] * 2
    row = r"^business +macvlan +netplane-system/business +eth1 +192\.168\.0\.0/16 "
    assert re.search(row, said, flags=re.M)


def test_installing_is_seen_in_the_cluster_and_on_each_node(quick_start: Stay) -> None:
    """So the comparison at the end would see what is left."""
    (cluster, *nodes) = (
        {line.split(":")[0] for line in traces.differences(before, after)}
        for before, after in zip(
            quick_start.traces["before"], quick_start.traces["installed"], strict=True
        )
    )
    assert {"Namespace//netplane-system", "ClusterRole//view", "Namespace//early"} <= cluster
    for node in nodes:
        assert {"/opt/cni/bin/netplane", "/etc/cni/net.d/00-netplane.conflist"} <= node
        assert any(line.startswith("/var/lib/netplane/journal/") for line in node)


def test_a_namespace_that_was_labelled_before_has_joined(quick_start: Stay) -> None:
    labels = quick_start.cluster.server.get("namespace", "early")["metadata"]["labels"]
    assert labels["netplane.io/joined"] == "true"


def test_installing_again_changes_nothing(documented: Stay) -> None:
    applied = [line for line in documented.said["install"].splitlines() if "/" in line]
    changed = [line for line in applied if line.endswith(("configured", "created"))]
    # kubectl sends its selector each time.
    assert changed == ["poddisruptionbudget.policy/netplane-webhook configured"]


def test_the_document_shows_the_address_of_each_replica(documented: Stay) -> None:
    assert '"192.168.100.10"' in documented.said["database"]


def test_a_node_with_a_pod_that_has_planes_says_so_and_names_it(cleaned: Stay) -> None:
    said = cleaned.said["who"].splitlines()
    assert len(said) == len(NODES)
    told = sorted(line.partition("pods still have planes: ")[2].split(";")[0] for line in said)
    assert told == [f"early/held-{node}" for node in NODES]


def test_a_released_pod_runs_on_without_planes(uninstalled: Stay) -> None:
    found = set(re.findall(r"\b(eth0|net\d)\b", uninstalled.said["released"]))
    assert found == {"eth0"}


def test_pods_from_before_lived_through_all(uninstalled: Stay) -> None:
    for node in NODES:
        one = uninstalled.early.get("pod", f"old-{node}")
        assert [c["restartCount"] for c in one["status"]["containerStatuses"]] == [0]
        assert status_of(one) == {}


def test_the_cluster_has_what_it_had_before_and_the_kind_of_nads(uninstalled: Stay) -> None:
    before, after = (uninstalled.traces[when][0] for when in ("before", "after"))
    found = traces.differences(before, after)
    assert sorted(line for line in found if not line.startswith(KEPT)) == []
    assert len(found) == len(KEPT)


@pytest.mark.parametrize("number", [1, 2])
def test_a_node_is_as_it_was_before(uninstalled: Stay, number: int) -> None:
    before, after = (uninstalled.traces[when][number] for when in ("before", "after"))
    assert traces.differences(before, after) == []
