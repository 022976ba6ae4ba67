"""What `make install` installs attaches pods: started by its own units, restricted as they say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.node.netns import machine

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "standalone.md").read_text()
# A machine with nothing on it, as in test_document. What is installed goes below /run, and as
# there is no systemd, systemctl is one of ours. Mounts are shared, as systemd has them.
_MACHINE = """\
set -e
mount --make-rprivate /
mount --make-rshared /
for place in /run /var/lib /opt; do mount -t tmpfs none $place; done
mkdir -p /run/etc/cni/net.d /run/units /run/bin /run/netns
printf '#!/bin/sh\\nexec {python} {systemctl} "$@"\\n' >/run/bin/systemctl
chmod 755 /run/bin/systemctl
export NETPLANE_CNI_CONF_DIR=/run/etc/cni/net.d
export PREFIX=/run/usr/local SYSCONFDIR=/run/etc UNITDIR=/run/usr/units RUNDIR=/run/units
export PATH="/run/usr/local/bin:/run/bin:$PATH"
ip link set lo up
ip link add eth1 type veth peer name far
ip link set eth1 up
ip link set far up
trap 'cat /run/units/*.log >&2; kill $(cat /run/units/*.pid); wait' EXIT
"""


@pytest.fixture(scope="module", autouse=True)
def is_built() -> None:
    if not (ROOT / ".venv" / ".ready").exists():
        pytest.skip("the programs are not built: run `make setup`")
    subprocess.run(["make", "-s", "program"], cwd=ROOT, check=True, timeout=250)


def test_the_documented_commands_work() -> None:
    before = machine()
    done = _run(
        _section("The manifests", "sh"),
        _section("The default network", "sh"),
        _section("As services", "shell"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'Status: "serving"' in done.stdout
    assert re.search(r"pod shop/web runs: eth0 10\.87\.0\.\d+, biz0 192\.168\.1\d\.", done.stdout)
    assert "pod shop/web removed" in done.stdout
    assert machine() == before


def _section(title: str, fence: str) -> str:
    (text,) = re.findall(rf"^## {title}\n(.*?)(?=^## )", DOCUMENT, flags=re.S | re.M)
    return "\n".join(re.findall(rf"```{fence}\n(.*?)```", text, flags=re.S))


def _run(*blocks: str) -> subprocess.CompletedProcess[str]:
    stand_in = ROOT / "tests" / "support" / "node" / "systemctl.py"
    head = _MACHINE.format(python=sys.executable, systemctl=stand_in)
    return subprocess.run(
        [
            *("unshare", "--mount", "--net", "--pid", "--mount-proc", "--fork", "--kill-child"),
            *("bash", "-s"),
        ],
        # Not a /tmp of its own: a checkout may be below it.
        input=head + "\n".join(blocks).replace("/etc/", "/run/etc/").replace("/tmp/", "/run/"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
