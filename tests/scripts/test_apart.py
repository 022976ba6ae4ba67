"""`scripts/apart` keeps two suites from seeing each other's namespaces and plugin state."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.house.sources import ROOT
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


def test_loopback_is_the_only_link_that_is_up_in_it() -> None:
    run = _apart("ip", "-o", "link", "show", "up")
    assert run.returncode == 0
    assert [line.split(": ")[1] for line in run.stdout.splitlines()] == ["lo"]


def test_the_exit_status_and_the_arguments_are_those_of_the_command() -> None:
    run = _apart("sh", "-c", 'echo "$1"; exit 7', "sh", "two words")
    assert (run.returncode, run.stdout) == (7, "two words\n")
