"""From Multus to Netplane and back, on a cluster made for this test.

Multus is real, thin on one node and thick on the other, and there are pods that live through all.
Each stage is a fixture on top of the one before, made once; the tests look at what it left.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.cluster import accounts
from tests.cluster.documents import blocks
from tests.cluster.e2e.conftest import stage
from tests.cluster.e2e.takeover import Scene, begin, configs_of, disk_of
from tests.cluster.lab.cluster import running_cluster
from tests.cluster.multus import CACHE, CONF_DIR, Multus, why_no_multus
from tests.cluster.netplane import DAEMON, IMAGE, Netplane, Workspace
from tests.cluster.workloads import pod

OURS, SAVED = "00-netplane.conflist", ".netplane-saved"

pytestmark = pytest.mark.timeout(420)


def shape(status: list[dict[str, Any]]) -> list[Mapping[str, Any]]:
    """A network-status without what is each pod's own: values that differ, keys that must not."""
    own = {"ips", "mac", "gateway"}
    return [{key: key if key in own else value for key, value in one.items()} for one in status]


def left_on_nodes(scene: Scene) -> list[str]:
    """Return what is on the nodes besides what the pods that stay had at first."""
    return [
        f"{node.name}: {line}"
        for node in scene.cluster.nodes
        for line in accounts.left(scene.accounts[node.name], accounts.of_pods(node))
    ]


@pytest.fixture(scope="module")
def under_multus(empty_cluster_reason: str) -> Iterator[Scene]:
    """Multus runs, and three pods on each node are made under it."""
    if reason := empty_cluster_reason or why_no_multus():
        pytest.skip(reason)
    with running_cluster() as cluster:
        cluster.load(IMAGE)
        space = Workspace(cluster, "legacy")
        scene = Scene(cluster, Netplane(cluster), Multus(cluster), space)
        with stage(cluster, "takeover-under-multus"):
            begin(scene)
        yield scene


@pytest.fixture(scope="module")
def taken(under_multus: Scene) -> Scene:
    """Netplane has taken over, as the document says, and Multus is gone."""
    scene = under_multus
    with stage(scene.cluster, "takeover-taken"):
        (script,) = blocks("docs/cluster.md", "From Multus, and back")
        scene.netplane.command_line(script)
        scene.netplane.wait_for_rollouts()
        scene.multus.delete()
        scene.start("new")
    return scene


@pytest.fixture(scope="module")
def emptied(taken: Scene) -> Scene:
    """All pods but those that stay are deleted, under Netplane."""
    scene = taken
    with stage(scene.cluster, "takeover-emptied"):
        scene.delete("old", "new")
    return scene


@pytest.fixture(scope="module")
def beside(emptied: Scene) -> Scene:
    """Multus is installed again, and has written its config, while Netplane still runs."""
    scene = emptied
    with stage(scene.cluster, "takeover-beside"):
        scene.multus.install()
        twice = 2 * len(scene.cluster.nodes)
        scene.cluster.wait_for("set aside again", lambda: times_set_aside(scene) >= twice)
    return scene


def times_set_aside(scene: Scene) -> int:
    """How often the daemons of all nodes said that they set a config of Multus aside."""
    lines = scene.netplane.log("netplane-cni")
    return sum("Multus' CNI config set aside" in line for line in lines)


@pytest.fixture(scope="module")
def given_back(beside: Scene) -> Scene:
    """Netplane is uninstalled, as the document says."""
    scene = beside
    with stage(scene.cluster, "takeover-given-back"):
        script = blocks("docs/cluster.md", "Uninstall")[0]
        scene.netplane.command_line(script, seconds=300)
    return scene


@pytest.fixture(scope="module")
def taken_again(given_back: Scene) -> Scene:
    """Netplane has taken over once more, and Multus is deleted for good."""
    scene = given_back
    with stage(scene.cluster, "takeover-again"):
        (script,) = blocks("docs/cluster.md", "From Multus, and back")
        scene.netplane.command_line(script)
        scene.netplane.wait_for_rollouts()
        scene.multus.delete()
    return scene


@pytest.fixture(scope="module")
def without_multus(taken_again: Scene) -> Scene:
    """Netplane is uninstalled, as the document says, while no Multus runs."""
    scene = taken_again
    with stage(scene.cluster, "takeover-without-multus"):
        script = blocks("docs/cluster.md", "Uninstall")[0]
        before, wait, rest = script.partition("kubectl delete -k manifests/overlays/default")
        scene.netplane.command_line(before, seconds=300)
        scene.cleaned = scene.netplane.log("netplane-cni")
        scene.netplane.command_line(wait + rest, seconds=300)
    return scene


def test_the_nodes_have_pods_of_both_forms_of_multus(under_multus: Scene) -> None:
    scene = under_multus
    for node in scene.cluster.nodes:
        assert configs_of(node)[0] == scene.multus.config(node).name
        assert len([one for one in node.disk(CACHE).iterdir() if one.is_file()]) == 2
    assert scene.pings("old")


def test_multus_config_is_set_aside_as_it_was(taken: Scene) -> None:
    for node in taken.cluster.nodes:
        config = taken.multus.config(node)
        assert configs_of(node) == [OURS, "10-lab.conflist"]
        assert config.with_name(config.name + SAVED).read_bytes() == taken.configs[node.name]


