"""`netplane migrate check` on manifests as people have them, and on hostile ones."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from planes.cli.migrate.multus_report import MultusReport
from planes.cli.migrate.nad_report import Handling
from planes.cli.migrate.read_multus_cluster import Migration, MigrationReader
from planes.kube.resources import NADS, NAMESPACES, PLANES, PODS
from planes.model.errors import Denied, JsonObject
from planes.model.names import NETWORKS_ANNOTATION, STATUS_ANNOTATION
from planes.model.spec.nad_policy import NadPolicy
from planes.model.spec.plane import parse_plane
from tests.support.command_line import Outcome, netplane
from tests.support.kube.fake_kube import FakeKube
from tests.support.planes import plane_object

DATA = Path(__file__).parents[2] / "data" / "migrate"


@pytest.fixture
def manifests(tmp_path: Path) -> Path:
    directory = tmp_path / "manifests"
    directory.mkdir()
    for name in ("flannel-networks.yaml", "ipvlan-pod.yaml"):
        shutil.copy(DATA / name, directory)
    return directory


def check(manifests: Path, *words: str) -> Outcome:
    state = str(manifests.parent / "state")
    given = ("--manifests", str(manifests), "--state-dir", state, *words)
    return netplane("migrate", "check", *given)


def test_networks_of_articles_are_native_under_the_open_policy(manifests: Path) -> None:
    outcome = check(manifests)
    assert outcome.status == 0
    rows = [line.split() for line in outcome.out.splitlines()]
    assert rows[1:] == [
        ["business-apps", "business-network", "macvlan+host-local", "native", "0"],
        ["default", "vlan-network", "vlan+host-local", "native", "0"],
        ["example-multus", "example-nad", "ipvlan+static", "native", "1"],
        ["kube-system", "management-network", "host-device+host-local", "native", "0"],
        ["storage-apps", "storage-network", "sriov+host-local", "native", "0"],
    ]
    assert "addresses will be given out twice" in outcome.err
    assert "judged with --nads open" in outcome.err


def test_what_the_guarded_policy_refuses_is_told_with_its_pods(manifests: Path) -> None:
    outcome = check(manifests, "--nads", "guarded", "-o", "json")
    assert outcome.status == 1
    found = {one["name"]: one for one in outcome.json["nads"]}
    assert found["management-network"]["handling"] == "native"
    assert found["example-nad"]["handling"] == "refused"
    assert "NETPLANE_NAD_INTERFACES" in found["example-nad"]["errors"][0]["message"]
    (pod,) = outcome.json["refusedPods"]
    assert (pod["name"], pod["pods"]) == ("example-nad-pod", 1)


def test_one_namespace_may_be_judged_alone(manifests: Path) -> None:
    outcome = check(manifests, "-n", "default", "-o", "json")
    assert [one["name"] for one in outcome.json["nads"]] == ["vlan-network"]
    assert check(manifests, "-n", "No Name").status == 2


def test_settings_of_multus_are_told(manifests: Path) -> None:
    outcome = check(manifests, "--multus-config", str(DATA / "00-multus.conf"))
    assert "logLevel         to do      not followed: set NETPLANE_LOG_LEVEL" in outcome.out
    assert outcome.status == 0


def test_proposals_are_manifests_that_the_webhook_accepts(manifests: Path) -> None:
    pod = yaml.safe_load_all((DATA / "ipvlan-pod.yaml").read_text())
    second = next(one for one in pod if one["kind"] == "Pod")
    second["metadata"]["name"] = "another"
    (manifests / "second.json").write_text(json.dumps(second))
    outcome = check(manifests, "--propose")
    (plane,) = yaml.safe_load_all(outcome.out)
    assert plane["spec"]["network"]["master"] == "eth1"
    assert parse_plane(plane).name == "example-nad"
    (manifests / "plane.yaml").write_text(outcome.out)
    applied = check(manifests, "--propose")
    assert (applied.status, applied.out) == (0, "")  # beside the plane the NADs go on
    assert outcome.out.startswith(
        "---\n# From NAD example-multus/example-nad: 2 pods of 1 namespace."
    )


def nad(name: str, config: Any, namespace: str = "shop") -> JsonObject:
    text = config if isinstance(config, str) else json.dumps({"cniVersion": "1.0.0", **config})
    return {"metadata": {"name": name, "namespace": namespace}, "spec": {"config": text}}


def pod(name: str, networks: str, namespace: str = "shop", owner: str = "") -> JsonObject:
    status = json.dumps([{"name": "eth0", "ips": ["10.1.1.1"], "default": True}])
    meta: JsonObject = {"name": name, "namespace": namespace}
    meta["annotations"] = {NETWORKS_ANNOTATION: networks, STATUS_ANNOTATION: status}
    if owner:
        meta["ownerReferences"] = [
            {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": owner, "uid": "u"}
            | {"controller": True}
        ]
    return {"metadata": meta, "spec": {"hostNetwork": False}, "status": {"phase": "Running"}}


async def read(
    kube: FakeKube,
    namespace: str = "",
    multus: MultusReport | None = None,
    *,
    guarded: bool = False,
) -> Migration:
    policy = NadPolicy(is_guarded=guarded)
    return await MigrationReader(kube, policy, multus or MultusReport(), namespace).read()


OVS = {"type": "ovs", "bridge": "br1", "ipam": {"type": "whereabouts", "range": "10.2.0.0/24"}}
BRIDGE = {"type": "bridge", "bridge": "br-a", "ipam": {"type": "dhcp"}}


async def test_binaries_and_files_of_nodes_are_named() -> None:
    kube = FakeKube((NADS, nad("a", OVS)), (NADS, nad("b", BRIDGE)), (NADS, nad("c", "")))
    found = (await read(kube)).nads
    assert [(one.nad.name, one.carried_out) for one in found] == [
        ("a", "executes ovs"),
        ("b", "executes dhcp (IPAM)"),
        ("c", "file of the node"),
    ]


async def test_pods_are_counted_once_for_each_nad_also_of_other_namespaces() -> None:
    kube = FakeKube((NADS, nad("a", BRIDGE)))
    kube.put_object(PODS, pod("p1", "a,a"))
    kube.put_object(PODS, pod("p2", "shop/a", "bank"))
    (found,) = (await read(kube)).nads
    assert (found.use.pods, found.use.namespaces) == (2, {"shop", "bank"})


async def test_a_default_network_of_a_pod_counts() -> None:
    kube = FakeKube((NADS, nad("cluster", BRIDGE, "kube-system")))
    made = pod("p", "")
    made["metadata"]["annotations"] = {"v1.multus-cni.io/default-network": "cluster"}
    kube.put_object(PODS, made)
    (found,) = (await read(kube)).nads
    assert found.use.pods == 1


async def test_a_pod_that_cannot_be_read_is_refused_by_its_name() -> None:
    made = pod("odd", "a")
    made["metadata"]["labels"] = {"a": ["no", "text"]}
    (refused,) = (await read(FakeKube((PODS, made)))).refused
    assert (refused.namespace, refused.name) == ("shop", "odd")


async def test_refused_pods_of_one_owner_are_told_once() -> None:
    kube = FakeKube()
    for number in range(5):
        kube.put_object(PODS, pod(f"web-{number}", "none", owner="web"))
    (refused,) = (await read(kube)).refused
    assert (refused.name, refused.pods) == ("web-0", 5)
    assert "none" in refused.errors[0].message


async def test_isolation_of_multus_refuses_what_it_refused() -> None:
    kube = FakeKube((NADS, nad("a", BRIDGE)), (PODS, pod("p", "shop/a", "bank")))
    assert (await read(kube)).refused == []
    isolated = MultusReport(isolates=True)
    (refused,) = (await read(kube, multus=isolated)).refused
    assert refused.name == "p"


async def test_the_nad_of_a_plane_is_not_one_of_multus() -> None:
    kube = FakeKube((PLANES, plane_object()), (NADS, nad("business", BRIDGE, "netplane-system")))
    found = await read(kube)
    assert found.nads == []
    assert [plane.name for plane in found.planes] == ["business"]


async def test_without_the_right_to_read_planes_it_says_so_and_goes_on() -> None:
    kube = FakeKube((NADS, nad("a", BRIDGE)))
    kube.fail_next(Denied("cannot list planes: no"), verb="list", resource=PLANES)
    kube.fail_next(Denied("cannot list namespaces: no"), verb="list", resource=NAMESPACES)
    found = await read(kube)
    assert [note.partition(":")[0] for note in found.notes] == [
        "cannot list planes",
        "cannot list namespaces",
    ]
    assert len(found.nads) == 1


async def test_a_user_of_one_namespace_sees_that_one() -> None:
    kube = FakeKube((NADS, nad("a", BRIDGE)), (NADS, nad("b", BRIDGE, "bank")))
    kube.fail_next(Denied("cannot list NADs: no"), verb="list", resource=NADS)
    found = await read(kube, "shop")
    assert [one.nad.name for one in found.nads] == ["a"]
    assert "cannot list NADs: no" in found.notes[0]
    kube.fail_next(Denied("cannot list NADs: no"), verb="list", resource=NADS)
    with pytest.raises(Denied):
        await read(kube)


async def test_hostile_nads_are_refused_within_bounds() -> None:
    """By the thousand, and of 1 MiB: of what is too large nothing but the name is kept."""
    kube = FakeKube()
    large = json.dumps({"cniVersion": "1.0.0", "type": "ovs", "x": "y" * (1 << 20)})
    for number in range(10):
        kube.put_object(NADS, nad(f"large-{number}", large))
    kube.put_object(NADS, nad("deep", "[" * 10_000))
    kube.put_object(NADS, nad("escape", {"type": "\x1b[2J" + "z" * 500}))
    for number in range(1500):
        kube.put_object(NADS, nad(f"n{number}", BRIDGE, "many"))
    found = await read(kube, guarded=False)
    assert all(not one.nad.config for one in found.nads if one.nad.name.startswith("large"))
    assert sum(one.handling is Handling.REFUSED for one in found.nads) > 750
    assert sum(one.nad.namespace == "many" for one in found.nads) == 1024
    assert any(note.startswith("476 NADs are beyond") for note in found.notes)
    shown = [text for one in found.nads for text in (*one.types, one.carried_out)]
    assert all(text.isprintable() and len(text) < 200 for text in shown)


async def test_nothing_is_written() -> None:
    kube = FakeKube((NADS, nad("a", BRIDGE)), (PODS, pod("p", "a")))
    await read(kube)
    assert {verb for verb, *_ in kube.requests} == {"list"}
