"""The dump of a cluster: what is in it, what is left out, and what is never in it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from planes.cli.dump.archive import new_archive
from planes.cli.dump.cluster import MOST_LOGGED, ClusterDump
from planes.cli.dump.collector import Collector
from planes.cli.dump.manifest_text import NAME, manifest_lines
from planes.cli.dump.redaction import REDACTED
from planes.kube.resources import (
    IPAM_CLAIMS,
    NADS,
    PLANES,
    PODS,
    Resource,
)
from planes.model.errors import Denied, JsonObject, Unavailable
from planes.model.names import NETWORKS_ANNOTATION
from planes.model.spec.render import plane_nad
from tests.cli.cluster_place import InstantClock
from tests.cli.dump.dumped import Dumped
from tests.cli.dump.secret_cluster import MIB, OWN, SECRET, cluster, pod
from tests.house.sources import ROOT
from tests.support.kube.fake_kube import FakeKube
from tests.support.planes import make_plane, plane_object


async def dump(kube: FakeKube, target: Path, limit: int = 64 * MIB) -> Dumped:
    with new_archive(target, limit=limit, replaces=False) as archive:
        collector = Collector(archive, 20.0, limit // 4)
        await ClusterDump(kube, InstantClock(), collector, 20.0).run()
        facts = tuple(archive.members)
        with archive.member(NAME, MIB, is_last=True) as member:
            for line in manifest_lines("a cluster", "now", facts, collector.notes):
                member.line(line.encode())
    return Dumped.read(target)


async def test_nothing_of_a_secret_is_in_it(tmp_path: Path) -> None:
    assert SECRET not in (await dump(cluster(), tmp_path / "d")).text


async def test_no_secret_object_is_read(tmp_path: Path) -> None:
    kube = cluster()
    await dump(kube, tmp_path / "d")
    assert {verb for verb, *_ in kube.requests} == {"list", "get"}
    assert not {kind for _, kind, *_ in kube.requests} & {"secrets", "configmaps"}


async def test_nothing_in_it_moves_a_terminal(tmp_path: Path) -> None:
    text = (await dump(cluster(), tmp_path / "d")).text
    assert all(letter.isprintable() or letter == "\n" for letter in text)


async def test_two_dumps_of_one_state_are_the_same_bytes(tmp_path: Path) -> None:
    kube = cluster()
    await dump(kube, tmp_path / "1")
    await dump(kube, tmp_path / "2")
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


async def test_ours_is_in_it_in_full(tmp_path: Path) -> None:
    found = await dump(cluster(), tmp_path / "d")
    (plane,) = found.objects("planes.jsonl")
    assert plane["spec"] == plane_object()["spec"]
    ours = {one["metadata"]["name"]: one for one in found.objects("nads.jsonl")}
    rendered = plane_nad(make_plane())
    assert rendered is not None
    assert ours["business"]["config"] == rendered.config


async def test_of_others_configurations_there_are_names_and_keys(tmp_path: Path) -> None:
    found = await dump(cluster(), tmp_path / "d")
    nads = {one["metadata"]["name"]: one for one in found.objects("nads.jsonl")}
    expected = {"type": "ovs", "name": "blue", "bridge": "string", "auth": REDACTED}
    assert nads["blue"]["configOutline"] == expected
    assert "config" not in nads["blue"]


async def test_a_nad_that_claims_to_be_ours_is_not(tmp_path: Path) -> None:
    found = await dump(cluster(), tmp_path / "d")
    nads = {one["metadata"]["name"]: one for one in found.objects("nads.jsonl")}
    assert nads["forged"]["differsFromItsPlane"] is True
    assert "config" not in nads["forged"]


async def test_a_pod_has_its_networks_and_no_container(tmp_path: Path) -> None:
    found = await dump(cluster(), tmp_path / "d")
    (web,) = found.objects("pods.jsonl")
    assert (web["node"], web["phase"]) == ("n1", "Running")
    assert set(web) == {"metadata", "node", "phase"}
    (element,) = json.loads(web["metadata"]["annotations"][NETWORKS_ANNOTATION])
    assert element == {"name": "blue", "cni-args": {"key": "string", "note": "string"}}
    assert set(web["metadata"]["annotations"]) == {NETWORKS_ANNOTATION}


async def test_namespaces_nodes_and_events_are_ours_alone(tmp_path: Path) -> None:
    found = await dump(cluster(), tmp_path / "d")
    (namespace,) = found.objects("namespaces.jsonl")
    assert namespace["metadata"]["labels"] == {"plane.netplane.io/business": "enabled"}
    (node,) = found.objects("nodes.jsonl")
    assert (node["kernelVersion"], node["kubeletVersion"]) == ("6.1.0", "v1.33.0")
    (event,) = found.objects("events.jsonl")
    assert event["message"] == "cannot attach: token=[redacted] ?[31m"


async def test_a_ca_is_known_by_fingerprint_and_end(tmp_path: Path) -> None:
    found = await dump(cluster(), tmp_path / "d")
    (hooks,) = found.objects("netplane/webhooks.jsonl")
    client = hooks["webhooks"][0]["clientConfig"]
    assert client["service"] == {"name": "webhook"}
    (authority,) = client["caCertificates"]
    assert len(authority["sha256"]) == 64
    assert authority["notAfter"] > authority["notBefore"]
    assert "BEGIN CERTIFICATE" not in found.text
    assert "LS0tLS1" not in found.text


async def test_logs_of_our_pods_are_in_it_also_of_the_run_before(tmp_path: Path) -> None:
    found = await dump(cluster(), tmp_path / "d")
    logs = {name: text for name, text in found.members.items() if name.startswith("logs/")}
    assert logs == {
        "logs/netplane-webhook-b/app.log": "2026-11-30T10:00:02Z ready\n",
        "logs/netplane-webhook-b/app.previous.log": "2026-11-30T09:00:02Z killed\n",
        "logs/netplane-cni-a/app.log": "2026-11-30T10:00:00Z login --password [redacted]\n"
        "2026-11-30T10:00:01Z ?]0;hi?\n",
    }


async def test_counts_and_findings_are_in_it(tmp_path: Path) -> None:
    kube = cluster()
    status = json.dumps([{"name": f"{OWN}/business", "ips": ["10.9.0.77"]}])
    shows = pod("shop", "lost")
    shows["metadata"]["annotations"] = {"k8s.v1.cni.cncf.io/network-status": status}
    shows["spec"]["hostNetwork"] = False
    kube.put_object(PODS, shows)
    found = await dump(kube, tmp_path / "d")
    assert [one["what"] for one in found.objects("ip-check.jsonl")] == ["10.9.0.77"]
    (counts,) = found.objects("counts.json")
    assert counts["planes"] == 1
    assert counts["pods"] == 5
    assert counts["pods with planes or networks"] == 2
    assert counts["nodes ready"] == 1


@pytest.mark.parametrize(
    ("resource", "member"),
    [(PODS, "pods.jsonl"), (NADS, "nads.jsonl"), (IPAM_CLAIMS, "ipamclaims.jsonl")],
)
async def test_a_missing_right_is_noted_and_the_rest_is_read(
    tmp_path: Path, resource: Resource, member: str
) -> None:
    kube = cluster()
    error = Denied(f"cannot list {resource.plural}: no", remedy=f"let us list {resource.plural}")
    kube.fail_next(error, verb="list", resource=resource)
    found = await dump(kube, tmp_path / "d")
    why = f"  {member}: cannot list {resource.plural}: no; let us list {resource.plural}\n"
    assert why in found.manifest
    assert member not in found.members
    assert "events.jsonl" in found.members


async def test_a_log_that_may_not_be_read_is_noted(tmp_path: Path) -> None:
    kube = cluster()
    del kube.logs[OWN, "netplane-cni-a", "app", False]
    found = await dump(kube, tmp_path / "d")
    assert "  logs/netplane-cni-a/app.log: cannot get log of Pod" in found.manifest


async def test_of_many_pods_the_logs_that_are_left_out_are_one_note(tmp_path: Path) -> None:
    """A cluster of 2,000 nodes has as many; a warning for each one hid what else was left out."""
    kube = cluster()
    own = sum(one["metadata"]["namespace"] == OWN for one in kube.objects(PODS))
    for number in range(MOST_LOGGED + 8 - own):
        kube.put_object(PODS, pod(OWN, f"netplane-cni-z{number:03}"))
    found = await dump(kube, tmp_path / "d")
    text = f"logs of {MOST_LOGGED} pods are the most; 8 more have some: "
    (line,) = [line for line in found.manifest.splitlines() if "are the most" in line]
    assert line.startswith(f"  logs/: {text}")
    assert line.endswith(" and 3 more")


@pytest.mark.parametrize("is_timed", [True, False])
async def test_what_needs_many_answers_may_take_longer_than_one(
    tmp_path: Path, is_timed: bool
) -> None:
    """The check of a large cluster asks for hundreds of pages."""

    async def slow() -> AsyncGenerator[JsonObject, None]:
        await asyncio.sleep(0.01)
        yield {"kind": "leaked"}

    with new_archive(tmp_path / "d", limit=MIB, replaces=False) as archive:
        collector = Collector(archive, 0.0, MIB)
        failed = await collector.add("ip-check.jsonl", slow(), is_timed=is_timed)
    assert isinstance(failed, Unavailable) is is_timed
    assert bool(collector.notes) is is_timed


async def test_an_api_server_that_is_away_ends_it(tmp_path: Path) -> None:
    kube = cluster()
    kube.fail_next(Unavailable("cannot list planes: no answer"), verb="list", resource=PLANES)
    with pytest.raises(Unavailable):
        await dump(kube, tmp_path / "d")
    assert list(tmp_path.iterdir()) == []


async def test_it_stays_within_its_size_and_says_what_had_no_room(tmp_path: Path) -> None:
    kube = cluster()
    for number in range(300):
        made = pod("shop", f"p{number:03}", networks=f"net-{'x' * 4000}")
        kube.put_object(PODS, made)
    found = await dump(kube, tmp_path / "d", limit=MIB)
    assert sum(map(len, found.members.values())) <= MIB
    why = "it is full: what comes after its last line was left out, and is not counted\n"
    assert f"  pods.jsonl: {why}" in found.manifest
    assert "logs/netplane-cni-a/app.log" in found.members


async def test_a_pod_with_a_hostile_name_is_no_path(tmp_path: Path) -> None:
    """No API server lets it in; one that was forged might."""
    kube = cluster()
    bad = pod(OWN, "../../etc/cron.d/x")
    kube.put_object(PODS, bad)
    found = await dump(kube, tmp_path / "d")
    assert not [name for name in found.members if ".." in name]
    assert '"../../etc/cron.d/x" is no name of a pod' in found.manifest


async def test_the_manifest_names_every_member_and_what_is_never_there(tmp_path: Path) -> None:
    found = await dump(cluster(), tmp_path / "d")
    *others, last = found.members
    assert last == "MANIFEST.txt"
    assert all(f"  {name}: " in found.manifest for name in others)
    assert "Secrets and ConfigMaps" in found.manifest


async def test_the_document_names_every_member(tmp_path: Path) -> None:
    found = await dump(cluster(), tmp_path / "d")
    text = (ROOT / "docs" / "dump.md").read_text()
    members = {name for name in found.members if not name.startswith("logs/")}
    assert {name for name in members if name not in text} == set()
