"""The command `netplane` on a real cluster, as an administrator uses it on the second day."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.e2e.conftest import Spaces
from tests.cluster.lab.cluster import Cluster
from tests.cluster.netplane import Netplane, Workspace, address, status_of
from tests.cluster.workloads import deployment, pod

OTHER_CONFIG = "00-a.conflist"
PLAN = {
    "networks": {
        "default": {"cni": "flannel", "cidr": "10.244.0.0/16"},
        "planned": {"cni": "macvlan", "cidr": "10.77.0.0/24", "interface": "eth1"},
    }
}


def test_status_says_which_config_shadows_ours_and_doctor_on_which_node(
    cluster: Cluster, netplane: Netplane
) -> None:
    cluster.wait_for("all is well", lambda: netplane.asks("status").returncode == 0)
    node = cluster.node("node2")
    other = node.disk("/etc/cni/net.d") / OTHER_CONFIG
    other.write_text('{"cniVersion": "1.0.0", "name": "a", "plugins": [{"type": "loopback"}]}')
    said = f"{OTHER_CONFIG} comes before"
    try:
        cluster.wait_for("the fault", lambda: said in netplane.asks("status").stdout)
        seen = netplane.asks("status")
        assert seen.returncode == 1
        assert "the daemon of 1 node is not ready (node2): " in seen.stdout
        found = netplane.asks("doctor", "node2", "-o", "json")
        assert found.returncode == 1
        assert said in found.stdout
        assert said not in netplane.asks("doctor", "node1", "-o", "json").stdout
    finally:
        other.unlink()
    cluster.wait_for("all is well again", lambda: netplane.asks("status").returncode == 0)


def test_the_map_has_each_interface_of_each_pod(netplane: Netplane, space: Workspace) -> None:
    space.apply(deployment("front", 4))
    space.kubectl("rollout", "status", "deployment/front", "--timeout=60s")
    drawn = netplane.asks("map", "-n", space.name, "-o", "json")
    assert drawn.returncode == 0, drawn.stderr
    shown = {
        one["name"].rpartition("/")[2]: {
            stop["interface"]: [each["address"] for each in stop["addresses"]]
            for stop in one["interfaces"]
        }
        for group in json.loads(drawn.stdout)["groups"]
        for one in group["pods"]
    }
    assert shown == {one["metadata"]["name"]: status_of(one) for one in space.pods()}


def test_who_has_an_address_is_answered(netplane: Netplane, space: Workspace) -> None:
    space.apply(pod("one"))
    space.wait_ready("one")
    asked = netplane.asks("ip", "who", address(space.networks("one"), "net1"), "-o", "json")
    assert asked.returncode == 0, asked.stderr
    assert f"{space.name}/one" in asked.stdout


@pytest.fixture
def planned(netplane: Netplane, spaces: Spaces, tmp_path: Path) -> Iterator[Workspace]:
    """A namespace of which a plan says that it joins a plane; the plan is applied."""
    space = spaces()
    (tmp_path / "plan.json").write_text(json.dumps(PLAN))
    facts = ("--set", "planned.ranges=null", "--set", f"planned.namespaces={space.name}")
    made = netplane.asks("plan", "import", str(tmp_path / "plan.json"), *facts)
    assert made.returncode == 0, made.stderr
    space.kubectl("apply", "-f", "-", text=made.stdout)
    diff = netplane.asks("plan", "diff", str(tmp_path / "plan.json"), *facts, "-o", "json")
    assert (diff.returncode, json.loads(diff.stdout)["changes"]) == (0, [])
    yield space
    space.delete(wait=True)
    space.cluster.kubectl("delete", "plane", "planned", seconds=90)


def test_pods_get_the_planes_of_a_plan(planned: Workspace) -> None:
    planned.apply(pod("one", node="node1"), pod("two", node="node2"))
    planned.wait_ready("one", "two")
    found = address(planned.networks("two"), "net1")
    assert found.startswith("10.77.0.")
    assert " 0% packet loss" in planned.inside("one", "ping", "-c1", "-w5", found)
