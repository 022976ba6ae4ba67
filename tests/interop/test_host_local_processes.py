"""Processes of ours and of the reference allocate from one range at once: every address once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.house.sources import ROOT
from tests.interop.reference import bin_dir

pytestmark = pytest.mark.timeout(120)

PROCESSES = 32
EACH = 4
FIRST = 10


@pytest.fixture(autouse=True)
def _reference() -> None:
    if not os.access(f"{bin_dir()}/host-local", os.X_OK):
        pytest.skip(f"{bin_dir()}/host-local is not installed")


def ours(conf: dict[str, Any], whose: str, verb: str) -> list[str]:
    """Take or release addresses by one process of ours."""
    worker = "tests.interop.host_local_worker"
    command = [sys.executable, "-m", worker, json.dumps(conf), whose, str(EACH), verb]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def theirs(conf: dict[str, Any], whose: str, verb: str) -> list[str]:
    """Take or release addresses by a process of the reference for each."""
    found = []
    for number in range(EACH):
        env = {
            "CNI_COMMAND": verb.upper(),
            "CNI_CONTAINERID": f"{whose}-{number}",
            "CNI_NETNS": "/none",
            "CNI_IFNAME": "eth0",
            "CNI_PATH": bin_dir(),
        }
        done = subprocess.run(
            [f"{bin_dir()}/host-local"],
            input=json.dumps(conf),
            env={**os.environ, **env},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        if verb == "add":
            found.append(json.loads(done.stdout)["ips"][0]["address"])
    return found


def at_once(conf: dict[str, Any], verb: str, first: int) -> list[str]:
    """Let all processes work at once; `first` says which side begins the alternation."""
    sides = (ours, theirs)
    with ThreadPoolExecutor(PROCESSES) as pool:
        started = [
            pool.submit(sides[(number + first) % 2], conf, f"p{number}", verb)
            for number in range(PROCESSES)
        ]
        return [address for one in started for address in one.result()]


def test_of_a_range_as_large_as_the_demand_every_address_is_given_once(tmp_path: Path) -> None:
    """None is given twice, none is lost, and each side releases what the other has taken."""
    wanted = PROCESSES * EACH
    conf = {
        "cniVersion": "1.0.0",
        "name": "testnet",
        "type": "host-local",
        "ipam": {
            "type": "host-local",
            "dataDir": str(tmp_path),
            "subnet": "10.9.0.0/24",
            "rangeStart": f"10.9.0.{FIRST}",
            "rangeEnd": f"10.9.0.{FIRST + wanted - 1}",
        },
    }
    given = at_once(conf, "add", first=0)
    assert sorted(given) == sorted(f"10.9.0.{FIRST + number}/24" for number in range(wanted))
    holders = {path.read_text() for path in (tmp_path / "testnet").glob("10.*")}
    assert len(holders) == wanted
    at_once(conf, "del", first=1)
    assert list((tmp_path / "testnet").glob("10.*")) == []