def test_the_network_that_multus_delegated_to_is_the_default_network(taken: Scene) -> None:
    for node in taken.cluster.nodes:
        assert json.loads(node.disk(f"{CONF_DIR}/{OURS}").read_text())["name"] == "cbr0"


@pytest.mark.parametrize("name", ["old", "stays"])
def test_pods_of_multus_run_on_with_their_networks(taken: Scene, name: str) -> None:
    for node in taken.cluster.nodes:
        one = taken.space.get("pod", f"{name}-{node.number}")
        assert [each["restartCount"] for each in one["status"]["containerStatuses"]] == [0]
        assert taken.status(f"{name}-{node.number}") == taken.statuses[f"{name}-{node.number}"]
    assert taken.pings(name)


def test_new_pods_get_the_same_networks_with_a_status_of_the_same_form(taken: Scene) -> None:
    for node in taken.cluster.nodes:
        new, old = taken.status(f"new-{node.number}"), taken.statuses[f"old-{node.number}"]
        assert shape(new) == shape(old)
    assert taken.pings("new")


def test_new_pods_get_no_address_of_a_pod_of_multus(taken: Scene) -> None:
    used = [
        address
        for one in taken.space.pods()
        for element in taken.status(one["metadata"]["name"])
        for address in element["ips"]
    ]
    assert len(used) == len(set(used)) == 3 * 2 * 3


def test_pods_of_multus_are_deleted_with_everything_of_theirs(emptied: Scene) -> None:
    """Also with the addresses of a chain, which this Multus (4.3.0) leaks, and with its files."""
    left: list[str] = []

    def nothing_left() -> bool:
        left[:] = left_on_nodes(emptied)
        return not left

    try:
        # The webhook's are pods too.
        with emptied.netplane.webhook_away():
            emptied.cluster.wait_for("nothing left", nothing_left, seconds=90)
    finally:
        assert left == [], "\n".join(left)


def test_what_multus_writes_while_netplane_runs_does_not_come_first(beside: Scene) -> None:
    for node in beside.cluster.nodes:
        config = beside.multus.config(node)
        assert configs_of(node) == [OURS, "10-lab.conflist"]
        assert config.with_name(config.name + SAVED).read_bytes() == beside.configs[node.name]
    beside.netplane.rollout(DAEMON)
    beside.start("beside")
    assert beside.pings("beside")
    beside.delete("beside")


def test_the_nodes_are_as_they_were(given_back: Scene) -> None:
    for node in given_back.cluster.nodes:
        assert given_back.multus.config(node).read_bytes() == given_back.configs[node.name]
        assert disk_of(node) == given_back.disks[node.name]
        assert "netplane" not in node.run("ls", "/run")
    assert left_on_nodes(given_back) == []


def test_nothing_of_netplane_is_in_the_cluster(given_back: Scene) -> None:
    kinds = (
        "namespaces,customresourcedefinitions,clusterroles,clusterrolebindings,"
        "mutatingwebhookconfigurations,validatingwebhookconfigurations,"
        "validatingadmissionpolicies,validatingadmissionpolicybindings"
    )
    names = given_back.cluster.kubectl("get", kinds, "-o", "name").splitlines()
    assert [name for name in names if "netplane" in name or "planes" in name] == []


def test_new_pods_run_under_multus_again_beside_the_old(given_back: Scene) -> None:
    given_back.start("later")
    for node in given_back.cluster.nodes:
        assert len([one for one in node.disk(CACHE).iterdir() if one.is_file()]) == 2
        told = given_back.space.get("events")["items"]
        mine = [one for one in told if one["involvedObject"]["name"] == f"later-{node.number}"]
        added = [one for one in mine if one["reason"] == "AddedInterface"]
        assert {one["source"]["component"] for one in added} == {"multus"}
    assert given_back.pings("later")
    assert given_back.pings("stays")


def test_a_node_tells_what_became_of_multus_settings(taken_again: Scene) -> None:
    for node in taken_again.cluster.nodes:
        said = taken_again.cluster.kubectl("describe", "node", node.name)
        config = taken_again.multus.config(node).name
        assert f"Multus' file {config}" in said
        assert "MultusSettings" in said


def test_uninstalling_does_not_bring_back_a_multus_that_is_gone(without_multus: Scene) -> None:
    """Its program stays on the node, with the thin form's void token or the thick one's shim."""
    for node in without_multus.cluster.nodes:
        assert configs_of(node) == ["10-lab.conflist"]
        config = without_multus.multus.config(node)
        assert config.with_name(config.name + SAVED).exists()
    told = [line for line in without_multus.cleaned if "stays set aside" in line]
    assert len(told) == len(without_multus.cluster.nodes)


def test_new_pods_run_with_the_cluster_network_where_multus_is_gone(without_multus: Scene) -> None:
    nodes = without_multus.cluster.nodes
    names = [f"alone-{node.number}" for node in nodes]
    without_multus.space.apply(
        *(pod(name, node=node.name) for name, node in zip(names, nodes, strict=True))
    )
    without_multus.space.wait_ready(*names)
