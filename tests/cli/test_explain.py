"""`netplane explain`: the decision in words, from files alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import Outcome, netplane
from tests.support.planes import plane_object

NAMESPACE = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {"name": "shop", "labels": {"plane.netplane.io/business": "enabled"}},
}


def workload(replicas: int = 1, ips: str = "") -> dict[str, Any]:
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


def test_what_is_ignored_in_the_directory_is_told_and_is_a_fault(manifests: Path) -> None:
    (manifests / "broken.yaml").write_text("kind: [")
    outcome = explained(manifests, workload())
    assert outcome.status == 1
    assert f"error: {manifests}/broken.yaml:1: did not find" in outcome.err


def test_a_namespace_without_manifest_is_told(manifests: Path) -> None:
    (manifests / "ns.json").unlink()
    outcome = explained(manifests, workload())
    assert "namespace shop has no manifest" in outcome.err


def test_a_workload_with_fewer_addresses_than_replicas_is_told_as_a_whole(manifests: Path) -> None:
    outcome = explained(manifests, workload(replicas=3, ips="192.168.100.10"))
    assert "error: StatefulSet shop/db: spec.template.metadata.annotations" in outcome.err


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


BROKEN_PLANE = {**plane_object("broken"), "spec": {"network": {"type": "macvlan", "mode": "odd"}}}


def test_a_broken_plane_in_the_file_is_a_fault_and_in_the_json(manifests: Path) -> None:
    outcome = explained(manifests, BROKEN_PLANE, workload(), words=("-o", "json"))
    assert outcome.status == 1
    pod, problem = outcome.json
    assert (pod["kind"], pod["allowed"]) == ("Pod", True)
    assert (problem["kind"], problem["allowed"]) == ("Problem", False)
    assert problem["name"] == f"{manifests.parent}/given.yaml:1"
    assert "spec.network.mode" in problem["errors"][0]["message"]
    assert problem["errors"][0]["remedy"]


def test_a_broken_plane_alone_is_a_fault(manifests: Path) -> None:
    outcome = explained(manifests, BROKEN_PLANE)
    assert outcome.status == 1
    assert "given.yaml:1: cannot use plane broken: (1) spec.network.mode" in outcome.err


def test_a_plane_alone_that_can_be_used_is_no_fault(manifests: Path) -> None:
    spare = plane_object("spare", network={"type": "macvlan", "master": "eth9"})
    outcome = explained(manifests, spare)
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out == "No pod to explain, and nothing is at fault.\n"
    assert explained(manifests, spare, words=("-o", "json")).json == []


@pytest.mark.parametrize("content", ["a: [", "", "apiVersion: v1\nkind: Service\n"])
def test_json_says_why_a_file_cannot_be_explained(manifests: Path, content: str) -> None:
    file = manifests.parent / "x.yaml"
    file.write_text(content)
    outcome = netplane("explain", "-o", "json", "-f", str(file), "--manifests", str(manifests))
    assert outcome.status == 1
    (problem,) = outcome.json
    assert (problem["kind"], problem["name"]) == ("Problem", str(file))
    assert problem["errors"][0]["message"] in outcome.err


def test_json_has_what_is_wrong_with_workloads_and_nads(manifests: Path) -> None:
    few = workload(replicas=3, ips="10.9.0.8")
    few["metadata"] = {**few["metadata"], "annotations": {"k8s.v1.cni.cncf.io/network": "b"}}
    outcome = explained(manifests, few, nad("{"), words=("-o", "json"))
    assert outcome.status == 1
    by_kind = {entry["kind"]: entry for entry in outcome.json if entry["kind"] != "Pod"}
    assert set(by_kind) == {"StatefulSet", "NAD"}
    whole = by_kind["StatefulSet"]
    assert "cannot give each of 3 replicas an address" in whole["errors"][0]["message"]
    assert "write k8s.v1.cni.cncf.io/networks into" in whole["warnings"][0]["remedy"]
    assert by_kind["NAD"]["allowed"] is False


def test_a_daemon_set_with_fixed_addresses_is_warned_of(manifests: Path) -> None:
    outcome = explained(manifests, {**workload(ips="10.9.0.8"), "kind": "DaemonSet"})
    assert outcome.status == 0
    assert "warning: DaemonSet shop/db: " in outcome.err
    assert "the list has 1 IPv4 address: pods of further nodes are refused" in outcome.err
    assert explained(manifests, {**workload(), "kind": "DaemonSet"}).err == ""


def test_a_workload_that_asks_for_no_pods_is_no_missing_one(manifests: Path) -> None:
    outcome = explained(manifests, workload(replicas=0))
    assert (outcome.status, outcome.err) == (0, "")
    given = ("-f", str(manifests.parent / "given.yaml"), "--manifests", str(manifests))
    added = netplane("pod", "add", *given)
    assert added.status == 1
    assert "its workloads ask for none" in added.err


def test_json_has_every_warning_that_the_text_has(manifests: Path) -> None:
    (manifests / "ns.json").unlink()
    (pod,) = explained(manifests, workload(), words=("-o", "json")).json
    assert "has no manifest" in pod["warnings"][-1]["message"]


def test_the_short_flag_takes_text_too(manifests: Path) -> None:
    outcome = explained(manifests, workload(), words=("-o", "text"))
    assert "Pod shop/db-0 starts" in outcome.out


def test_a_restored_pod_is_explained_as_the_hooks_would_admit_it(manifests: Path) -> None:
    annotations = {"k8s.v1.cni.cncf.io/network-status": "[]"}
    meta = {"name": "old", "namespace": "shop", "annotations": annotations}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {}}
    outcome = explained(manifests, pod)
    assert outcome.status == 0
    assert "it was removed: a new pod has no network-status" in outcome.out


def test_what_a_refused_pod_would_get_is_called_so(manifests: Path) -> None:
    outcome = explained(manifests, workload(ips="10.8.0.1"))
    assert "Attachments it would get:" in outcome.out


@pytest.mark.parametrize("kind", ["Deployment", "CronJob"])
def test_an_annotation_beside_its_place_is_told(manifests: Path, kind: str) -> None:
    obj = workload()
    if kind == "CronJob":
        obj = {**obj, "spec": {"jobTemplate": {"spec": obj["spec"]}}}
    meta = {"name": "w", "namespace": "shop", "annotations": {"k8s.v1.cni.cncf.io/networks": "b"}}
    outcome = explained(manifests, {**obj, "kind": kind, "metadata": meta})
    assert f"warning: {kind} shop/w: metadata.annotations" in outcome.err


EVIL = "\x1b]0;x\x07\u202e"


@pytest.mark.parametrize("output", ["table", "json"])
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("netplane.io/static-ips", {EVIL: [EVIL]}),
        ("k8s.v1.cni.cncf.io/networks", [{"name": "own", EVIL: 1, "cni-args": {EVIL: 1}}]),
        ("k8s.v1.cni.cncf.io/networks", [{"name": "business", "cni-args": {EVIL: 1}}]),
        ("k8s.v1.cni.cncf.io/networks", [{"name": "own", "interface": EVIL, "mac": EVIL}]),
        (f"netplane.io/{EVIL}", "x"),
    ],
)
def test_what_a_pod_says_is_no_command_to_the_terminal(
    manifests: Path, key: str, value: object, output: str
) -> None:
    config = {"cniVersion": "1.0.0", "name": "own", "type": "bridge", "ipam": {"type": EVIL}}
    nad = {
        "apiVersion": "k8s.cni.cncf.io/v1",
        "kind": "NetworkAttachmentDefinition",
        "metadata": {"name": "own", "namespace": "shop"},
        "spec": {"config": json.dumps(config)},
    }
    label = {f"plane.netplane.io/{EVIL}": "enabled", "plane.netplane.io/business": "enabled"}
    namespace = {**NAMESPACE, "metadata": {"name": "shop", "labels": label}}
    pod = workload()
    pod["spec"]["template"]["metadata"]["annotations"] = {key: json.dumps(value)}
    outcome = explained(manifests, namespace, nad, pod, words=("-o", output))
    assert "shop" in outcome.out
    assert [c for c in outcome.out + outcome.err if not c.isprintable() and c != "\n"] == []
