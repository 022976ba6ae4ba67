"""`netplane pod list` shows containers that are no pods, out of the daemon's journal."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from cni.journal.entry import Entry, Stage
from cni.journal.files import entry_path, write_entry
from planes.cli.containers import title_of
from planes.cli.sandbox import Sandbox
from planes.store.pod_files import PodFiles
from tests.cni.journal.test_journal import attachment, entry
from tests.support.command_line import Outcome, netplane

ID = "c0ffee" * 10 + "0123"

Listing = Callable[..., Outcome]


@pytest.fixture
def listing(tmp_path: Path) -> Listing:
    """Write journal entries, and run `netplane pod list` on them."""
    journal = tmp_path / "state" / "journal"
    (tmp_path / "m").mkdir()

    def run(*entries: Entry, words: tuple[str, ...] = ()) -> Outcome:
        journal.mkdir(parents=True, exist_ok=True)
        for one in entries:
            write_entry(entry_path(journal, one.key), one, is_new=True)
        state = ("--state-dir", str(tmp_path / "state"))
        return netplane("pod", "list", "--manifests", str(tmp_path / "m"), *state, *words)

    return run


def _container(**changes: object) -> Entry:
    """An entry as podman's call makes it."""
    made = entry(container_id=ID, namespace="default", pod="web", uid="", network="shop")
    return replace(made, **changes)  # type: ignore[arg-type]  # the test names real fields


def test_a_container_of_podman_is_shown_by_its_name_with_planes_and_addresses(
    listing: Listing,
) -> None:
    outcome = listing(_container())
    assert outcome.status == 0
    assert [line.split() for line in outcome.out.splitlines()] == [
        ["POD", "NODE", "PHASE", "INTERFACE", "PLANE", "ADDRESSES"],
        ["default/web", "node-a", "Attached", "net1", "business", "10.1.0.5", "fd00::5"],
    ]


def test_of_one_namespace_only_its_pods_and_containers_are_shown(listing: Listing) -> None:
    entries = (_container(), _container(container_id="d" * 64, namespace="shop", pod="db"))
    listed = json.loads(listing(*entries, words=("-n", "shop", "-o", "json")).out)
    assert [(one["namespace"], one["name"]) for one in listed] == [("shop", "db")]
    assert len(json.loads(listing(words=("-A", "-n", "shop", "-o", "json")).out)) == 2


def test_wide_adds_the_container_and_the_network_that_was_asked_for(listing: Listing) -> None:
    line = listing(_container(), words=("-o", "wide")).out.splitlines()[1]
    assert line.split()[-2:] == [ID, "shop"]


@pytest.mark.parametrize(("form", "read"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_a_document_says_of_each_container_what_it_is_and_has(
    listing: Listing, form: str, read: Callable[[str], object]
) -> None:
    outcome = listing(_container(), words=("-o", form))
    assert read(outcome.out) == [
        {
            "kind": "Container",
            "namespace": "default",
            "name": "web",
            "uid": "",
            "node": "node-a",
            "phase": "Attached",
            "containerID": ID,
            "netns": "/run/netns/x",
            "networks": ["shop"],
            "interfaces": [
                {
                    "interface": "net1",
                    "network": "shop/n",
                    "plane": "business",
                    "ips": ["10.1.0.5", "fd00::5"],
                    "mac": "02:00:00:00:00:01",
                    "default": False,
                }
            ],
        }
    ]


def test_the_networks_of_one_container_are_shown_together(listing: Listing) -> None:
    first = _container(attachments=(attachment("net1"),))
    second = _container(ifname="eth1", network="other", attachments=(attachment("net1"),))
    (container,) = listing(second, first, words=("-o", "json")).json
    assert container["networks"] == ["shop", "other"]
    assert len(container["interfaces"]) == 2


def test_a_container_without_a_name_is_shown_by_its_id(listing: Listing) -> None:
    """So is one of `ctr`, and of a script: the daemon takes the ID for the name."""
    outcome = listing(_container(namespace="default", pod=ID))
    assert outcome.out.splitlines()[1].split()[0] == f"default/{ID[:12]}"


@pytest.mark.parametrize(
    ("stage", "phase"), [(Stage.BEGUN, "Attaching"), (Stage.LEAVING, "Detaching")]
)
def test_the_phase_says_what_is_under_way(listing: Listing, stage: Stage, phase: str) -> None:
    other = _container(ifname="eth1")
    assert phase in listing(_container(stage=stage), other).out


def test_a_container_that_has_no_interface_yet_is_shown(listing: Listing) -> None:
    outcome = listing(_container(attachments=(attachment("net1", None),), stage=Stage.BEGUN))
    assert outcome.out.splitlines()[1].split()[:4] == ["default/web", "node-a", "Attaching", "-"]


def test_a_pod_is_not_shown_a_second_time_as_a_container(listing: Listing, tmp_path: Path) -> None:
    meta = {"name": "db", "namespace": "shop", "uid": "u-1"}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"nodeName": "node-a"}}
    PodFiles(tmp_path / "m").put(pod)
    of_pod = _container(container_id=Sandbox("shop", "db", "u-1").container_id)
    found = listing(of_pod, _container(), words=("-o", "json")).json
    assert [(one["kind"], one["name"]) for one in found] == [("Pod", "db"), ("Container", "web")]


def test_a_name_cannot_command_the_terminal(listing: Listing) -> None:
    hostile = "\x1b[31m" + "x" * 500
    outcome = listing(_container(namespace="\x1b[0m", pod=hostile, network="\x1b]0;"))
    wide = listing(words=("-o", "wide"))
    assert "\x1b" not in outcome.out + wide.out
    assert len(title_of({"namespace": "", "name": hostile})) <= 64


def test_an_entry_that_cannot_be_read_is_told_and_others_are_shown(
    listing: Listing, tmp_path: Path
) -> None:
    listing(_container())
    (tmp_path / "state" / "journal" / "torn@eth0.json").write_text("{")
    outcome = listing()
    assert outcome.status == 1
    assert "1 journal entry cannot be read: netplane doctor says what to do" in outcome.err
    assert "web" in outcome.out


def test_without_a_journal_there_are_no_containers(listing: Listing) -> None:
    assert (listing().status, listing().out) == (0, "no pods\n")


def test_a_journal_that_cannot_be_read_is_told(listing: Listing, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "journal").symlink_to("journal")  # as unreadable to root as to others
    outcome = netplane(
        *("pod", "list", "--manifests", str(tmp_path / "m"), "--state-dir", str(tmp_path / "state"))
    )
    assert outcome.status == 1
    assert "cannot show containers that are no pods" in outcome.err
    remedy = "run it as root" if os.geteuid() else "check the permissions of the state directory"
    assert remedy in outcome.err
