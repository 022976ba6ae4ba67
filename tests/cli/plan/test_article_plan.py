"""The plan of an article about Flannel: its contradictions are found, its planes work."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from planes.model.names import NETWORKS_ANNOTATION
from planes.model.objects import Namespace
from planes.model.plan.effective import plane_value
from planes.model.spec.plane import parse_plane
from tests.support.command_line import netplane
from tests.support.plans import ARTICLE, ARTICLE_ANSWERS

PLAN = str(ARTICLE / "network-plan.json")
NAMES = ("networks", "namespaces", "business-app", "storage-app", "policies")
BESIDE = tuple(word for name in NAMES for word in ("-f", str(ARTICLE / f"{name}.yaml")))
DEMO = Path(__file__).parents[3] / "planes" / "cli" / "demo" / "inputs" / "planes.yaml"

EXPECTED = {
    "1 replicas share one address": (
        "contradictions",
        "Deployment business-apps/business-app spec.template",
        "cannot give 192.168.100.10 to 3 pods",
    ),
    "2 the prefix length is not the subnet's": (
        "warnings",
        "pods of business-apps/business-app",
        "prefix length /24",
    ),
    "3 the NAD is in another namespace": (
        "contradictions",
        "pods of storage-apps/storage-app",
        "cannot find a NAD business-network in namespace storage-apps",
    ),
    "4 every node hands out the same range": (
        "warnings",
        "NAD storage-apps/storage-network spec.config.ipam",
        "every node hands out 172.16.1.10-172.16.1.200 by itself",
    ),
    "5 two default routes": (
        "warnings",
        "NAD business-apps/business-network spec.config.ipam.routes",
        "competes with those of eth0",
    ),
    "6 one virtual function for all pods": (
        "warnings",
        "NAD storage-apps/storage-network spec.config.deviceID",
        "every pod of this NAD claims the same virtual function",
    ),
    "6 a key that sriov does not know": (
        "warnings",
        "NAD storage-apps/storage-network spec.config.vf",
        "cannot use a key that sriov does not know",
    ),
    "6 the resource is asked for": (
        "missing",
        "networks.storage.resourceName",
        "nothing says which device plugin's resource",
    ),
    "7 one pod per node": (
        "warnings",
        "NAD kube-system/management-network spec.config.device",
        "one pod per node at most",
    ),
    "7 the node's own uplink": (
        "contradictions",
        "networks.management.interface",
        "cannot move eth0 into a pod",
    ),
    "8 policies do not reach other interfaces": (
        "warnings",
        "NetworkPolicy business-apps/business-network-policy spec",
        "it filters eth0 only",
    ),
    "8 a label that namespaces do not carry": (
        "contradictions",
        "NetworkPolicy storage-apps/storage-network-policy spec.ingress[0].from[0]",
        'cannot select namespace business-apps: it does not have the label "name"',
    ),
    "9 plan and NAD name different interfaces": (
        "contradictions",
        "networks.management.interface",
        "cannot use eth0: NAD kube-system/management-network says eth2",
    ),
}
"""By number of the list that came with the article: kind, where, and what."""


@pytest.fixture(scope="module")
def found() -> Any:
    outcome = netplane("plan", "check", PLAN, *BESIDE, "-o", "json")
    assert outcome.status == 1
    return outcome.json


@pytest.mark.parametrize("case", EXPECTED)
def test_each_expected_contradiction_is_found_with_its_field(found: Any, case: str) -> None:
    kind, where, what = EXPECTED[case]
    hits = [one for one in found[kind] if one["path"].startswith(where) and what in one["message"]]
    assert hits, [one for one in found[kind] if one["path"].startswith(where)]
    assert all(one["remedy"] for one in hits)


def test_each_finding_comes_once(found: Any) -> None:
    told = [
        (one["path"], one["message"])
        for kind in ("contradictions", "missing", "warnings")
        for one in found[kind]
    ]
    assert len(told) == len(set(told))


def test_the_plan_alone_asks_for_what_the_nads_would_lend(found: Any) -> None:
    alone = netplane("plan", "check", PLAN, "-o", "json").json
    asked = {one["path"] for one in alone["missing"]} - {one["path"] for one in found["missing"]}
    assert asked == {f"networks.{name}.ranges" for name in ("business", "storage", "management")}


def test_it_is_not_imported_as_it_is() -> None:
    outcome = netplane("plan", "import", PLAN, "-f", str(ARTICLE / "networks.yaml"))
    assert (outcome.status, outcome.out) == (1, "")


@pytest.fixture
def manifests(tmp_path: Path) -> Path:
    """A manifest directory with what the import prints."""
    outcome = netplane("plan", "import", PLAN, *ARTICLE_ANSWERS)
    assert outcome.status == 0, outcome.err
    (tmp_path / "planes.yaml").write_text(outcome.out)
    return tmp_path


def test_its_planes_are_accepted(manifests: Path) -> None:
    objects = list(yaml.safe_load_all((manifests / "planes.yaml").read_text()))
    planes = [parse_plane(obj) for obj in objects if obj["kind"] == "Plane"]
    assert [(plane.name, str(plane.subnets[0].cidr)) for plane in planes] == [
        ("business", "192.168.0.0/16"),
        ("storage", "172.16.0.0/16"),
    ]


def without_annotations(name: str) -> str:
    """Return an application of the article that asks for no network by itself."""
    objects = list(yaml.safe_load_all((ARTICLE / f"{name}.yaml").read_text()))
    for obj in objects:
        if obj["kind"] == "Deployment":
            del obj["spec"]["template"]["metadata"]["annotations"]
    return yaml.safe_dump_all(objects)


@pytest.mark.parametrize(
    ("app", "replicas", "expected"),
    [
        ("business-app", 3, [("business", "net1")]),
        ("storage-app", 2, [("business", "net1"), ("storage", "storage0")]),
    ],
)
def test_its_applications_get_their_planes_without_any_annotation(
    manifests: Path, app: str, replicas: int, expected: list[tuple[str, str]]
) -> None:
    """The tenth of the list: eth0 from Flannel, and an interface for each plane."""
    file = manifests.parent / f"{app}.yaml"
    file.write_text(without_annotations(app))
    outcome = netplane("explain", "--manifests", str(manifests), "-f", str(file), "-o", "json")
    assert outcome.status == 0, outcome.err
    pods = [entry for entry in outcome.json if entry["kind"] == "Pod"]
    assert len(pods) == replicas
    for pod in pods:
        assert pod["allowed"]
        written = json.loads(pod["annotations"][NETWORKS_ANNOTATION])
        assert [(one["name"], one["interface"]) for one in written] == expected
        assert {one["namespace"] for one in written} == {"netplane-system"}


def test_exporting_its_planes_gives_a_plan_that_changes_nothing(
    manifests: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = str(tmp_path_factory.mktemp("plan") / "plan.json")
    assert netplane("plan", "export", file, "--manifests", str(manifests)).status == 0
    assert netplane("plan", "diff", file, "--manifests", str(manifests)).status == 0
    again = netplane("plan", "import", file)
    assert list(yaml.safe_load_all(again.out)) == list(
        yaml.safe_load_all((manifests / "planes.yaml").read_text())
    )


DEMO_ANSWERS = (
    *("--skip", "management", "--set", "business.purpose=business traffic"),
    *("--set", "business.order=1", "--set", "business.mode=bridge", "--set", "business.mtu=1500"),
    *("--set", "business.gateway=192.168.0.1"),
    *("--set", "business.ranges=192.168.10.1-192.168.99.255"),
    *("--set", "business.staticRanges=192.168.100.0/24"),
    *("--set", 'business.spec={"staticIPs": {"allow": "Any", "perOrdinal": true}}'),
    *("--set", 'business.namespaces={"business-apps": "enabled", "storage-apps": "enabled"}'),
    *("--set", "storage.purpose=storage traffic", "--set", "storage.order=2"),
    *("--set", "storage.podInterface=storage0", "--set", "storage.cni=macvlan"),
    *("--set", "storage.mode=bridge", "--set", "storage.gateway=172.16.0.1"),
    *("--set", "storage.ranges=172.16.1.10-172.16.1.200"),
    *("--set", 'storage.namespaces={"storage-apps": "required"}'),
)


def test_with_the_demos_facts_its_planes_are_those_of_the_demo() -> None:
    outcome = netplane("plan", "import", PLAN, *DEMO_ANSWERS)
    assert outcome.status == 0, outcome.err
    imported = list(yaml.safe_load_all(outcome.out))
    demo = list(yaml.safe_load_all(DEMO.read_text()))
    for kind, value_of in (("Plane", plane_value), ("Namespace", Namespace.from_object)):
        found = [value_of(obj) for obj in imported if obj["kind"] == kind]
        wanted = [value_of(obj) for obj in demo if obj["kind"] == kind]
        assert found == wanted[: len(found)]
        assert found
