"""`netplane explain`: the decision in words, from files alone."""

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


def workload(replicas: int = 1, ips: str = "") -> dict[str, object]:
    annotations = {"netplane.io/static-ips": json.dumps({"business": [ips]})} if ips else {}
    template = {"metadata": {"labels": {"a": "b"}, "annotations": annotations}, "spec": {}}
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "db", "namespace": "shop"},
        "spec": {"replicas": replicas, "template": template, "serviceName": "db"},
    }


@pytest.fixture
def manifests(tmp_path: Path) -> Path:
    directory = tmp_path / "m"
    directory.mkdir()
    plane = plane_object(staticIPs={"allow": "Any"}, purpose="business traffic")
    (directory / "plane.json").write_text(json.dumps(plane))
    (directory / "ns.json").write_text(json.dumps(NAMESPACE))
    return directory


def explained(manifests: Path, *objects: object, words: tuple[str, ...] = ()) -> Outcome:
    file = manifests.parent / "given.yaml"
    file.write_text("\n---\n".join(json.dumps(obj) for obj in objects))
    return netplane("explain", "-f", str(file), "--manifests", str(manifests), *words)


def test_it_says_which_planes_a_pod_gets_and_why(manifests: Path) -> None:
    outcome = explained(manifests, workload())
    assert outcome.status == 0
    assert "Pod shop/db-0 starts with its default network and 1 network more." in outcome.out
    assert "namespace shop has plane.netplane.io/business: enabled" in outcome.out
    assert outcome.err == ""


def test_json_holds_the_attachments_and_annotations(manifests: Path) -> None:
    (pod,) = explained(manifests, workload(ips="10.9.0.9"), words=("--output", "json")).json
    (attachment,) = pod["attachments"]
    assert pod["allowed"] is True
    assert (attachment["plane"], attachment["ips"]) == ("business", ["10.9.0.9/24"])
    assert "k8s.v1.cni.cncf.io/networks" in pod["annotations"]


def test_a_pod_that_would_be_refused_is_status_1_with_its_reasons(manifests: Path) -> None:
    outcome = explained(manifests, workload(ips="10.8.0.1"))
    assert outcome.status == 1
    assert "is refused" in outcome.out


def test_replicas_meet_each_other(manifests: Path) -> None:
    """Each replica of a StatefulSet takes the entry of its ordinal."""
    pods = explained(manifests, workload(2, "10.9.0.8-10.9.0.9"), words=("--output", "json")).json
    assert [pod["attachments"][0]["ips"] for pod in pods] == [["10.9.0.8/24"], ["10.9.0.9/24"]]


def test_planes_and_namespaces_in_the_file_count_as_if_applied(manifests: Path) -> None:
    unlabelled = {**NAMESPACE, "metadata": {"name": "shop"}}
    outcome = explained(manifests, unlabelled, workload())
    assert "starts with its default network only" in outcome.out


def test_what_is_ignored_in_the_directory_is_told(manifests: Path) -> None:
    (manifests / "broken.yaml").write_text("kind: [")
    outcome = explained(manifests, workload())
    assert outcome.status == 0
    assert f"warning: {manifests}/broken.yaml:1: did not find" in outcome.err


def test_a_namespace_without_manifest_is_told(manifests: Path) -> None:
    (manifests / "ns.json").unlink()
    outcome = explained(manifests, workload())
    assert "namespace shop has no manifest" in outcome.err


def test_a_workload_with_fewer_addresses_than_replicas_is_told_as_a_whole(manifests: Path) -> None:
    outcome = explained(manifests, workload(replicas=3, ips="192.168.100.10"))
    assert "warning: StatefulSet shop/db: spec.template.metadata.annotations" in outcome.err


def test_a_single_pod_is_no_workload(manifests: Path) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "one", "namespace": "shop"},
        "spec": {},
    }
    outcome = explained(manifests, pod)
    assert outcome.status == 0
    assert "warning: Pod" not in outcome.err


def nad(config: str) -> dict[str, object]:
    metadata = {"name": "backup", "namespace": "shop"}
    kind = "NetworkAttachmentDefinition"
    spec = {"config": config}
    return {
        "apiVersion": "k8s.cni.cncf.io/v1",
        "kind": kind,
        "metadata": metadata,
        "spec": spec,
    }


def test_a_nad_in_the_file_is_reviewed_as_a_webhook_would(manifests: Path) -> None:
    config = '{"cniVersion": "1.0.0", "name": "b", "type": "macvlan", "mastr": "eth1"}'
    outcome = explained(manifests, nad(config))
    assert outcome.status == 0
    assert "NAD shop/backup: spec.config.mastr: " in outcome.err
    assert "did you mean master?" in outcome.err


def test_a_nad_that_would_be_refused_is_status_1(manifests: Path) -> None:
    outcome = explained(manifests, nad("{"), workload())
    assert outcome.status == 1
    assert "NAD shop/backup: spec.config: cannot read" in outcome.err
