"""The words of `netplane explain`, and what it does over manifests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.command_line import Outcome, netplane
from tests.support.planes import plane_object

NAMESPACE = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {"name": "shop", "labels": {"plane.netplane.io/business": "enabled"}},
}


def workload(replicas: int) -> dict[str, object]:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {}}
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"replicas": replicas, "template": template, "serviceName": "web"},
    }


@pytest.fixture
def manifests(tmp_path: Path) -> Path:
    directory = tmp_path / "m"
    directory.mkdir()
    plane = plane_object(staticIPs={"allow": "Any"}, quota={"attachmentsPerNamespace": 3})
    (directory / "plane.json").write_text(json.dumps(plane))
    (directory / "ns.json").write_text(json.dumps(NAMESPACE))
    pod = {"metadata": {"name": "one", "namespace": "shop"}, "spec": {"nodeName": "n1"}}
    (directory / "pod.json").write_text(json.dumps({"apiVersion": "v1", "kind": "Pod", **pod}))
    return directory


def explained(manifests: Path, *words: str) -> Outcome:
    state = str(manifests.parent / "state")
    return netplane("explain", *words, "--manifests", str(manifests), "--state-dir", state)


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("-f", "x", "pod/one"),
        ("pod",),
        ("pod/",),
        ("pod/../x",),
        ("deployment/web",),
        ("namespace/A",),
        ("address",),
        ("address", "10.9.0.7"),
        ("address", "10.9.0.7", "10.9.0.8", "--plane", "business"),
        ("pod/one", "namespace/shop"),
    ],
)
def test_words_that_name_nothing_are_a_wrong_command_line(
    manifests: Path, words: tuple[str, ...]
) -> None:
    outcome = explained(manifests, *words)
    assert outcome.status == 2
    assert "cannot explain" in outcome.err


def test_replicas_of_one_decision_are_one_text_and_each_has_its_json(manifests: Path) -> None:
    file = manifests.parent / "given.json"
    file.write_text(json.dumps(workload(5)))
    outcome = explained(manifests, "-f", str(file))
    assert "Each of shop/web-0 … web-2 (3 pods) starts with its default network" in outcome.out
    assert "Each of shop/web-3 … web-4 (2 pods) is refused: 1 error." in outcome.out
    assert outcome.out.count("namespace shop has plane.netplane.io/business: enabled") == 2
    entries = explained(manifests, "-f", str(file), "-o", "json").json
    assert [entry["name"] for entry in entries] == [f"web-{n}" for n in range(5)]
    assert [entry["allowed"] for entry in entries] == [True, True, True, False, False]


def test_a_single_pod_is_named_as_before(manifests: Path) -> None:
    file = manifests.parent / "given.json"
    file.write_text(json.dumps(workload(1)))
    assert explained(manifests, "-f", str(file)).out.startswith("Pod shop/web-0 starts with")


def test_a_pod_of_a_manifest_that_nobody_started_does_not_run(manifests: Path) -> None:
    outcome = explained(manifests, "pod/one", "-n", "shop", "-o", "json")
    assert outcome.status == 0
    assert (outcome.json["stage"], outcome.json["name"]) == ("creating", "one")


def test_a_pod_of_a_manifest_with_a_status_of_its_daemon_runs(manifests: Path) -> None:
    status = manifests.parent / "state" / "status" / "shop"
    status.mkdir(parents=True)
    net1 = {"name": "netplane-system/business", "interface": "net1", "ips": ["10.9.0.7"]}
    (status / "one.json").write_text(json.dumps([net1]))
    outcome = explained(manifests, "pod/one", "-n", "shop")
    assert (outcome.status, outcome.err) == (0, "")
    assert "Pod shop/one on node n1 runs." in outcome.out
    assert "net1  plane business  10.9.0.7" in outcome.out


def test_a_namespace_of_a_manifest_is_explained(manifests: Path) -> None:
    outcome = explained(manifests, "ns/shop")
    assert outcome.status == 0
    assert "Namespace shop joins business." in outcome.out


def test_an_address_of_a_plane_of_manifests_may_be_any_of_its_ranges(manifests: Path) -> None:
    """One machine knows which addresses are free: there none need a static range."""
    words = ("address", "10.9.0.7", "--plane", "business")
    outcome = explained(manifests, *words, "-n", "shop")
    assert outcome.status == 0
    assert "Yes, a pod of namespace shop may ask for it." in outcome.out
    assert explained(manifests, "address", "10.9.0.1", "--plane", "business").status == 1


def test_a_plane_that_is_not_there_is_named(manifests: Path) -> None:
    outcome = explained(manifests, "address", "10.9.0.7", "--plane", "storage")
    assert outcome.status == 1
    assert "cannot find Plane storage" in outcome.err


def test_without_manifests_a_cluster_is_meant(tmp_path: Path) -> None:
    outcome = netplane("explain", "pod/one", env={"HOME": str(tmp_path)})
    assert outcome.status == 1
    assert ".kube/config" in outcome.err
