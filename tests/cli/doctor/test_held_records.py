"""Address files that nobody owns, and journal entries that cannot leave."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from cni.journal.entry import Entry, Stage
from cni.journal.files import entry_path, inspect_entries, write_entry
from cni.journal.pending import Pending, read_pending
from planes.cli.doctor.diagnosis import CannotCheck
from planes.cli.doctor.facts.held_records import AddressFile, HeldRecords, read_held_records
from planes.cli.doctor.judging.held_addresses import judge_held_records
from planes.cli.doctor.judging.leaving import judge_damaged, judge_pending
from planes.model.addresses import parse_address
from planes.model.errors import PlanesError
from tests.cli.doctor.values import only, severities
from tests.support.node.netns import why_no_kernel_tests

OLD = 600.0
NOW = 1_800_000_000.0


def file(address: str, container: str, *, plane: str = "", age: float = OLD) -> AddressFile:
    path = f"/var/lib/x/{plane or 'cbr0'}/{address}"
    return AddressFile(path, parse_address(address), container, plane, age)


def held(*files: AddressFile, journaled: str = "", live: str = "") -> HeldRecords:
    return HeldRecords(
        files, frozenset(journaled.split()), frozenset(map(parse_address, live.split()))
    )


def test_files_with_an_entry_or_an_interface_or_of_a_moment_ago_are_owned() -> None:
    files = [
        file("10.9.0.4", "c1", plane="p"),
        file("10.9.0.5", "c2"),
        file("10.9.0.6", "c3", age=9),
    ]
    assert not list(judge_held_records(held(*files, journaled="c1", live="10.9.0.5"), runs=True))


def test_files_of_a_plane_that_nobody_owns_are_found_with_their_folder() -> None:
    files = [file(f"10.9.0.{n}", "", plane="p") for n in range(5)]
    found = only(judge_held_records(held(*files), runs=False))
    assert found.what.startswith("/var/lib/x/p has 5 address files that nobody owns: 10.9.0.0 (no")
    assert found.mend.startswith("start netplane-cni")
    assert "check-addresses" in only(judge_held_records(held(*files), runs=True)).mend


def test_files_of_host_local_that_nobody_owns_are_found_with_the_command() -> None:
    found = only(judge_held_records(held(file("10.9.0.4", "c\x1b1")), runs=True))
    assert found.mend.endswith("rm /var/lib/x/cbr0/10.9.0.4")
    assert "\x1b" not in found.what


@pytest.mark.skipif(bool(why_no_kernel_tests()), reason=why_no_kernel_tests())
@pytest.mark.kernel
def test_files_of_planes_and_of_host_local_are_read(tmp_path: Path) -> None:
    """A FIFO, a link and a folder with the name of an address are none of them."""
    network = tmp_path / "cni/networks/cbr0"
    network.mkdir(parents=True)
    (network / "10.244.1.2").write_text("c1\r\neth0")
    (network / "10.244.1.3").symlink_to("/etc/passwd")
    os.mkfifo(network / "10.244.1.4")
    (network / "last_reserved_ip.0").write_text("10.244.1.2")
    (network / "lock").touch()
    (tmp_path / "addresses/business").mkdir(parents=True)
    (tmp_path / "addresses/business/10.9.0.4").write_text("torn")
    found = read_held_records(tmp_path / "addresses", tmp_path / "journal", [str(tmp_path / "cni")])
    assert [(str(one.address), one.container_id, one.plane) for one in found.files] == [
        ("10.9.0.4", "", "business"),
        ("10.244.1.2", "c1", ""),
    ]
    assert parse_address("127.0.0.1") in found.live


def test_a_state_directory_that_is_a_file_is_not_checked(tmp_path: Path) -> None:
    (tmp_path / "addresses").touch()
    with pytest.raises((CannotCheck, PlanesError)):
        read_held_records(tmp_path / "addresses", tmp_path / "journal", [])


def leaving(container: str, since: float) -> Entry:
    """Return an entry whose teardown has failed."""
    return Entry(
        container_id=container,
        ifname="eth0",
        netns="",
        netns_inode=0,
        network="netplane",
        cni_path=(),
        namespace="shop",
        pod="web",
        uid="u1",
        node="n1",
        attachments=(),
        stage=Stage.LEAVING,
        attempts=7,
        failed_since=since,
        fault='cannot find plugin "calico"',
    )


def test_an_entry_that_cannot_leave_is_found_with_age_tries_and_error(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    journal.mkdir()
    entry = leaving("abc123", NOW - 7200)
    write_entry(entry_path(journal, entry.key), entry, is_new=True, is_synced=False)
    os.mkfifo(journal / "x@eth0.json")
    entries = [one for one in read_pending(journal) if one.attempts]
    found = only(judge_pending(entries, NOW))
    assert found.severity == "error"
    assert "abc123 of pod shop/web cannot leave" in found.what
    assert "7 tries in 2 h" in found.what
    assert 'cannot find plugin "calico"' in found.what
    assert found.mend.endswith("netplane-cni forget abc123")


def test_entries_that_cannot_be_read_are_found_with_what_mends_them(tmp_path: Path) -> None:
    """The next start sets a new one aside. One that names no container stays there for ever."""
    (tmp_path / "c1@eth0.json").write_text("cut")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "c2@eth0.json").write_text("cut")
    (tmp_path / "damaged" / "x y.json").write_text("of nobody")
    os.mkfifo(tmp_path / "damaged" / "z\x1b.json")
    new, aside, unknown = judge_damaged(inspect_entries(tmp_path).damaged)
    assert severities([new, aside, unknown]) == ["warning"] * 3
    assert new.what == f"1 journal entry cannot be read: {tmp_path}/c1@eth0.json"
    assert "start the container anew" in new.mend
    assert aside.mend.endswith("netplane-cni forget c2")
    assert unknown.what.startswith("2 journal entries cannot be read: ")
    assert f"rm -r '{tmp_path}/damaged/x y.json' " in unknown.mend
    assert "\x1b" not in str(unknown.as_json("journal"))


def test_an_entry_that_failed_just_now_is_a_warning() -> None:
    young = Pending("c1", "eth0", "", ("shop/db",), NOW - 60, 1, "busy")
    damaged = Pending("c2", "eth0", "", ("?",), 0.0, 0, "the bytes are damaged")
    assert severities(judge_pending([young, damaged], NOW)) == ["warning", "warning"]
    assert not list(judge_pending([], time.time()))
