"""`netplane dump` as it is typed: on one machine, and where no API server answers."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from planes.cli.dump.objects import MOST_EVENTS
from planes.model.names import NETWORKS_ANNOTATION
from planes.model.spec.plane import parse_plane
from planes.store.directory import DirStore
from planes.store.protocol import AddressOwner
from planes.store.records import EventLog
from tests.cli.dump.dumped import Dumped
from tests.support.clock import FakeClock
from tests.support.command_line import Outcome, netplane
from tests.support.planes import plane_object


@pytest.fixture
def manifests(tmp_path: Path) -> Path:
    directory = tmp_path / "manifests"
    directory.mkdir()
    meta = {"name": "a", "namespace": "shop", "annotations": {NETWORKS_ANNOTATION: "business"}}
    labels = {"plane.netplane.io/business": "enabled"}
    objects = [
        plane_object(),
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": labels}},
        {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"containers": []}},
    ]
    for number, obj in enumerate(objects):
        (directory / f"{number}.json").write_text(json.dumps(obj))
    return directory


def dump(manifests: Path, *words: str) -> Outcome:
    state = str(manifests.parent / "state")
    target = str(manifests.parent / "out.tar.gz")
    given = ("--manifests", str(manifests), "--state-dir", state, "-f", target)
    return netplane("dump", *given, *words)


def test_a_machine_is_dumped(manifests: Path) -> None:
    outcome = dump(manifests)
    assert outcome.status == 0
    found = Dumped.read(manifests.parent / "out.tar.gz")
    assert list(found.members) == [
        *("versions.json", "machine.json", "planes.jsonl", "namespaces.jsonl"),
        *("pods.jsonl", "counts.json", "MANIFEST.txt"),
    ]
    assert "journalctl -u netplane-cni" in found.manifest
    assert "out.tar.gz: 7 files; see its MANIFEST.txt" in outcome.out


def test_a_document_says_what_is_in_it_and_what_was_left_out(manifests: Path) -> None:
    found = dump(manifests, "-o", "json").json
    assert "planes.jsonl" in found["files"]
    assert {one["file"] for one in found["leftOut"]} == {"logs", "address files"}


def test_addresses_of_a_machine_are_in_it_with_their_pods(manifests: Path) -> None:
    book = DirStore(manifests, manifests.parent / "state", clock=FakeClock()).addresses
    owner = AddressOwner("c1", "net1", "shop", "a", "u1", "n1")
    (claimed,) = asyncio.run(book.claim(parse_plane(plane_object()), owner))
    dump(manifests)
    found = Dumped.read(manifests.parent / "out.tar.gz")
    address = claimed.address.partition("/")[0]
    known = {"plane": "business", "address": address, "proof": "record"}
    assert found.objects("addresses.jsonl") == [{**known, "pod": "shop/a", "uid": "u1"}]
    assert found.objects("counts.json")[0]["addresses of plane business"] == 1


def test_a_file_that_is_there_stays(manifests: Path) -> None:
    (manifests.parent / "out.tar.gz").write_text("mine")
    outcome = dump(manifests)
    assert outcome.status == 1
    assert "--force" in outcome.err
    assert (manifests.parent / "out.tar.gz").read_text() == "mine"
    assert dump(manifests, "--force").status == 0


def test_of_many_events_the_newest_are_in_it(manifests: Path) -> None:
    log = EventLog(manifests.parent / "state")
    log.path.parent.mkdir()
    events = [
        {"reason": "A", "reportingComponent": "netplane", "lastTimestamp": f"{number:06}"}
        for number in range(MOST_EVENTS * 2 + 10)
    ]
    log.path.write_text("".join(f"{json.dumps(one)}\n" for one in events))
    dump(manifests)
    found = Dumped.read(manifests.parent / "out.tar.gz").objects("events.jsonl")
    assert len(found) == MOST_EVENTS
    assert found[-1]["lastTimestamp"] == f"{MOST_EVENTS * 2 + 9:06}"
    assert found[0]["lastTimestamp"] == f"{MOST_EVENTS + 10:06}"


def test_an_api_server_that_is_away_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    cluster = {"name": "c", "cluster": {"server": "https://127.0.0.1:9"}}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "users": [{"name": "u", "user": {}}],
        "clusters": [cluster],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    }
    (tmp_path / "config").write_text(json.dumps(config))
    outcome = netplane(
        *("dump", "--kubeconfig", str(tmp_path / "config"), "-f", str(tmp_path / "out.tar.gz")),
        *("--request-timeout", "5"),
    )
    assert outcome.status == 1
    assert "cannot list planes" in outcome.err
    assert [path.name for path in tmp_path.iterdir()] == ["config"]
