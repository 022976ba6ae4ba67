"""`scripts/apart` keeps two suites from seeing what the other makes in watched folders."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.house.sources import ROOT
from tests.support.node.machine import WATCHED_FOLDERS
from tests.support.node.netns import why_no_kernel_tests


@pytest.fixture(autouse=True)
def can_make_namespaces() -> None:
    if reason := why_no_kernel_tests():
        pytest.skip(reason)


def _apart(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "scripts" / "apart", *command], capture_output=True, text=True, check=False
    )


def test_a_namespace_made_in_it_is_not_seen_by_the_machine() -> None:
    run = _apart("sh", "-ec", "ip netns add np-t-apart; ls /run/netns")
    assert (run.returncode, run.stdout.split()) == (0, ["np-t-apart"])
    assert not Path("/run/netns/np-t-apart").exists()


def test_no_namespace_of_the_machine_is_seen_in_it() -> None:
    subprocess.run(["ip", "netns", "add", "np-t-machine"], check=True)
    try:
        run = _apart("ls", "/run/netns")
    finally:
        subprocess.run(["ip", "netns", "del", "np-t-machine"], check=True)
    assert (run.returncode, run.stdout) == (0, "")


@pytest.mark.parametrize("folder", WATCHED_FOLDERS)
def test_a_file_written_in_a_watched_folder_is_not_seen_by_the_machine(folder: str) -> None:
    """Such as the lock that buildah leaves in the folder of networks."""
    if not Path(folder).is_dir():
        pytest.skip(f"{folder} does not exist here, and a suite does not make it")
    before = sorted(os.listdir(folder))
    run = _apart("sh", "-ec", f"mkdir -p {folder}; touch {folder}/np-t-apart")
    assert (run.returncode, run.stderr) == (0, "")
    assert sorted(os.listdir(folder)) == before


def test_what_the_machine_has_in_the_folder_of_networks_is_there_in_it() -> None:
    folder = Path("/etc/cni/net.d")
    if not folder.is_dir():
        pytest.skip(f"{folder} does not exist here")
    run = _apart("ls", "-A", str(folder))
    assert (run.returncode, sorted(run.stdout.split())) == (0, sorted(os.listdir(folder)))


def test_loopback_is_the_only_link_that_is_up_in_it() -> None:
    run = _apart("ip", "-o", "link", "show", "up")
    assert run.returncode == 0
    assert [line.split(": ")[1] for line in run.stdout.splitlines()] == ["lo"]


def test_the_exit_status_and_the_arguments_are_those_of_the_command() -> None:
    run = _apart("sh", "-c", 'echo "$1"; exit 7', "sh", "two words")
    assert (run.returncode, run.stdout) == (7, "two words\n")
