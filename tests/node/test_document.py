"""The commands that docs/standalone.md shows work as they stand, in their order."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.node.netns import machine

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]

DOCUMENT = Path(__file__).parents[2] / "docs" / "standalone.md"
# A machine with nothing on it: namespaces of mounts, networks and processes; with the last, what
# the commands started ends with them, however they end. /etc cannot be hidden,
# for programs need it; what the document writes there goes elsewhere.
_MACHINE = """\
set -e
mount --make-rprivate /
for place in /run /var/lib /opt; do mount -t tmpfs none $place; done
mkdir -p /run/etc/cni/net.d
export NETPLANE_CNI_CONF_DIR=/run/etc/cni/net.d
ip link set lo up
ip link add eth1 type veth peer name far
ip link set eth1 up
ip link set far up
trap 'kill $(jobs -p); wait' EXIT
"""


def test_every_command_works(tmp_path: Path, shim_binary: Path) -> None:
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "netplane").symlink_to(shim_binary)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    blocks = re.findall(r"```sh\n(.*?)```", DOCUMENT.read_text(), flags=re.S)
    script = _MACHINE + "\n".join(blocks).replace("/etc/", "/run/etc/")
    before = machine()
    done = subprocess.run(
        [
            "unshare",
            "--mount",
            "--net",
            "--pid",
            "--mount-proc",
            "--fork",
            "--kill-child",
            "bash",
            "-s",
        ],
        input=script,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"eth0@\S+ +UP +192\.168\.10\.", done.stdout)
    assert "pod shop/db-1 runs: eth0 10.87.0." in done.stdout
    assert "pod shop/db-1 removed" in done.stdout
    assert machine() == before
