"""Planes deleted while pods have them, and labels with typing errors, on a whole cluster."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from tests.cluster.apiserver import KubectlError
from tests.cluster.e2e.conftest import Spaces
from tests.cluster.lab.cluster import Cluster
from tests.cluster.netplane import Netplane, Workspace
from tests.cluster.workloads import deployment, pod

Make = Callable[..., str]

# Run alone, the first test waits for the cluster.
pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def planes(netplane: Netplane) -> Iterator[Make]:
    """Makes planes beside the example's: `planes("short", 77)` has 10.77.0.0/24; they go after."""
    cluster, made = netplane.cluster, list[str]()

    def make(name: str, octet: int, **spec: Any) -> str:
        made.append(name)
        network = {"type": "macvlan", "master": "eth1"}
        subnets = [{"cidr": f"10.{octet}.0.0/24"}]
        cluster.server.apply(
            {
                "apiVersion": "netplane.io/v1alpha1",
                "kind": "Plane",
                "metadata": {"name": name},
                "spec": {"network": network, "subnets": subnets, **spec},
            }
        )
        cluster.kubectl("wait", "plane", name, "--for=condition=Accepted", "--timeout=20s")
        return name

    yield make
    for name in made:
        with suppress(KubectlError):  # it has gone
            orphan = json.dumps({"spec": {"deletionPolicy": "Orphan"}})
            cluster.kubectl("patch", "plane", name, "--type=merge", "-p", orphan)
        cluster.kubectl("delete", "plane", name, "--timeout=30s", "--ignore-not-found")


def is_there(cluster: Cluster, name: str) -> bool:
    return bool(cluster.kubectl("get", "plane", name, "--ignore-not-found", "-o", "name"))


def roll(space: Workspace, name: str, mark: str) -> None:
    """Have a Deployment make its pods anew; `kubectl rollout restart` does so once a second."""
    template = {"metadata": {"annotations": {"netplane.test/roll": mark}}}
    changed = json.dumps({"spec": {"template": template}})
    space.kubectl("patch", "deployment", name, "--type=merge", "-p", changed)
    space.kubectl("rollout", "status", f"deployment/{name}", "--timeout=60s")


def attached(space: Workspace, name: str) -> bool:
    return any(ip.startswith("10.77.") for ips in space.networks(name).values() for ip in ips)


def test_a_plane_with_pods_stays_in_force_until_they_are_gone(
    cluster: Cluster, spaces: Spaces, planes: Make
) -> None:
    planes("short", 77)
    space = spaces(short="enabled")
    space.apply(deployment("front", 2))
    space.kubectl("rollout", "status", "deployment/front", "--timeout=60s")
    said = cluster.server.told("delete", "plane", "short", "--wait=false")
    assert "Warning: plane short stays in force until no pod has it: 2 pods" in said
    assert f"{space.name}/front-" in said
    cluster.kubectl("wait", "plane", "short", "--for=condition=DeletionBlocked", "--timeout=20s")
    assert f"{space.name}/front-" in cluster.kubectl("describe", "plane", "short")

    roll(space, "front", "first")
    names = [one["metadata"]["name"] for one in space.pods("app=front")]
    assert any(attached(space, name) for name in names), "nothing vanished"

    cluster.kubectl("label", "namespace", space.name, "plane.netplane.io/short-")
    roll(space, "front", "second")
    cluster.wait_for("the plane to go", lambda: not is_there(cluster, "short"))


def test_orphan_lets_it_go_and_leaves_running_pods_their_interface(
    cluster: Cluster, spaces: Spaces, planes: Make
) -> None:
    planes("loose", 77, deletionPolicy="Orphan")
    space, strict = spaces(loose="enabled"), spaces(loose="required")
    space.apply(pod("old"))
    space.wait_ready()
    cluster.kubectl("delete", "plane", "loose", "--timeout=20s")
    assert "10.77.0." in space.inside("old", "ip", "addr", "show", "net1")

    space.apply(pod("new"))
    space.wait_ready("new")
    assert sorted(space.networks("new")) == ["eth0"]
    cluster.wait_for("the pod's event", lambda: space.messages("PlaneMissing", "new"))
    (message,) = space.messages("PlaneMissing", "new")
    assert 'there is no plane "loose"' in message
    with pytest.raises(KubectlError, match="cannot attach the required plane"):
        strict.apply(pod("never"))


def test_a_typing_error_in_a_label_is_an_event_of_namespace_and_pods(
    cluster: Cluster, spaces: Spaces
) -> None:
    space = spaces()
    wrong = "plane.netplane.io/busines=enabled"
    said = cluster.server.told("label", "namespace", space.name, wrong)
    assert (
        'Warning: metadata.labels[plane.netplane.io/busines]: there is no plane "busines"' in said
    )
    assert "did you mean business?" in said

    space.apply(deployment("front", 1))
    space.kubectl("rollout", "status", "deployment/front", "--timeout=60s")
    (one,) = [each["metadata"]["name"] for each in space.pods("app=front")]
    cluster.wait_for("the pod's event", lambda: space.messages("PlaneMissing", one))
    cluster.wait_for("the Deployment's event", lambda: space.messages("PodWarning", "front"))
    assert "did you mean business?" in space.kubectl("describe", "deployment", "front")
    cluster.wait_for("the namespace's event", lambda: space.messages("PlaneMissing", space.name))


@pytest.mark.parametrize("value", ["enable", "yes"])
def test_a_value_that_means_nothing_is_told_at_labelling(
    cluster: Cluster, spaces: Spaces, value: str
) -> None:
    label = f"plane.netplane.io/business={value}"
    said = cluster.server.told("label", "namespace", spaces().name, label)
    assert f'"{value}" is neither enabled nor required' in said


def test_the_second_plane_with_the_same_addresses_is_not_accepted(
    cluster: Cluster, spaces: Spaces, planes: Make
) -> None:
    planes("first", 77)
    with pytest.raises(KubectlError, match="timed out"):
        planes("second", 77)
    assert "10.77.0." in cluster.kubectl("describe", "plane", "second")
    strict, lenient = spaces(second="required"), spaces(second="enabled")
    with pytest.raises(KubectlError, match="which plane first hands out on the same wire"):
        strict.apply(pod("never"))
    lenient.apply(pod("without"))
    lenient.wait_ready()
    assert sorted(lenient.networks("without")) == ["eth0"]
