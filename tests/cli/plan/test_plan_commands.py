"""`netplane plan check|import|export|diff`: exit status, streams and formats."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from planes.model.errors import JsonObject
from planes.model.plan.plan_text import MAX_PLAN_BYTES
from planes.model.spec.plane import parse_plane
from tests.support.command_line import Outcome, netplane
from tests.support.planes import plane_object
from tests.support.plans import network

KEY = "plane.netplane.io/business"
SHOP = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {"name": "shop", "labels": {KEY: "enabled"}},
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "m").mkdir()
    return tmp_path


def put(home: Path, *objects: JsonObject) -> None:
    text = "\n---\n".join(json.dumps(obj) for obj in objects)
    (home / "m" / "all.yaml").write_text(text)


def plan(home: Path, verb: str, *words: str, **networks: Any) -> Outcome:
    file = home / "plan.json"
    file.write_text(json.dumps({"networks": networks}))
    place = ("--manifests", str(home / "m")) if verb == "diff" else ()
    return netplane("plan", verb, str(file), *place, *words)


def test_a_complete_plan_is_status_0(home: Path) -> None:
    found = plan(home, "check", business=network())
    assert (found.status, found.out, found.err) == (0, "the plan is complete: 1 plane\n", "")


def test_a_plan_with_faults_is_status_1_with_field_and_remedy(home: Path) -> None:
    found = plan(
        home, "check", business={"cni": "macvlan", "cidr": "10.9.0.0/24", "gateway": "10.8.0.1"}
    )
    assert found.status == 1
    assert "contradiction: networks.business.gateway: cannot reach 10.8.0.1" in found.out
    assert "missing: networks.business.interface:" in found.out
    assert "  give --master business=eth1\n" in found.out
    assert found.out.endswith("the plan cannot be imported: 1 contradiction, 1 missing\n")


def test_json_of_a_check_has_all_findings(home: Path) -> None:
    words = network(gateway="10.8.0.1", ticket="NET-7")
    found = plan(home, "check", "-o", "json", business=words, b={"cni": "sriov"}).json
    assert found["ok"] is False
    assert [one["path"] for one in found["contradictions"]] == ["networks.business.gateway"]
    assert {one["path"] for one in found["missing"]} == {
        "networks.b.cidr",
        "networks.b.resourceName",
    }
    assert [one["path"] for one in found["warnings"]] == ["networks.business.ticket"]
    assert all(one["remedy"] for one in found["contradictions"] + found["missing"])


def test_import_prints_documents_for_kubectl(home: Path) -> None:
    found = plan(home, "import", business=network(namespaces=["shop"]))
    assert (found.status, found.err) == (0, "")
    plane, namespace = yaml.safe_load_all(found.out)
    assert parse_plane(plane).name == "business"
    assert namespace == SHOP


@pytest.mark.parametrize(("form", "load"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_import_as_one_document_is_a_list(home: Path, form: str, load: Any) -> None:
    found = load(plan(home, "import", "-o", form, business=network()).out)
    assert (found["apiVersion"], found["kind"]) == ("v1", "List")
    assert [item["kind"] for item in found["items"]] == ["Plane"]


def test_import_of_a_plan_with_faults_prints_no_manifest(home: Path) -> None:
    found = plan(home, "import", a=network(), b=network(cni="sriov"))
    assert (found.status, found.out) == (1, "")
    assert "missing: networks.b.resourceName:" in found.err
    assert "give --set b.resourceName=example.com/pool" in found.err
    refused = plan(home, "import", "-o", "json", b=network(cni="sriov")).json
    assert (refused["ok"], len(refused["missing"])) == (False, 1)


def test_missing_facts_are_given_as_options(home: Path) -> None:
    bare = {"cni": "macvlan", "cidr": "10.9.0.0/24"}
    words = ("--master", "a=eth1", "--set", "a.ranges=10.9.0.9-10.9.0.99")
    found = plan(home, "import", *words, a=bare)
    assert found.status == 0
    plane = parse_plane(yaml.safe_load(found.out))
    assert plane.network is not None
    assert plane.network.master == "eth1"


def test_a_network_is_left_out(home: Path) -> None:
    found = plan(home, "import", "--skip", "b", a=network(), b={})
    assert [obj["metadata"]["name"] for obj in yaml.safe_load_all(found.out)] == ["a"]


@pytest.mark.parametrize(
    "words", [("--skip", "c"), ("--set", "c.cni=vlan"), ("--set", "x"), ("--master", "a")]
)
def test_an_option_about_nothing_is_status_2(home: Path, words: tuple[str, ...]) -> None:
    found = plan(home, "import", *words, a=network())
    assert (found.status, found.out) == (2, "")
    assert found.err.startswith("cannot ")


def test_a_plan_may_be_yaml(home: Path) -> None:
    file = home / "plan.yml"
    file.write_text(yaml.safe_dump({"networks": {"business": network()}}))
    assert netplane("plan", "check", str(file)).status == 0
    file.write_text("networks: {a: {cni: x}, a: {cni: y}}")
    found = netplane("plan", "check", str(file))
    assert found.status == 1
    assert "the key a is there twice" in found.err


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (b"{", "Expecting property name"),
        (b"a: 1\n---\nb: 2\n", "it has 2 documents"),
        (b"", "it has 0 documents"),
        (b" " * (MAX_PLAN_BYTES + 1), "larger than"),
    ],
)
def test_a_file_that_is_no_plan_is_status_1_with_the_cause(
    home: Path, text: bytes, cause: str
) -> None:
    file = home / "plan"
    file.write_bytes(text)
    found = netplane("plan", "check", str(file))
    assert found.status == 1
    assert cause in found.err


def test_a_file_that_is_not_there_is_named(home: Path) -> None:
    found = netplane("plan", "check", str(home / "none"))
    assert found.status == 1
    assert f"cannot read {home / 'none'}: No such file" in found.err


def test_nothing_of_a_plan_reaches_the_terminal_as_an_escape(home: Path) -> None:
    file = home / "plan.json"
    file.write_text('{"networks": {"\\u001b[2J": {"cni": "\\u001b]0;x", "\\u009b": 1}}}')
    found = netplane("plan", "check", str(file))
    assert found.status == 1
    assert (found.out + found.err).replace("\n", "").isprintable()


def test_export_prints_planes_and_namespaces(home: Path) -> None:
    put(home, plane_object(), SHOP)
    found = netplane("plan", "export", "--manifests", str(home / "m"))
    assert (found.status, found.err) == (0, "")
    assert found.json == {"networks": {"business": network(namespaces={"shop": "enabled"})}}
    as_yaml = netplane("plan", "export", "--manifests", str(home / "m"), "-o", "yaml")
    assert yaml.safe_load(as_yaml.out) == found.json


def test_export_then_import_gives_the_planes_again(home: Path) -> None:
    plane = plane_object(ipam={"cooldownSeconds": 60}, staticIPs={"allow": "Any"})
    put(home, plane, SHOP)
    file = home / "plan.json"
    assert netplane("plan", "export", str(file), "--manifests", str(home / "m")).status == 0
    found = netplane("plan", "import", str(file))
    assert list(yaml.safe_load_all(found.out)) == [plane, SHOP]


def test_export_never_replaces_a_file(home: Path) -> None:
    put(home, plane_object())
    file = home / "kept.json"
    file.write_text("kept")
    found = netplane("plan", "export", str(file), "--manifests", str(home / "m"))
    assert found.status == 1
    assert file.read_text() == "kept"


def test_labels_of_a_plane_that_is_not_there_are_told(home: Path) -> None:
    put(home, SHOP)
    found = netplane("plan", "export", "--manifests", str(home / "m"))
    assert "there is no plane business" in found.err
    assert found.json == {"networks": {}}


def test_planes_that_contradict_each_other_are_exported_with_a_warning(home: Path) -> None:
    put(home, plane_object(), plane_object("other"))
    found = netplane("plan", "export", "--manifests", str(home / "m"))
    assert sorted(found.json["networks"]) == ["business", "other"]
    assert "warning: the plan cannot be imported as it is: networks.business.cidr" in found.err


def test_diff_of_a_plan_that_changes_nothing_is_status_0(home: Path) -> None:
    put(home, plane_object(), SHOP)
    found = plan(home, "diff", business=network(namespaces=["shop"]))
    assert found.status == 0
    assert found.out == f"the plan changes nothing of {home / 'm'}\n"


def test_diff_prints_each_field_and_is_status_1(home: Path) -> None:
    put(home, plane_object(order=3), plane_object("other", network={"type": "bridge"}), SHOP)
    found = plan(home, "diff", business=network(mtu=1400, namespaces={"shop": "required"}))
    assert found.status == 1
    assert found.out.splitlines() == [
        "Plane business",
        "  - spec.order: 3",
        "  + spec.network.mtu: 1400",
        "Namespace shop",
        f"  ~ metadata.labels[{KEY}]: enabled -> required",
    ]
    assert found.err == "plane other is not in the plan: applying leaves it as it is\n"


def test_json_of_a_diff_has_old_and_new(home: Path) -> None:
    put(home, plane_object())
    found = plan(home, "diff", "-o", "json", business=network(mtu=1400)).json
    (change,) = found["changes"]
    assert change == {
        "kind": "Plane",
        "name": "business",
        "new": False,
        "fields": [{"path": "spec.network.mtu", "old": None, "new": 1400}],
    }
    assert found["notInPlan"] == []


def test_diff_of_a_plan_with_faults_is_refused(home: Path) -> None:
    put(home, plane_object())
    found = plan(home, "diff", business=network(gateway="10.8.0.1"))
    assert (found.status, found.out) == (1, "")
    assert "networks.business.gateway" in found.err
